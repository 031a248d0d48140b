"""What a trained network costs: bytes of synapse memory, and synaptic operations an inference."""

from __future__ import annotations

import math

import numpy as np
import torch

from neuro.data import make_batch
from neuro.evaluation import NOISE_SEED, usage

DAC_BITS = 11  # three bits coarse, eight fine
SAMPLES = 500


def footprint(network, task, part) -> dict:
    """Give synapse bytes (words in use, and all words of the cores in use, each with base weights), and operations.

    An operation is an event that meets a connection, whose words count once (as NeuroBench's effective accumulates do);
    their mean a sample, over the first SAMPLES of the part.
    """
    plan, weights = network.plan, network.plan.chip.weights
    words, _ = usage(network)
    bits = DAC_BITS if weights.dac else math.ceil(getattr(network.bases, "bits", 0))
    shared = math.ceil(len(plan.cores) * len(weights.bases) * bits / 8)
    per_neuron = weights.slots or plan.chip.cores.axons
    room = len(plan.cores) * plan.chip.cores.neurons * per_neuron if per_neuron else None
    return {
        "synapse_bytes": math.ceil(int(words.sum()) * weights.word_bits / 8) + shared,
        "synapse_bytes_of_cores": None if room is None else math.ceil(room * weights.word_bits / 8) + shared,
        "operations_per_sample": round(operations(network, task, part)),
    }


def operations(network, task, part) -> float:
    """Count, over the first samples of a part, the events that meet a connection: mean a sample."""
    fan_out = fan_outs(network)
    rows, total = np.arange(min(SAMPLES, len(part))), 0.0
    with torch.inference_mode():
        for ids in np.array_split(rows, -(-len(rows) // 100)):
            x, _ = make_batch(task, part, ids, NOISE_SEED)
            _, record = network(x, record=tuple(task.populations))
            events = {**(x if isinstance(x, dict) else {next(iter(task.inputs)): x}), **record.spikes}
            total += sum(float(events[name].sum((0, 1)).double() @ fan_out[name]) for name in fan_out)
    return total / len(rows)


def fan_outs(network) -> dict[str, torch.Tensor]:
    """How many connections each source has, by population or input."""
    spec = network.plan.spec
    found = {name: torch.zeros(spec.size_of(name), dtype=torch.float64) for name in (*spec.inputs, *spec.populations)}
    for target, memory in network.memories.items():
        heard = memory.spread((memory.weight != 0).double()).sum((0, 2, 3))
        for source, columns in network.plan.columns(target).items():
            found[source] += heard[columns]
    return found
