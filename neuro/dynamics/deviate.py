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
    current takes away, is divided by the factor of tau_mem.
    """
    changed = {}
    for parameter, factor in factors.items():
        name = FIELDS[parameter]
        value, factor = getattr(constants, name).double().numpy(), np.asarray(factor, np.float64)
        if name in DECAYS or (name == "leak" and model.leak == "exponential"):
            value = _power(value, 1 / factor).astype(np.float64)
        elif name == "leak":
            value = value / factor
        else:
            value = value * factor
        if name == "refractory_steps":
            value = np.round(value)
        changed[name] = torch.from_numpy(value).to(getattr(constants, name).dtype)
    return constants._replace(**changed)
