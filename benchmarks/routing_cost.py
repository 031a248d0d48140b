"""What placing by connections saves: destinations of sources against random placement, plain order, mtkahypar and a bound.

python benchmarks/routing_cost.py            measure and write benchmarks/results/routing_cost.json, then the table
python benchmarks/routing_cost.py --table    write the table of benchmarks/README.md from the committed results
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from machine import RESULTS, circumstances, save

import neuro
from neuro.emit.anew import connections_of
from neuro.placement.graph import Graph, destinations, fewest_destinations, graph_of_pairs
from neuro.placement.growth import in_order
from neuro.placement.partition import ROW, along_the_board, limits_of, net_of, partition

SEEDS = (0, 1, 2)
START, END = "<!-- routing cost:", "<!-- end of routing cost -->"
MESH = ["board.columns=4", "board.rows=4", "cores.per_chip=4", "cores.neurons=64", "tags.bits=12"]
WAYS = ("random placement", "plain order", "mtkahypar", "ours", "ours from mtkahypar", "lower bound")


def ring(neurons: int, heard: int, rewired: float) -> Graph:
    """Watts and Strogatz' small world, its neurons named at random."""
    rng = np.random.default_rng(0)
    target = np.repeat(np.arange(neurons), heard)
    source = (target + np.tile(np.r_[-(heard // 2) : 0, 1 : heard // 2 + 1], neurons)) % neurons
    far = rng.random(len(source)) < rewired
    source[far] = rng.integers(0, neurons, far.sum())
    name = rng.permutation(neurons)
    return graph_of_pairs(0, neurons, name[target], name[source])


def at_random(neurons: int, heard: int) -> Graph:
    rng = np.random.default_rng(0)
    return graph_of_pairs(0, neurons, np.repeat(np.arange(neurons), heard), rng.integers(0, neurons, neurons * heard))


def trained() -> tuple[Graph, object, str]:
    """A recurrent network of the digits task, trained for a little on random events, on cores of 64 neurons."""
    chip = neuro.load_chip("dynapse1", ["cores.neurons=64"])
    task = neuro.load_task("digits-recurrent")
    torch.manual_seed(0)
    network = neuro.build(task, chip, seed=0)
    optimizer = neuro.QRewiring(torch.optim.Adam(network.parameter_groups(lr=1e-2)), network)
    x = (torch.rand(20, 32, sum(task.network.inputs.values())) < 0.2).float()
    wanted = torch.randint(10, (32,))
    for _ in range(30):
        optimizer.zero_grad()
        outputs, _ = network(x)
        torch.nn.functional.cross_entropy(outputs.sum(0), wanted).backward()
        optimizer.step()
    return connections_of(neuro.export(network)), chip, task.name


def costs(core: np.ndarray, graph: Graph, per_chip: int) -> dict:
    found = destinations(graph, core, per_chip)
    return {
        "chips": found.chips,
        "cores": found.cores,
        "cost": ROW * found.chips + found.cores,
        "sources": found.sources,
    }


def compare(graph: Graph, chip) -> dict:
    limits, kind = limits_of(chip, np.zeros((1, 1)), np.ones(1)), np.zeros(graph.neurons, int)
    net, per_chip, board = (
        net_of(graph, kind),
        chip.cores.per_chip,
        along_the_board(limits_of(chip, np.zeros((1, 1)), np.ones(1))),
    )
    rng = np.random.default_rng(0)
    rows = {}
    shuffled = [costs(in_order(net, limits, rng.permutation(graph.neurons), board), graph, per_chip) for _ in SEEDS]
    rows["random placement"] = {key: round(float(np.mean([c[key] for c in shuffled]))) for key in shuffled[0]}
    rows["plain order"] = costs(in_order(net, limits, np.arange(graph.neurons), board), graph, per_chip)
    ways = {"ours": "best"}
    if importlib.util.find_spec("mtkahypar"):
        from neuro.placement.hypergraph import by_mtkahypar

        begun = time.process_time()
        alone = by_mtkahypar(graph, limits, 0, board)
        rows["mtkahypar"] = {**costs(alone, graph, per_chip), "cpu_s": round(time.process_time() - begun, 2)}
        ways["ours from mtkahypar"] = "mtkahypar"
    for name, start in ways.items():
        partition(graph, kind, limits, 0, start)  # compiled
        found, begun = [], time.process_time()
        for seed in SEEDS:
            core, _ = partition(graph, kind, limits, seed, start)
            found.append(costs(core, graph, per_chip))
        mean = {key: round(float(np.mean([c[key] for c in found]))) for key in found[0]}
        rows[name] = {**mean, "cpu_s": round((time.process_time() - begun) / len(SEEDS), 2)}
    least = fewest_destinations(graph, limits.neurons, per_chip)
    rows["lower bound"] = {"chips": least.chips, "cores": least.cores, "sources": least.sources}
    return {"neurons": graph.neurons, "connections": len(graph.sources), "cores": len(board), "ways": rows}


def graphs() -> dict:
    mesh = neuro.load_chip("generic", MESH)
    network, chip, task = trained()
    return {
        f"a network trained for 30 steps on random events ({task})": (network, chip),
        "small world, 16 of the nearest, 5 % rewired": (ring(4096, 16, 0.05), mesh),
        "small world, 16 of the nearest, 30 % rewired": (ring(4096, 16, 0.3), mesh),
        "random, 16 of all": (at_random(4096, 16), mesh),
    }


def table(results: dict) -> str:
    """Destinations a source, chips and cores: the fewer the better."""
    lines = [
        f"| graph | {' | '.join(WAYS)} |",
        f"|---|{'---|' * len(WAYS)}",
    ]
    for name, row in results["graphs"].items():
        cells = []
        for way in WAYS:
            found = row["ways"].get(way)
            each = [f"{found[key] / found['sources']:.2f}" for key in ("chips", "cores")] if found else ["not run"]
            cells.append(" / ".join(each))
        lines.append(f"| {name} ({row['neurons']:,} neurons, {row['cores']} cores) | {' | '.join(cells)} |")
    return "\n".join(lines)


def write_table() -> None:
    results = json.loads((RESULTS / "routing_cost.json").read_text())
    path = Path(__file__).parent / "README.md"
    before, rest = path.read_text().split(START, 1)
    comment, rest = rest.split("\n", 1)
    _, after = rest.split(END, 1)
    path.write_text(f"{before}{START}{comment}\n{table(results)}\n{END}{after}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", action="store_true")
    if not parser.parse_args().table:
        packages = ["numba", *(["mtkahypar"] if importlib.util.find_spec("mtkahypar") else [])]
        results = {"circumstances": circumstances(*packages), "seeds": len(SEEDS), "graphs": {}}
        for name, (graph, chip) in graphs().items():
            results["graphs"][name] = compare(graph, chip)
            print(name, json.dumps(results["graphs"][name]), file=sys.stderr, flush=True)
        save("routing_cost", results)
    write_table()


if __name__ == "__main__":
    main()
