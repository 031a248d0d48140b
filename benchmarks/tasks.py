"""One row of the table of tasks: train on a chip under its limits, measure once, verify; twins; every figure as JSON.

A row is a task, a chip and a seed. Runs lie in --runs and go on where they stood (Ctrl-C, then the same command); a row
whose JSON is there is left alone. The recipe is the task file's, chosen on validation parts only; the test part is
measured once, with the epoch that was best on validation. The float twin is the same task, placement and seed with float
weights to all sources; the rounded twin is the float twin brought to the nearest point the chip can hold, not trained on.

    python benchmarks/tasks.py                              # the rows there are, and which have been run
    python benchmarks/tasks.py yinyang dynapse1 --seed 0 --data DIR
    python benchmarks/tasks_table.py                        # the table in benchmarks/README.md
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import NamedTuple

import torch
from footprint import footprint
from machine import RESULTS, circumstances

import neuro
from neuro.data import load_dataset
from neuro.evaluation import measure
from neuro.runs import write_atomically
from neuro.training.progress import progress_for


class Row(NamedTuple):
    """A row of the table: what is trained on what, and the published figure it is held against, in per cent."""

    task: str
    chip: str
    bar: float | None
    chip_set: tuple[str, ...] = ()
    task_set: tuple[str, ...] = ()


ROWS = (
    Row("yinyang", "dynapse1", 97.5),
    Row("braille", "dynapse1", 95.0),
    Row("mnist1d", "dynapse1", 91.0),
    Row("emg", "dynapse1", None),
    Row("ecg", "dynapse1", 84.4),
    Row("ecg-core", "dynapse1", 85.9),
    Row("fsdd", "dynapse1", 95.0),
    Row("mnist", "dynapse1", 98.5),
    Row("mnist", "dynapse2", 98.5),
    Row("mnist-latency", "dynapse2", 98.5),
    Row("mnist-binary", "binary-core", 92.7),
    Row("fashion", "dynapse2", None),
    Row("smnist-rows", "dynapse1", None),
    Row("smnist", "dynapse1", 94.2),
    Row("smnist-delays", "dynapse2", 94.2),
    Row("smnist-published", "generic", 94.2, ("slots=128",)),
    Row("psmnist", "dynapse1", None),
    Row("shd", "dynapse2", 90.0),
)
SEEDS = range(5)


def result_path(row: Row, seed: int) -> Path:
    """Where a row's figures are kept."""
    return RESULTS / "tasks" / f"{row.task}-{row.chip}-{seed}.json"


def trained(row: Row, seed: int, runs: Path, float_twin: bool) -> neuro.runs.Run:
    """Train a row or its float twin, going on where it stood; a finished run is loaded."""
    chip_set = [*row.chip_set, *(["weights.kind=float"] if float_twin else [])]
    folder = runs / f"{row.task}-{row.chip}-{seed}{'-float' if float_twin else ''}"
    begun = (folder / "run.json").exists()
    task, chip = neuro.load_task(row.task, row.task_set), neuro.load_chip(row.chip, chip_set)
    return neuro.train(task, chip, folder, seed=seed, resume=begun, progress=progress_for("auto"))


def rounded(twin, row: Row, seed: int):
    """Bring a float twin to the nearest point the chip can hold."""
    plan = neuro.place(twin.task.network, neuro.load_chip(row.chip, row.chip_set))
    latents = {
        name: {
            source: twin.network.latents[name].detach()[:, columns] for source, columns in plan.columns(name).items()
        }
        for name in twin.task.populations
    }
    network = neuro.Network(plan, latents, seed)
    network.readouts.load_state_dict(twin.network.readouts.state_dict())
    return network.eval()


def measured(row: Row, seed: int, runs: Path) -> dict:
    """Every figure of a row but its twins'."""
    begun = time.time()
    run = trained(row, seed, runs, False)
    result, proof, test = neuro.evaluate(run), neuro.verify(run), load_dataset(run.task.data).test
    return {
        "task": row.task,
        "chip": run.chip.label,
        "seed": seed,
        "epochs": run.task.training.epochs,
        "best_epoch": run.facts["epoch"],
        "validation_accuracy": run.facts["validation_accuracy"],
        "test_accuracy": result.accuracy,
        "float_twin": None,
        "rounded_twin": None,
        "test_samples": result.samples,
        "neurons": sum(p.size for p in run.task.populations.values()),
        "cores": result.cores,
        "slots_mean": result.slots_mean,
        "slots_most": result.slots_most,
        "sources_mean": result.sources_mean,
        **footprint(run.network, run.task, test),
        "rate": result.rate,
        "training_seconds": run.metrics[-1]["seconds"],
        "float_twin_seconds": None,
        "spikes_compared": proof.compared,
        "spikes": proof.spikes,
        "spikes_differ": proof.differ,
        "limits_exceeded": len(proof.findings) + sum(m["violations"] for m in run.metrics),
        "all_seconds": round(time.time() - begun, 1),
    }


def measured_twins(row: Row, seed: int, runs: Path) -> dict:
    """The figures of a row's float twin, and of the same one rounded."""
    twin = trained(row, seed, runs, True)
    test = load_dataset(twin.task.data).test
    return {
        "float_twin": neuro.evaluate(twin).accuracy,
        "rounded_twin": measure(rounded(twin, row, seed), twin.task, test, "test").accuracy,
        "float_twin_seconds": twin.metrics[-1]["seconds"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", nargs="?")
    parser.add_argument("chip", nargs="?")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data")
    parser.add_argument("--runs", type=Path, default=Path("runs/tasks"))
    parser.add_argument("--twins-later", action="store_true", help="leave the twins to the same command without this")
    arguments = parser.parse_args()
    if arguments.data:
        os.environ["NEURO_DATA"] = arguments.data
    if not arguments.task:
        for row in ROWS:
            done = [seed for seed in SEEDS if result_path(row, seed).exists()]
            print(f"{row.task:18} {row.chip:12} seeds run: {', '.join(map(str, done)) or 'none'}")
        return
    row = next((r for r in ROWS if (r.task, r.chip) == (arguments.task, arguments.chip)), None)
    if row is None:
        parser.error(f"no row {arguments.task} {arguments.chip}; the rows are listed without arguments")
    path = result_path(row, arguments.seed)
    found = json.loads(path.read_text()) if path.exists() else {}
    if found and (found["float_twin"] is not None or arguments.twins_later):
        print(f"{path} is there already")
        return
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    if not found:
        facts = circumstances("numba")
        found = measured(row, arguments.seed, arguments.runs) | {"circumstances": facts}
        _write(path, found)
    if not arguments.twins_later:
        _write(path, found | measured_twins(row, arguments.seed, arguments.runs))


def _write(path: Path, found: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps(found, indent=1) + "\n")
    twin = f", float {found['float_twin']:.2%}" if found["float_twin"] else ""
    print(f"wrote {path}: {found['test_accuracy']:.2%}{twin}")


if __name__ == "__main__":
    main()
