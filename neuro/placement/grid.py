"""The grid of a core: what its weights, and on chips of whole numbers its constants, are multiples of."""

from __future__ import annotations

import math

from neuro.descriptor import Chip


def grid_exponent(base_max: float, bits: int) -> int:
    """The smallest e with base_max / 2^e < 2^bits."""
    return math.floor(math.log2(base_max)) + 1 - bits


def crossbar_unit(chip: Chip, threshold: float) -> float:
    """What one unit of a neuron's weights is worth, on a core of one threshold: a power of two."""
    return 2.0 ** grid_exponent(chip.weights.base_max * threshold, chip.weights.weight_bits - 1)
