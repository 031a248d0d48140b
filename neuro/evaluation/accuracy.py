"""How good a network is: accuracy and loss on one part of the data, firing rates, and what of the chip it uses."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from neuro.data import Part, load_dataset, make_batch
from neuro.losses import judged, task_loss, together
from neuro.nn import Deviation, Network
from neuro.silicon import VirtualChip, deviation_of
from neuro.task import Task

NOISE_SEED = 0
BATCH = 256


@dataclass(frozen=True)
class Evaluation:
    """Figures of one network on one part; slots and sources are per neuron, the rate is spikes per neuron and step.

    answers: how many were asked for, one a sample, or one a step that has a label; accuracy is the share of right ones.
    """

    part: str
    samples: int
    answers: int
    accuracy: float
    loss: float
    rate: float
    rates: dict[str, float]
    slots_mean: float
    slots_most: int
    slots_allowed: int | None
    sources_mean: float
    cores: int
    violations: int


def evaluate(run, part: str = "test", virtual: VirtualChip | None = None) -> Evaluation:
    """Measure a run (or a run's path) on its test part, or on `validation` or `train`; virtual: on this one device."""
    from neuro.runs import load_run

    run = load_run(run) if isinstance(run, str | Path) else run
    data = load_dataset(run.task.data)
    deviation = None if virtual is None else deviation_of(run.network.plan, virtual)
    return measure(run.network, run.task, getattr(data, part), part, deviation)


def measure(
    network: Network, task: Task, samples: Part, part: str = "validation", deviation: Deviation | None = None
) -> Evaluation:
    """Measure a network on samples, on one device where a deviation says so; encoder noise is that of a fixed seed."""
    network.eval()
    loss, correct, answers, spikes = 0.0, 0, 0, {name: 0.0 for name in task.populations}
    with torch.inference_mode():
        for ids in np.array_split(np.arange(len(samples)), -(-len(samples) // BATCH)):
            x, labels = make_batch(task, samples, ids, NOISE_SEED, device=network.device)
            outputs, record = network(x, record=tuple(task.populations), membranes=False, deviation=deviation)
            outputs = together(outputs)
            right, asked = judged(task.loss, outputs, labels)
            loss += float(task_loss(task.loss, outputs, labels)) * asked
            correct, answers = correct + right, answers + asked
            for name, z in record.spikes.items():
                spikes[name] += float(z.sum(dtype=torch.float64))
    steps = task.steps * len(samples)
    neurons = {name: p.size for name, p in task.populations.items()}
    used, sources = usage(network)
    return Evaluation(
        part=part,
        samples=len(samples),
        answers=answers,
        accuracy=correct / answers,
        loss=loss / answers,
        rate=sum(spikes.values()) / steps / sum(neurons.values()),
        rates={name: spikes[name] / steps / neurons[name] for name in spikes},
        slots_mean=float(np.mean(used)),
        slots_most=int(np.max(used)),
        slots_allowed=network.plan.chip.weights.slots,
        sources_mean=float(np.mean(sources)),
        cores=len(network.plan.cores) + len(network.plan.splitter_cores),
        violations=len(network.violations()),
    )


def usage(network: Network) -> tuple[np.ndarray, np.ndarray]:
    """Slots used and distinct sources heard, of every neuron."""
    used, sources = [], []
    for memory in network.memories.values():
        used.append(memory.scheme.slots_used(memory.code).cpu().numpy())
        sources.append((memory.weight != 0).any(3).any(2).sum(1).cpu().numpy())
    return np.concatenate(used), np.concatenate(sources)
