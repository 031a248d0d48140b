"""What a network does with one sample: its input, spikes and membranes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from neuro.data import load_dataset, make_batch
from neuro.errors import DataError
from neuro.evaluation import NOISE_SEED
from neuro.losses import together
from neuro.runs import Run


class Activity(NamedTuple):
    """One test sample: signals by name [T, n], inputs first; membranes by population [T, n]; outputs [T, classes]."""

    number: int
    label: object
    signals: dict[str, np.ndarray]
    membranes: dict[str, np.ndarray]
    outputs: np.ndarray


def activity(run: Run, number: int = 0) -> Activity:
    """Run one sample of the test part through a run's network. DataError where there is no such sample."""
    part, task, network = load_dataset(run.task.data).test, run.task, run.network
    if not 0 <= number < len(part):
        raise DataError(f"sample {number} of the test part: allowed: 0 to {len(part) - 1}")
    x, _ = make_batch(task, part, np.array([number]), NOISE_SEED)
    with torch.inference_mode():
        outputs, record = network(x, record=tuple(task.populations))
    inputs = x if isinstance(x, dict) else {next(iter(task.inputs)): x}
    signals = {name: z[:, 0].numpy() for name, z in (*inputs.items(), *record.spikes.items())}
    membranes = {name: v[:, 0].numpy() for name, v in record.v.items()}
    label = part.y[number] if part.y.ndim == 1 else "of every step"
    return Activity(number, label, signals, membranes, together(outputs)[:, 0].numpy())
