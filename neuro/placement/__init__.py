"""Placement: populations → cores → tags → routes, a plan made before the first training step."""

from neuro.placement.make import place
from neuro.placement.parameters import neuron_model
from neuro.placement.plan import Plan, Route

__all__ = ["Plan", "Route", "neuron_model", "place"]
