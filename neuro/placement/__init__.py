"""Placement: populations → cores → tags → routes, a plan made before the first training step."""

from neuro.placement.boards import high_columns, word_limits
from neuro.placement.circuits import FASTEST
from neuro.placement.fanout import Fanout
from neuro.placement.grid import grid_exponent, highest_threshold, weight_unit, whole_bits
from neuro.placement.make import place
from neuro.placement.parameters import neuron_model
from neuro.placement.plan import Plan
from neuro.placement.routes import Route, RouteTable

__all__ = [
    "FASTEST",
    "Fanout",
    "Plan",
    "Route",
    "RouteTable",
    "grid_exponent",
    "high_columns",
    "highest_threshold",
    "neuron_model",
    "place",
    "weight_unit",
    "whole_bits",
    "word_limits",
]
