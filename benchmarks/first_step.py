"""How long the first training step takes after import, machine code kept or not, and how many bytes a slot takes.

A step is forward and backward of a network of 1,024 recurrent neurons as in row 1 of `speed.py`, each time in a process of
its own; not kept: the cache of machine code is a new empty folder. Bytes: of 65,536 neurons with 64 words and no reserve
(row 5), every tensor that stays between steps (latents, gradients, Adam's moments, sources, codes, weights), and the lists
of words that a step makes (by neuron, and by source for the way back), each divided by neurons times words.

Expected before measuring: 1 s and 8 s are the aims; numba reads machine code for about 30 loops, which should take less
than a second. Of bytes, 16 are latent, gradient and moments, 4 a source, 4 a code of two signs, 4 a weight, and 20 lists.

    python benchmarks/first_step.py [--repeats 3]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time

from machine import circumstances, save

CHILD = """
import time
begun = time.perf_counter()
import speed
made = speed.network(speed.ROWS["1"], speed.gains_of(speed.ROWS["1"])[2])
x, g = speed.events(speed.ROWS["1"]), speed.gradient(speed.ROWS["1"])
ready = time.perf_counter()
(made(x, record=("hidden",), membranes=False)[1].spikes["hidden"] * g).sum().backward()
print(ready - begun, time.perf_counter() - ready)
"""


def first_step(cache: str | None) -> tuple[float, float]:
    """Seconds of import and construction, and of the first step, in a new process."""
    environment = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE"} | ({"XDG_CACHE_HOME": cache} if cache else {})
    here = os.path.dirname(os.path.abspath(__file__))
    said = subprocess.run([sys.executable, "-c", CHILD], cwd=here, env=environment, capture_output=True, text=True)
    if said.returncode:
        raise SystemExit(said.stderr)
    return tuple(map(float, said.stdout.split()))


def bytes_a_slot() -> dict:
    """Bytes a slot of what stays between steps, and of the lists that a step makes."""
    import speed
    import torch

    from neuro.dynamics.sequence import Run
    from neuro.rewiring import QRewiring

    row, lists = speed.ROWS["5"], {}
    network = speed.network(row, speed.gains_of(row)[0], storage="slots", reserve=0)
    optimizer = QRewiring(torch.optim.Adam(network.parameter_groups(1e-3)), network)
    listeners = Run._listeners

    def noted(run):
        found = listeners(run)
        arrays = {"by neuron": (run.start, run.row, run.offset, run.value), "by source": found}
        lists.update({name: sum(a.nbytes for a in some) for name, some in arrays.items()})
        return found

    Run._listeners = noted
    (network(speed.events(row), record=("hidden",))[1].spikes["hidden"] * speed.gradient(row)).sum().backward()
    Run._listeners = listeners
    optimizer.step()
    (latent,), (memory,) = network.latents.values(), network.memories.values()
    stays = {
        "latent": latent,
        "gradient": latent.grad,
        "moments": [s for s in optimizer.optimizer.state[latent].values() if s.dim()],
        "source": memory.source,
        "code": memory.code,
        "weight": memory.weight,
    }
    slots = row["neurons"] * speed.WORDS
    sizes = {name: sum(t.nbytes for t in (x if isinstance(x, list) else [x])) for name, x in stays.items()}
    return {
        "stays": {name: round(size / slots, 2) for name, size in sizes.items()},
        "lists of a step": {name: round(size / slots, 2) for name, size in lists.items()},
        "stays, in all": round(sum(sizes.values()) / slots, 2),
        "with lists, in all": round((sum(sizes.values()) + sum(lists.values())) / slots, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    facts, rows, begun = circumstances("numba"), {}, time.time()
    first_step(None)
    for name in ("kept", "not kept"):
        found = []
        for _ in range(repeats):
            with tempfile.TemporaryDirectory() as empty:
                found.append(first_step(None if name == "kept" else empty))
        start, first = (statistics.median(seconds) for seconds in zip(*found, strict=True))
        rows[name] = {"import_and_network_s": round(start, 2), "first_step_s": round(first, 2)}
        print(f"machine code {name}: {rows[name]}", flush=True)
    sizes = bytes_a_slot()
    print(sizes)
    facts["seconds"] = round(time.time() - begun)
    save("first_step", {"first_step": rows, "bytes_a_slot": sizes, "circumstances": facts})


if __name__ == "__main__":
    main()
