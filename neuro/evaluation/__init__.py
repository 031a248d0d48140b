"""How good a network is, what of the chip it takes, and how much its parts work."""

from neuro.evaluation.accuracy import NOISE_SEED, Evaluation, evaluate, measure, usage
from neuro.evaluation.energy import energy_estimate
from neuro.evaluation.operations import Operations, count_operations
from neuro.evaluation.resources import Resources, resources_of

__all__ = [
    "NOISE_SEED",
    "Evaluation",
    "Operations",
    "Resources",
    "count_operations",
    "energy_estimate",
    "evaluate",
    "measure",
    "resources_of",
    "usage",
]
