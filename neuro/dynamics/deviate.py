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
    current takes away, is divided by the factor of tau_mem. Gradients go to the constants given, and to factors given as
    float64 tensors that ask for them.
    """
    changed = {}
    for parameter, given in factors.items():
        is_tensor = isinstance(given, torch.Tensor)
        sought = is_tensor and given.requires_grad
        name, factor = FIELDS[parameter], np.asarray(given.detach().numpy() if is_tensor else given, np.float64)
        constant = getattr(constants, name)
        before = constant.detach().double().cpu().numpy()
        power = name in DECAYS or (name == "leak" and model.leak == "exponential")
        value = _value(before, factor, "power" if power else name)
        changed[name] = torch.from_numpy(value).to(constant)
        if constant.requires_grad or sought:
            slope = torch.from_numpy(_slope(value, before, factor, power)).to(constant)
            to_factor = torch.from_numpy(_factor_slope(value, before, factor, "power" if power else name))
            changed[name] = _Through.apply(constant, given if sought else None, changed[name], slope, to_factor)
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


def _factor_slope(deviated: np.ndarray, value: np.ndarray, factor: np.ndarray, how: str) -> np.ndarray:
    """How much a deviated constant moves with its factor; a refractory period moves in whole steps, so not at all."""
    if how == "power":
        return -deviated * np.log(deviated, out=np.zeros_like(deviated), where=deviated > 0) / factor
    if how == "leak":
        return -deviated / factor
    return np.zeros_like(value) if how == "refractory_steps" else value


class _Through(torch.autograd.Function):
    @staticmethod
    def forward(ctx, constant, factor, value, slope, factor_slope):
        ctx.save_for_backward(slope, factor_slope)
        return value.clone()

    @staticmethod
    def backward(ctx, grad):
        slope, factor_slope = ctx.saved_tensors
        to_factor = grad.double().to(factor_slope.device) * factor_slope if ctx.needs_input_grad[1] else None
        return grad * slope if ctx.needs_input_grad[0] else None, to_factor, None, None, None
