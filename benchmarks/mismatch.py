"""What mismatch costs, and how much of that training on drawn devices and calibration on one device bring back.

A row is a task, a method and a seed, on the mismatch the chip's file states. Runs lie in --runs and go on where they stood;
a row whose JSON is there is left alone. Recipes are the task files', but for the number of epochs and the rate; networks
are chosen on validation parts only (on validation devices where training knows devices), the test part is measured once.
Devices of the test are those of seeds 0, 1, 2, …

plain        the task's own training, measured on the chip as described and on 100 devices
redrawn      the same with a device drawn for every batch
grown        the same, spreads growing from 0 over the first half
adversarial  redrawn, with factors of words climbing the loss before each step
all          the same, with factors of thresholds and time constants climbing too
calibrated   plain, then fine-tuned on each of 3 devices: words, base weights and a read-out beside the chip
biases       the same, base weights (and that read-out) alone
constants    the same, base weights and the time constants of every core (and that read-out)
everything   calibrated, with the time constants of every core
both         redrawn, then calibrated
longer       plain, fine-tuned as long on the chip as described: what more training alone brings

    python benchmarks/mismatch.py braille --seed 0 --data DIR
    python benchmarks/mismatch.py --table                     # the table in benchmarks/README.md
"""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from machine import RESULTS, circumstances

import neuro
from neuro.evaluation import evaluate, evaluate_devices
from neuro.training.progress import progress_for

CHIP, CHIPS, CALIBRATED = "dynapse1", 100, 3
TUNING_EPOCHS = 6
TASKS = {"braille": 0.003, "ecg": 0.01}  # learning rates of trainings that are shorter than the tasks'
TRAINED = {  # method: (epochs, overrides)
    "plain": (20, ()),
    "redrawn": (20, ("training.mismatch={redraw: batch}",)),
    "grown": (40, ("training.mismatch={redraw: batch, warmup: 0.5}",)),
    "adversarial": (20, ("training.mismatch={redraw: batch, attack_steps: 1, attack_size: 0.5}",)),
    "all": (20, ("training.mismatch={redraw: batch, attack_steps: 1, attack_size: 0.5, attack_on: all}",)),
}
TUNED = {  # method: (trained by, what is set, constants set beside it, device's scale)
    "calibrated": ("plain", "all", (), 1.0),
    "longer": ("plain", "all", (), 0.0),
    "both": ("redrawn", "all", (), 1.0),
    "biases": ("plain", "biases", (), 1.0),
    "constants": ("plain", "biases", ("tau_mem", "tau_syn"), 1.0),
    "everything": ("plain", "all", ("tau_mem", "tau_syn"), 1.0),
}
METHODS = (*TRAINED, *TUNED)
START, END = "<!-- mismatch: made by `python benchmarks/mismatch.py --table` -->", "<!-- end of mismatch -->"
HEAD = (
    "| task | method | seeds | as described (%) | on devices (%) | worst (%) | loss brought back |\n" + "|---" * 7 + "|"
)


def result_path(task: str, method: str, seed: int) -> Path:
    """Where a row's figures are kept."""
    return RESULTS / "mismatch" / f"{task}-{method}-{seed}.json"


def trained(task: str, method: str, seed: int, runs: Path) -> neuro.runs.Run:
    """Train, going on where it stood; a finished run is loaded."""
    folder = runs / f"{task}-{method}-{seed}"
    begun, (epochs, overrides) = (folder / "run.json").exists(), TRAINED[method]
    options = {"seed": seed, "resume": begun, "epochs": epochs, "progress": progress_for("auto")}
    overrides = (*overrides, f"training.lr={TASKS[task]}")
    return neuro.train(neuro.load_task(task, overrides), neuro.load_chip(CHIP), folder, **options)


def by_training(task: str, method: str, seed: int, runs: Path) -> dict:
    """Figures of a trained network on the chip as described and on devices."""
    run = trained(task, method, seed, runs)
    found = asdict(evaluate_devices(run, CHIPS))
    return {"epochs": run.task.training.epochs, **found}


def by_tuning(task: str, method: str, seed: int, runs: Path) -> dict:
    """Figures of networks fine-tuned for a device each, before and after, on that device."""
    begun_by, settings, constants, scale = TUNED[method]
    run = trained(task, begun_by, seed, runs)
    before, after, violations = [], [], 0
    for number in range(CALIBRATED if scale else 1):
        device = neuro.virtual_chip(run.chip, number, scale)
        folder = runs / f"{task}-{method}-{seed}-device{number}"
        begun = (folder / "run.json").exists()
        options = {"settings": settings, "constants": constants, "epochs": TUNING_EPOCHS, "resume": begun}
        tuned = neuro.calibrate(run, device, folder, **options, progress=progress_for("auto"))
        before.append(evaluate(run, virtual=device).accuracy)
        after.append(evaluate(tuned, virtual=device).accuracy)
        violations += sum(m["violations"] for m in tuned.metrics)
    return {"epochs": TUNING_EPOCHS, "before": before, "accuracies": after, "limits_exceeded": violations}


def rows(task: str, method: str) -> list[dict]:
    """The rows that were run, by seed."""
    paths = sorted((RESULTS / "mismatch").glob(f"{task}-{method}-*.json"))
    return [json.loads(path.read_text()) for path in paths]


def brought_back(row: dict) -> float:
    """The share of the loss of the plain network, of the same seed and on the same devices, that a method brings back."""
    plain = json.loads(result_path(row["task"], "plain", row["seed"]).read_text())
    devices = np.mean(plain["accuracies"][: len(row["accuracies"])])
    return float((np.mean(row["accuracies"]) - devices) / (plain["plain"] - devices))


def table() -> str:
    """The rows as Markdown; rows not run say so."""
    lines = [HEAD]
    for task in TASKS:
        for method in METHODS:
            found = rows(task, method)
            if not found:
                lines.append(f"| {task} | {method} | not run | | | | |")
                continue
            nominal = f"{100 * np.mean([r['plain'] for r in found]):.1f}" if "plain" in found[0] else ""
            devices = [a for r in found for a in r["accuracies"]]
            told = f"{100 * np.mean(devices):.1f} ± {100 * np.std(devices):.1f}"
            worst, share = f"{100 * min(devices):.1f}", ""
            if method == "longer":
                nominal, told, worst = f"{100 * np.mean(devices):.1f}", "", ""
            elif method != "plain":
                share = f"{100 * np.mean([brought_back(r) for r in found]):.0f} %"
            seeds = f"{len(found)} ({len(found[0]['accuracies'])} devices)" if told else f"{len(found)}"
            lines.append(f"| {task} | {method} | {seeds} | {nominal} | {told} | {worst} | {share} |")
    return "\n".join(lines)


def write_table() -> None:
    """Put the table between its marks in benchmarks/README.md."""
    path = Path(__file__).with_name("README.md")
    text = path.read_text()
    before, rest = text.split(START)
    path.write_text(f"{before}{START}\n{table()}\n{END}{rest.split(END)[1]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", nargs="?", choices=TASKS)
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data")
    parser.add_argument("--runs", type=Path, default=Path("runs/mismatch"))
    parser.add_argument("--table", action="store_true", help="only write the table of benchmarks/README.md")
    arguments = parser.parse_args()
    if arguments.data:
        os.environ["NEURO_DATA"] = arguments.data
    if arguments.table or not arguments.task:
        write_table()
        return
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    for method in arguments.methods.split(","):
        path = result_path(arguments.task, method, arguments.seed)
        if path.exists():
            print(f"{path} is there already")
            continue
        facts = circumstances("numba")
        make = by_training if method in TRAINED else by_tuning
        found = make(arguments.task, method, arguments.seed, arguments.runs)
        row = {**found, "task": arguments.task, "method": method, "seed": arguments.seed, "circumstances": facts}
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(row, indent=1) + "\n")
        print(f"wrote {path}: {np.mean(row['accuracies']):.2%} on devices")


if __name__ == "__main__":
    main()
