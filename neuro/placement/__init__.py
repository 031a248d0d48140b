"""Placement: populations → cores → tags → routes, a plan made before the first training step."""

from neuro.placement.boards import high_columns, word_limits
from neuro.placement.circuits import FASTEST
from neuro.placement.fanout import Fanout
from neuro.placement.grid import crossbar_unit, grid_exponent
from neuro.placement.make import place
from neuro.placement.parameters import neuron_model
from neuro.placement.plan import Plan, Route

__all__ = [
    "FASTEST",
    "Fanout",
    "Plan",
    "Route",
    "crossbar_unit",
    "grid_exponent",
    "high_columns",
    "neuron_model",
    "place",
    "word_limits",
]
