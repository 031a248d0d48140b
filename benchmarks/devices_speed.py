"""What measuring on 100 virtual chips costs, in evaluations on the chip as described: as commands, and within a process.

A command loads Python, the data and the run; within a process only samples are encoded, run and judged. Runs are those of
`benchmarks/mismatch.py`.

    python benchmarks/devices_speed.py --runs runs/mismatch --data DIR
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from machine import circumstances, save

import neuro
from neuro.data import load_dataset
from neuro.evaluation import accuracy_on, measure
from neuro.silicon import drawn_deviation

CHIPS = 100


def by_command(run: Path, *options: str) -> float:
    """Seconds of one `neuro evaluate`."""
    begun = time.perf_counter()
    command = [sys.executable, "-m", "neuro", "evaluate", str(run), *options]
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - begun


def within(run: Path, repeats: int) -> tuple[float, float]:
    """Least seconds of an evaluation, and of one on all chips with their drawing."""
    loaded = neuro.load_run(run)
    network, task, data = loaded.network, loaded.task, load_dataset(loaded.task.data).test

    def many():
        accuracy_on(network, task, data, [drawn_deviation(network.plan, k) for k in range(CHIPS)])

    times = []
    for work in (lambda: measure(network, task, data, "test"), many):
        least = float("inf")
        for _ in range(repeats):
            begun = time.perf_counter()
            work()
            least = min(least, time.perf_counter() - begun)
        times.append(least)
    return tuple(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=Path, default=Path("runs/mismatch"))
    parser.add_argument("--data")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    if arguments.data:
        os.environ["NEURO_DATA"] = arguments.data
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    facts, rows = circumstances("numba"), {}
    for task in ("braille", "ecg"):
        with tempfile.TemporaryDirectory() as folder:
            run = Path(shutil.copytree(arguments.runs / f"{task}-plain-0", Path(folder) / "run"))
            one = min(by_command(run) for _ in range(arguments.repeats))
            many = min(by_command(run, "--chips", str(CHIPS)) for _ in range(arguments.repeats))
            inner_one, inner_many = within(run, arguments.repeats)
        rows[task] = {
            "command_s": round(one, 3),
            "command_100_chips_s": round(many, 3),
            "commands": round(many / one, 2),
            "evaluation_s": round(inner_one, 4),
            "evaluation_100_chips_s": round(inner_many, 3),
            "evaluations": round(inner_many / inner_one, 1),
        }
        print(task, rows[task])
    save("devices_speed", {"chips": CHIPS, "rows": rows, "circumstances": facts})


if __name__ == "__main__":
    main()
