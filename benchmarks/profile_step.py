"""Where the time of a training step goes: every row of `speed.py`, slots without reserve, part by part.

Loops are timed as they are called; "to torch" is what lays events out and gives spikes back as tensors, "rest" is what no
part names: autograd, weights as tensors, the gradient of base weights.

    python benchmarks/profile_step.py [--repeats 7]
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections import Counter

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch comes: its idle threads would hold up the loops

import layers
import machine
import speed

from neuro.dynamics import sequence, worth

PARTS = {
    "forward": ("forward_tile",),
    "backward": ("backward_tile",),
    "weight gradients": ("word_gradients", "entry_gradients", "masked_gradients", "turn_bits"),
    "lists of events": ("count_events", "list_events"),
    "to torch": ("_pack", "_tiled", "last_state", "last_history", "spikes", "unpack_values"),
    "lists of words": ("_list_words", "_listeners"),
}


def watch(taken: Counter) -> None:
    """Time every call of a loop, and of the parts of a run that are no loops."""
    plain = sequence.in_parallel

    def timed(threads, function, jobs):
        begun = time.perf_counter()
        plain(threads, function, jobs)
        taken[function.__name__] += time.perf_counter() - begun

    sequence.in_parallel = worth.in_parallel = timed
    for name in ("_pack", "_tiled", "last_state", "last_history", "spikes", "_list_words", "_listeners"):
        setattr(sequence.Run, name, _timed(getattr(sequence.Run, name), name, taken))


def _timed(method, name: str, taken: Counter):
    def call(*args, **more):
        begun = time.perf_counter()
        result = method(*args, **more)
        taken[name] += time.perf_counter() - begun
        return result

    return call


def profile(row: dict, taken: Counter, repeats: int) -> dict:
    """Milliseconds of every part, medians over steps."""
    if "layers" in row:
        step, rates, *_ = layers.CONTENDERS["neuro, slots"](row)
    else:
        step, rates, *_ = speed.ours(row, speed.gains_of(row)[0], storage="slots", reserve=0)
    found = []
    for _ in range(repeats + 2):
        taken.clear()
        begun = time.perf_counter()
        step()
        whole = time.perf_counter() - begun
        parts = {part: sum(taken[name] for name in names) for part, names in PARTS.items()}
        found.append({"whole": whole, **parts, "rest": whole - sum(parts.values())})
    medians = {part: statistics.median(f[part] for f in found[2:]) for part in found[0]}
    return {"rate": round(rates[-1], 4), **{part: round(1e3 * seconds, 2) for part, seconds in medians.items()}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    facts, taken, rows = machine.circumstances("numba"), Counter(), {}
    watch(taken)
    for key, row in speed.ROWS.items():
        rows[key] = profile(row, taken, arguments.repeats)
        print(f"row {key}: " + ", ".join(f"{part} {value}" for part, value in rows[key].items()), flush=True)
    machine.save("profile_step", {"rows": rows, "circumstances": facts})


if __name__ == "__main__":
    main()
