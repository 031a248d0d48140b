"""How much a network's parts work for one sample: synaptic operations as NeuroBench counts them, spikes, events.

An operation is a non-zero input times a non-zero weight in one step (NeuroBench, neurobench.metrics.workload): an
accumulate where the input is binary, a multiply-accumulate where it is not. Dense counts every input and every weight.
Here an input is what arrives: a spike that is still on its way when the sample ends causes none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from neuro.data import Part, make_batch
from neuro.evaluation.accuracy import BATCH, NOISE_SEED
from neuro.evaluation.sending import rows_of_sources
from neuro.nn import Network
from neuro.task import Task


@dataclass(frozen=True)
class Operations:
    """Means over samples. acs, macs, dense: synaptic operations; macs holds those of a linear read-out off the chip.

    spikes: emitted by neurons. deliveries: events sent along a route row or to a chip's input. words: synapse words
    that an event met, once for every event in it. activation_sparsity: share of neurons and steps without a spike.
    membrane_updates: steps in which a neuron's membrane value changed; the first always counts, as in NeuroBench.
    """

    samples: int
    acs: float
    macs: float
    dense: float
    spikes: float
    deliveries: float
    words: float
    activation_sparsity: float
    membrane_updates: float


def count_operations(network: Network, task: Task, samples: Part) -> Operations:
    """Run samples through a network and count what its synapses, neurons and routes did."""
    network.eval()
    total = np.zeros(7)
    for ids in np.array_split(np.arange(len(samples)), -(-len(samples) // BATCH)):
        x, _ = make_batch(task, samples, ids, NOISE_SEED)
        total += operations_of(network, x)
    acs, macs, dense, spikes, deliveries, words, updates = (total / len(samples)).tolist()
    neurons = sum(p.size for p in task.populations.values())
    sparsity = 1 - spikes / (neurons * task.steps)
    return Operations(len(samples), acs, macs, dense, spikes, deliveries, words, sparsity, updates)


@torch.no_grad()
def operations_of(network: Network, x) -> np.ndarray:
    """Sums over one batch x [T, B, inputs]: acs, macs, dense, spikes, deliveries, words, membrane updates."""
    spec = network.plan.spec
    _, record = network(x, record=tuple(spec.populations))
    signals = {**(x if isinstance(x, dict) else {next(iter(spec.inputs)): x}), **record.spikes}
    acs = macs = dense = words = 0.0
    for p in spec.projections:
        for line, extra in enumerate(spec.delay_lines):
            weights, held = _fan_out(network, p.source, p.target, line)
            arrived = _arrived(signals[p.source], network.plan.source_delay(p.source) + extra)
            binary = bool((arrived <= 1).all())
            done = float((_per_source(arrived != 0) * weights).sum())
            acs, macs = acs + done * binary, macs + done * (not binary)
            words += float((_per_source(arrived) * held).sum())
        steps_and_samples = signals[p.source].shape[0] * signals[p.source].shape[1]
        dense += steps_and_samples * spec.size_of(p.source) * spec.size_of(p.target)
    for name, output in spec.outputs.items():
        if output.readout == "linear":
            z, matrix = signals[output.population], network.readouts[name].weight
            traces = z.cumsum(0) > 0  # a trace that has begun never comes back to 0
            macs += float((_per_source(traces) * (matrix != 0).sum(0)).sum())
            dense += z.shape[0] * z.shape[1] * matrix.numel()
    spikes = sum(float(z.sum(dtype=torch.float64)) for z in record.spikes.values())
    updates = sum(v[0].numel() + int((v[1:] != v[:-1]).sum()) for v in record.v.values())
    return np.array([acs, macs, dense, spikes, _deliveries(network, signals), words, updates])


def _arrived(signal: torch.Tensor, delay: int) -> torch.Tensor:
    """The events of a signal [T, B, n] that arrive before the sample ends."""
    return signal[: max(len(signal) - delay, 0)]


def _per_source(events: torch.Tensor) -> torch.Tensor:
    return events.sum((0, 1), dtype=torch.float64)


def _fan_out(network: Network, source: str, target: str, line: int) -> tuple[torch.Tensor, torch.Tensor]:
    """For each neuron of a source: its non-zero weights in a population, and the words that hold them."""
    memory, columns = network.memories[target], network.plan.columns(target)[source]
    code = memory.code
    held = code if network.plan.chip.weights.kind == "counts" else code != getattr(memory.scheme, "empty", 0)
    weights = memory.spread((memory.weight != 0).double())[:, columns, :, line]
    return weights.sum((0, 2)), memory.spread(held.double())[:, columns, :, line].sum((0, 2))


def _deliveries(network: Network, signals: dict) -> float:
    """Events sent, once for every route row or chip they go to."""
    rows = rows_of_sources(network)
    return sum(float((_per_source(z) * torch.from_numpy(rows[name])).sum()) for name, z in signals.items())
