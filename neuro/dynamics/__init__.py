"""The one neuron step and its kernels."""

from neuro.dynamics.deviate import deviated
from neuro.dynamics.model import Constants, NeuronModel, ParameterSet, State, side_by_side, stack
from neuro.dynamics.scan import Scan
from neuro.dynamics.step import WHOLE, heaviside, step
from neuro.dynamics.surrogate import PseudoDerivative

__all__ = [
    "WHOLE",
    "Constants",
    "NeuronModel",
    "ParameterSet",
    "PseudoDerivative",
    "Scan",
    "State",
    "deviated",
    "heaviside",
    "side_by_side",
    "stack",
    "step",
]
