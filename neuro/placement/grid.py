"""The grid of a core: what its weights, and on chips of whole numbers its constants, are multiples of."""

from __future__ import annotations

import math

from neuro.descriptor import Chip
from neuro.task import NetworkSpec


def grid_exponent(base_max: float, bits: int) -> int:
    """The smallest e with base_max / 2^e < 2^bits."""
    return math.floor(math.log2(base_max)) + 1 - bits


def weight_unit(chip: Chip, spec: NetworkSpec, population: str) -> float:
    """What one unit of whole-numbered weights and constants of a population is worth: a power of two.

    Neurons of a crossbar have weights and units of their own; elsewhere populations may share a core, and its unit.
    """
    threshold = spec.populations[population].threshold if chip.weights.axon_types else highest_threshold(spec)
    return 2.0 ** grid_exponent(chip.weights.base_max * threshold, whole_bits(chip))


def highest_threshold(spec: NetworkSpec) -> float:
    """The threshold that units shared by all cores go by."""
    return max(population.threshold for population in spec.populations.values())


def whole_bits(chip: Chip) -> int | None:
    """Bits, without sign, of the largest weight of a crossbar, or of the largest scale of levels; None: any number."""
    if chip.weights.weight_bits is not None:
        return chip.weights.weight_bits - 1
    return max(chip.weights.shifts) + 1 if chip.weights.shifts else None
