"""What a training step costs against its size: neurons, words a neuron, steps and batch, one at a time.

Forward and backward of a recurrent population in slot storage without reserve, as in row 1 of `speed.py`, about 5 % of
spikes (the gain of the first weights is searched for that); the optimizer with its projection beside it. JSON and a figure.

Expected before measuring: linear in everything; more a number where a batch fills no tile of 16, and where the neurons'
state leaves the caches (from 16,384 neurons on).

    python benchmarks/cost.py [--repeats 5]
"""

from __future__ import annotations

import argparse
import os
import statistics
import time

import machine

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch comes: its idle threads would hold up the loops

import speed

BASE = {"neurons": 1024, "inputs": 700, "steps": 100, "batch": 32, "words": 64}
AXES = {
    "neurons": (256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536),
    "words": (4, 8, 16, 32, 64, 128, 256),
    "steps": (10, 25, 50, 100, 200, 400, 800),
    "batch": (1, 4, 8, 16, 32, 64, 128, 256),
}
RATE, ALLOWED, TRIES = 0.05, (0.03, 0.08), 8
MOST = 1024 * 100 * 32 * 8  # neurons × steps × samples of one measurement; beyond, steps are fewer


def at(axis: str, value: int) -> dict:
    """The base with one size changed; networks of many neurons run for fewer steps and samples."""
    row = BASE | {axis: value}
    if row["neurons"] * row["steps"] * row["batch"] > MOST and axis == "neurons":
        row |= {"steps": 25, "batch": 16}
    return row


def measured(row: dict, repeats: int) -> dict:
    """Time the steps of a network that spikes about as often as the others."""
    speed.WORDS, low, high = row["words"], 0.01, 3.0
    for _ in range(TRIES):
        gain = (low * high) ** 0.5
        step, rates, optimizer, made = speed.ours(row, gain, storage="slots", reserve=0)
        step()
        if ALLOWED[0] <= rates[-1] <= ALLOWED[1]:
            break
        low, high = (gain, high) if rates[-1] < RATE else (low, gain)
    taken = []
    for _ in range(repeats + 1):
        begun = time.perf_counter()
        step()
        taken.append(time.perf_counter() - begun)
    visits = row["neurons"] * row["steps"] * row["batch"]
    least = statistics.median(taken[1:])
    return {
        **row,
        **machine.spread(taken[1:]),
        "rate": round(rates[-1], 4),
        "ns_per_neuron_step_and_sample": round(1e9 * least / visits, 3),
        **speed.optimizer_times(optimizer, made, 3),
    }


def figure(rows: dict[str, list[dict]]) -> None:
    """One panel a size: milliseconds of a step, of the optimizer, and what linear would be."""
    import matplotlib.pyplot as plt

    names = {"neurons": "neurons", "words": "words a neuron", "steps": "steps", "batch": "samples"}
    drawn, axes = plt.subplots(1, 4, figsize=(13, 3.4), layout="constrained", sharey=True)
    for ax, (axis, found) in zip(axes, rows.items(), strict=True):
        sizes = [row[axis] for row in found]
        step = [row["median_ms"] * as_long(axis, row) for row in found]
        base = step[sizes.index(BASE[axis])] / BASE[axis]
        ax.plot(sizes, step, "o-", color="#0072B2", label="forward and backward")
        ax.plot(sizes, [row["optimizer_ms"] for row in found], "s-", color="#E69F00", label="optimizer with projection")
        ax.plot(sizes, [base * size for size in sizes], ":", color="#666666", label="linear")
        ax.set(xscale="log", yscale="log", xlabel=names[axis])
    axes[0].set_ylabel("ms")
    axes[0].legend(frameon=False, fontsize=8)
    drawn.savefig(machine.RESULTS / "cost.png", dpi=150)
    plt.close(drawn)


def as_long(axis: str, row: dict) -> float:
    """What a time has to be multiplied with where large networks ran for fewer steps and samples than the base."""
    return BASE["steps"] * BASE["batch"] / (row["steps"] * row["batch"]) if axis == "neurons" else 1.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    facts, rows = machine.circumstances("numba"), {}
    for axis, values in AXES.items():
        rows[axis] = []
        for value in values:
            rows[axis].append(measured(at(axis, value), arguments.repeats))
            row = rows[axis][-1]
            print(
                f"{axis:8}{value:7} {row['median_ms']:9.2f} ms  rate {row['rate']:.3f}  {row['steps']} steps",
                flush=True,
            )
    machine.save("cost", {"rows": rows, "circumstances": facts})
    figure(rows)


if __name__ == "__main__":
    main()
