"""What a synapse memory can hold: one frozen scheme a weight kind, each with an exact projection."""

from neuro.weights.conductance import ConductanceScheme
from neuro.weights.counts import CountScheme
from neuro.weights.crossbar import CrossbarScheme
from neuro.weights.fanout import FanOutScheme
from neuro.weights.floats import FloatScheme
from neuro.weights.levels import LevelScheme
from neuro.weights.masks import MaskScheme
from neuro.weights.nested import NestedSlots
from neuro.weights.spacing import spaced_levels
from neuro.weights.uniform import UniformScheme
from neuro.weights.violation import Violation

__all__ = [
    "ConductanceScheme",
    "CountScheme",
    "CrossbarScheme",
    "FanOutScheme",
    "FloatScheme",
    "LevelScheme",
    "MaskScheme",
    "NestedSlots",
    "UniformScheme",
    "Violation",
    "spaced_levels",
]
