"""What a trained network costs: bytes of synapse memory, and synaptic operations an inference."""

from __future__ import annotations

import math

import numpy as np

from neuro.data.parts import Part, chosen
from neuro.evaluation import count_operations, usage

DAC_BITS = 11  # three bits coarse, eight fine
SAMPLES = 500


def footprint(network, task, part: Part) -> dict:
    """Give synapse bytes (words in use, and all words of the cores in use, each with base weights), and operations.

    Operations are NeuroBench's (`neuro.evaluation.count_operations`), their mean over the first SAMPLES of the part.
    """
    plan, weights = network.plan, network.plan.chip.weights
    words, _ = usage(network)
    bits = DAC_BITS if weights.dac else math.ceil(getattr(network.bases, "bits", 0))
    shared = math.ceil(len(plan.cores) * len(weights.bases) * bits / 8)
    per_neuron = weights.slots or plan.chip.cores.axons
    room = len(plan.cores) * plan.chip.cores.neurons * per_neuron if per_neuron else None
    first = np.arange(min(SAMPLES, len(part)))
    counted = count_operations(network, task, Part(chosen(part.x, first), part.y[first], part.ids[first]))
    return {
        "synapse_bytes": math.ceil(int(words.sum()) * weights.word_bits / 8) + shared,
        "synapse_bytes_of_cores": None if room is None else math.ceil(room * weights.word_bits / 8) + shared,
        "operations_per_sample": round(counted.acs + counted.macs),
    }
