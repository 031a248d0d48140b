"""Neurons that are not all alike: the constants of a population, one of each for every neuron.

Factors multiply what a circuit has, times and thresholds, not what the step makes of them: a decay of exp(−dt / τ) becomes
exp(−dt / (f · τ)), its 1/f-th power.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch

from neuro.dynamics.model import Constants, NeuronModel

FIELDS = {  # parameter of a circuit -> constant of the step
    "tau_mem": "leak",
    "tau_syn": "decay_syn",
    "threshold": "theta",
    "v_reset": "v_reset",
    "refractory": "refractory_steps",
    "adaptation": "decay_a",
    "adaptation_strength": "beta",
    "bias": "bias",
}
DECAYS = ("decay_syn", "decay_a")

_power = np.frompyfunc(math.pow, 2, 1)  # number by number: vector instructions would round by where a number stands


def deviated(model: NeuronModel, constants: Constants, factors: Mapping[str, np.ndarray]) -> Constants:
    """Give constants whose parameters are multiplied by factors > 0, [N] or, tau_syn, [C, N]; factors of 1 change no bit.

    Computed in float64 and rounded once to float32; a refractory period is rounded to whole steps. A linear leak, which a
    current takes away, is divided by the factor of tau_mem. Gradients go to the constants given.
    """
    changed = {}
    for parameter, factor in factors.items():
        name, factor = FIELDS[parameter], np.asarray(factor, np.float64)
        constant = getattr(constants, name)
        before = constant.detach().double().cpu().numpy()
        power = name in DECAYS or (name == "leak" and model.leak == "exponential")
        value = _value(before, factor, "power" if power else name)
        changed[name] = torch.from_numpy(value).to(constant)
        if constant.requires_grad:
            slope = torch.from_numpy(_slope(value, before, factor, power)).to(constant)
            changed[name] = _Through.apply(constant, changed[name], slope)
    return constants._replace(**changed)


def _value(value: np.ndarray, factor: np.ndarray, how: str) -> np.ndarray:
    if how == "power":
        return _power(value, 1 / factor).astype(np.float64)
    if how == "leak":
        return value / factor
    return np.round(value * factor) if how == "refractory_steps" else value * factor


def _slope(deviated: np.ndarray, value: np.ndarray, factor: np.ndarray, power: bool) -> np.ndarray:
    """How much a deviated constant moves with the constant itself."""
    share = np.divide(deviated, value, out=np.zeros_like(value), where=value != 0)
    return share / factor if power else share


class _Through(torch.autograd.Function):
    @staticmethod
    def forward(ctx, constant, value, slope):
        ctx.save_for_backward(slope)
        return value.clone()

    @staticmethod
    def backward(ctx, grad):
        return grad * ctx.saved_tensors[0], None, None
