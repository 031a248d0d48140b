"""What share of a training step encoding takes, on MNIST (25 steps, batch 128) and sequential MNIST (784 steps, batch 256).

Expected before measuring: below 10 % of a step on both, as only what holds an event is computed.

    python benchmarks/encoding.py --data DIR [--repeats 7]
"""

from __future__ import annotations

import argparse
import os
import statistics
import time

import numpy as np
import torch
from machine import circumstances, save, spread

import neuro
from neuro.data import load_dataset, make_batch
from neuro.losses import regularisers, task_loss, together
from neuro.training.recipe import make_optimizer

ROWS = (("mnist", "dynapse2"), ("mnist-latency", "dynapse2"), ("smnist", "dynapse1"))


def timed(task_name: str, chip_name: str, repeats: int) -> dict:
    """Time encoding and whole training steps of one task, each step with another batch."""
    task, chip = neuro.load_task(task_name), neuro.load_chip(chip_name)
    part, network = load_dataset(task.data).train, neuro.build(task, chip)
    optimizer, batch = make_optimizer(network, task.training, 0), task.training.batch
    encoding, whole = [], []
    for number in range(repeats + 1):
        begun = time.perf_counter()
        x, labels = make_batch(task, part, np.arange(number * batch, (number + 1) * batch), number)
        encoded = time.perf_counter()
        outputs, record = network(x, record=tuple(task.populations))
        loss = task_loss(task.loss, together(outputs), labels) + regularisers(task.loss, record)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if number:  # the first one compiles
            encoding.append(encoded - begun)
            whole.append(time.perf_counter() - begun)
    share = statistics.median(encoding) / statistics.median(whole)
    return {"task": task_name, "chip": chip_name, "batch": batch, "steps": task.steps} | {
        "encoding": spread(encoding),
        "step": spread(whole),
        "share": round(share, 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data")
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    if arguments.data:
        os.environ["NEURO_DATA"] = arguments.data
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    facts, rows = circumstances("numba"), []
    for task, chip in ROWS:
        rows.append(timed(task, chip, arguments.repeats))
        print(rows[-1], flush=True)
    save("encoding", {"rows": rows, "circumstances": facts})


if __name__ == "__main__":
    main()
