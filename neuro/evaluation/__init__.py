"""How good a network is, what of the chip it takes, and how much its parts work."""

from neuro.evaluation.accuracy import NOISE_SEED, Evaluation, evaluate, measure, usage
from neuro.evaluation.devices import DeviceEvaluation, accuracy_on, evaluate_devices, load_devices, save_devices
from neuro.evaluation.energy import energy_estimate
from neuro.evaluation.operations import Operations, count_operations
from neuro.evaluation.resources import Resources, resources_of

__all__ = [
    "NOISE_SEED",
    "DeviceEvaluation",
    "Evaluation",
    "Operations",
    "Resources",
    "accuracy_on",
    "count_operations",
    "energy_estimate",
    "evaluate",
    "evaluate_devices",
    "load_devices",
    "measure",
    "resources_of",
    "save_devices",
    "usage",
]
