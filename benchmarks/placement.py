"""How long it takes to place, route, check and write large networks, and how much memory: whole pipelines, stage by stage.

python benchmarks/placement.py            every row, each in a process of its own, and the growth from 10^4 neurons on
python benchmarks/placement.py --row NAME one row, as JSON

Nothing is trained. On DYNAP-SE1 a recurrent population fills the board and its network's first words are exported; the
larger networks are made of connections: each neuron of a line (DYNAP-SE2) or of a sheet (mesh chip) hears 64 others nearby,
all with one word of one base weight; sheets are numbered in tiles of 16 × 16 neurons, as populations would be.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from machine import circumstances, save

import neuro
from neuro.emit.make import configuration
from neuro.emit.words import Words
from neuro.formats import samna
from neuro.placement.graph import Graph
from neuro.task import NetworkSpec

WORDS = 64
MESH = ["cores.per_chip=16", "cores.neurons=256", "tags.bits=12"]
GROWTH = {"mesh, 10^4": 6, "mesh, 10^5": 20, "mesh, 10^6": 63}  # tiles of 256 neurons along a side
ROWS = {
    "4 chips of DYNAP-SE1, full": 2.0,
    "225 chips of DYNAP-SE2, 230,000 neurons": 20.0,
    "mesh, 10^4": None,
    "mesh, 10^5": None,
    "mesh, 10^6": 90.0,
}
EXTRA = "225 chips of DYNAP-SE2, a population before training"


class Stages:
    """Wall and CPU seconds of stages, in order."""

    def __init__(self):
        self.wall_s, self.cpu_s = {}, {}

    def __call__(self, name: str, what, *arguments, **options):
        wall, cpu = time.perf_counter(), time.process_time()
        result = what(*arguments, **options)
        self.wall_s[name] = round(time.perf_counter() - wall, 3)
        self.cpu_s[name] = round(time.process_time() - cpu, 3)
        print(f"  {name}: {self.wall_s[name]} s, CPU {self.cpu_s[name]} s", file=sys.stderr, flush=True)
        return result

    def result(self, counted: tuple[str, ...], **more) -> dict:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        return {
            **more,
            "total_s": round(sum(self.wall_s[n] for n in counted), 2),
            "total_cpu_s": round(sum(self.cpu_s[n] for n in counted), 2),
            "stages_s": self.wall_s,
            "stages_cpu_s": self.cpu_s,
            "peak_gib": round(peak, 2),
        }


def recurrent(size: int, inputs: int = 64, **more) -> NetworkSpec:
    return NetworkSpec.model_validate(
        {
            "dt_s": 1e-3,
            "inputs": {"x": inputs},
            "populations": {"r": {"size": size, "tau_mem_s": 0.02, "tau_syn_s": 0.005}},
            "projections": ({"from": "x", "to": "r"}, {"from": "r", "to": "r"}),
            "outputs": {"y": {"population": "r"}},
            **more,
        }
    )


def full_board() -> dict:
    """DYNAP-SE1 with every usable source and word, placed before training; samna's files are written too."""
    stages = Stages()
    spec, chip = recurrent(4092, candidates="reachable"), neuro.load_chip("dynapse1")
    warm = neuro.Network(neuro.place(recurrent(16, 4), chip), storage="slots")  # loops are compiled once a machine
    neuro.export(warm)
    plan = stages("place and route", neuro.place, spec, chip)
    network = neuro.Network(plan, seed=0, storage="slots")
    tables = stages("export", neuro.export, network)
    findings = stages("check", neuro.check, tables)
    with tempfile.TemporaryDirectory() as folder:
        stages("write tables", tables.save, Path(folder) / "tables")
        stages("write samna", samna.write, tables, Path(folder) / "samna")
        stages("read samna", samna.read, Path(folder) / "samna")
    counted = ("place and route", "export", "check", "write tables")
    rows = np.bincount([r.index for r in plan.routes], minlength=4092)
    return stages.result(
        counted, neurons=4092, words=len(tables.frames["synapses"]), findings=len(findings),
        rows_a_source=round(float(rows.mean()), 2),
    )  # fmt: skip


def population() -> dict:
    """Placement alone of a population that fills 225 chips, before training: every core hears all it can tell apart."""
    stages = Stages()
    chip = neuro.load_chip("dynapse2", ["board.columns=15", "board.rows=15"])
    plan = stages("place and route", neuro.place, recurrent(230_000, candidates="reachable"), chip)
    return stages.result(("place and route",), neurons=230_000, rows_a_source=round(len(plan.routes) / 230_000, 2))


def line(neurons: int) -> Graph:
    """Each neuron hears 64 of the 256 nearest on a line, one of every four in a row, at random."""
    rng = np.random.default_rng(0)
    step = np.concatenate([np.arange(-128, 0), np.arange(1, 129)]).reshape(WORDS, 4)
    source = _drawn(rng, neurons, step) + np.clip(np.arange(neurons), 128, neurons - 129)[:, None]
    return _graph(source)


def sheet(tiles: int) -> Graph:
    """Each neuron hears 64 of the 256 nearest on a torus of tiles of 16 × 16 neurons numbered one after the other."""
    rng, side = np.random.default_rng(0), 16 * tiles
    y, x = (v.ravel() for v in np.mgrid[-8:9, -8:9])
    near = np.flatnonzero((y != 0) | (x != 0))[16:272].reshape(WORDS, 4)
    tile, inside = np.divmod(np.arange(side * side), 256)
    chosen = _drawn(rng, side * side, near)
    rows = ((tile // tiles * 16 + inside // 16)[:, None] + y[chosen]) % side
    columns = ((tile % tiles * 16 + inside % 16)[:, None] + x[chosen]) % side
    return _graph(((rows // 16) * tiles + columns // 16) * 256 + rows % 16 * 16 + columns % 16)


def _drawn(rng: np.random.Generator, neurons: int, step: np.ndarray) -> np.ndarray:
    """One of each row of choices [64, 4], for every neuron."""
    return step[np.arange(WORDS), rng.integers(0, 4, (neurons, WORDS), dtype=np.int8)]


def _graph(source: np.ndarray) -> Graph:
    """Sources [N, 64] as a graph; no channel is heard, but one must be there."""
    source = np.sort(source.astype(np.int32) + 1, axis=1)
    return Graph(1, np.arange(len(source) + 1, dtype=np.int64) * WORDS, source.ravel())


def connections(chip, graph: Graph) -> dict:
    """The pipeline of a network whose connections are known, all with the smallest word of the first type."""
    stages, spec = Stages(), recurrent(graph.neurons, 1)
    size = 3000  # compiles the loops, once a machine
    small = line(size)
    neuro.place(recurrent(size, 1), chip, graph=small)
    stages("read the graph", lambda: graph.targets)
    plan = stages("place and route", neuro.place, spec, chip, graph=graph)
    kind = next(t.id for t in plan.types if t.sign > 0)
    one = np.ones(1, np.int8)

    def made(plan):
        row = np.repeat(np.arange(graph.neurons, dtype=np.int32), np.diff(graph.starts))
        same = {name: np.broadcast_to(one * v, row.shape) for name, v in (("code", 1), ("delay", 0))}
        words = Words(row, graph.sources, np.broadcast_to(np.int16(kind), row.shape), **same)
        return configuration(plan, {"r": words})

    tables = stages("export", made, plan)
    routes = len(tables.frames["routes"])
    sources = int(graph.heard.sum())
    del plan
    graph.__dict__.pop("targets", None)
    findings = stages("check", neuro.check, tables)
    with tempfile.TemporaryDirectory() as folder:
        stages("write tables", tables.save, Path(folder) / "tables")
        size = sum(f.stat().st_size for f in (Path(folder) / "tables").iterdir())
    counted = ("read the graph", "place and route", "export", "check", "write tables")
    return stages.result(
        counted, neurons=graph.neurons, words=len(graph.sources), findings=len(findings), written_mib=size >> 20,
        rows_a_source=round(routes / sources, 2),
    )  # fmt: skip


def measured(name: str) -> dict:
    if name == EXTRA:
        return population()
    if name in GROWTH:
        tiles = GROWTH[name]
        side = -(-tiles // 4)  # chips of 4 × 4 cores, a tile each
        return connections(
            neuro.load_chip("generic", [f"board.columns={side}", f"board.rows={side}", *MESH]), sheet(tiles)
        )
    if "DYNAP-SE2" in name:
        chip = neuro.load_chip("dynapse2", ["board.columns=15", "board.rows=15"])
        return connections(chip, line(230_000))
    return full_board()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--row")
    if (row := parser.parse_args().row) is not None:
        print(json.dumps(measured(row)))
        return
    results = {"circumstances": circumstances("pandas", "numba", "pyarrow"), "rows": {}}
    for name, goal in {**ROWS, EXTRA: None}.items():
        print(name, flush=True)
        done = subprocess.run([sys.executable, __file__, "--row", name], stdout=subprocess.PIPE, check=True, text=True)
        results["rows"][name] = {"goal_s": goal, **json.loads(done.stdout)}
        print(f"  {results['rows'][name]}", flush=True)
    results["growth"] = growth(results["rows"])
    results["circumstances"]["load_after"] = circumstances()["load_before"]
    save("placement", results)


def growth(rows: dict) -> dict:
    """Seconds per N log2 N of each size, relative to the smallest: at most 1 is growth of N log N or less."""
    sizes = {name: rows[name] for name in GROWTH}
    each = {name: r["total_cpu_s"] / (r["neurons"] * np.log2(r["neurons"])) for name, r in sizes.items()}
    first = next(iter(each.values()))
    return {name: round(value / first, 2) for name, value in each.items()}


if __name__ == "__main__":
    main()
