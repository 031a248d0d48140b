"""Constants, choices and state of neurons as rows of numbers: how the compiled loops see them."""

from __future__ import annotations

import numpy as np
import torch

from neuro.dynamics.model import Constants, NeuronModel
from neuro.jit.vector import LANES

LEAK, THETA, V_RESET, FLOOR, BIAS, BETA, DECAY_A, UNIT, PER_UNIT = range(9)  # rows of constants
DECAY_SYN = 9  # and a row from there on for each current
KIND_OF_LEAK, TO_VALUE, HOLDS, HAS_FLOOR, ADAPTATION, RESTS = range(6)  # places of choices
EXPONENTIAL, LINEAR, LINEAR_TO_ZERO, FRACTION, SHIFT = range(5)
NO_ADAPTATION, CURRENT, THRESHOLD = range(3)
V, A, SYN = range(3)  # rows of the state; one SYN a current
LEAKS = {
    "exponential": EXPONENTIAL,
    "linear": LINEAR,
    "linear_to_zero": LINEAR_TO_ZERO,
    "fraction": FRACTION,
    "shift": SHIFT,
}
ADAPTATIONS = {"none": NO_ADAPTATION, "current": CURRENT, "threshold": THRESHOLD}


def rows_of(model: NeuronModel, constants: Constants) -> np.ndarray:
    """Give constants as rows, float32 [9 + C, N]; the floor is −∞ where the model has none."""
    k = constants
    floor = k.floor if model.floor else torch.full_like(k.floor, -torch.inf)
    each = (k.leak, k.theta, k.v_reset, floor, k.bias, k.beta, k.decay_a, k.unit, 1 / k.unit, *k.decay_syn)
    return torch.stack(each).detach().float().numpy()


def choices_of(model: NeuronModel, constants: Constants, rests: bool) -> list[int]:
    """Give the five choices as numbers, without what no neuron needs; rests: some neuron is refractory at the start."""
    chosen = {
        KIND_OF_LEAK: LEAKS[model.leak],
        TO_VALUE: model.reset == "to_value",
        HOLDS: model.refractory == "hold",
        HAS_FLOOR: model.floor,
        ADAPTATION: ADAPTATIONS[model.adaptation] if bool((constants.beta != 0).any()) else NO_ADAPTATION,
        RESTS: rests or bool((constants.refractory_steps > 0).any()),
    }
    return [int(chosen[place]) for place in range(len(chosen))]


def vectors_of(rows: np.ndarray) -> np.ndarray:
    """Turn rows [K, N] into vectors [⌈N / 16⌉, K, 16], the last filled up with zeros."""
    full = np.zeros((len(rows), -(-rows.shape[1] // LANES) * LANES), rows.dtype)
    full[:, : rows.shape[1]] = rows
    return full.reshape(len(rows), -1, LANES).transpose(1, 0, 2).copy()


def rows_again(vectors: np.ndarray, number: int) -> np.ndarray:
    """Turn vectors [·, K, 16] back into rows [K, number]."""
    return vectors.transpose(1, 0, 2).reshape(vectors.shape[1], -1)[:, :number]
