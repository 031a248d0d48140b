"""One step of neurons side by side in flat arrays: `neuro.dynamics.step`, bit for bit, for the compiled loops.

Constants, state and choices are rows named below; a row holds one number a neuron (or a neuron and sample).
"""

from __future__ import annotations

import numpy as np
import torch

from neuro.dynamics.model import Constants, NeuronModel
from neuro.jit import compiled

LEAK, THETA, V_RESET, FLOOR, BIAS, BETA, DECAY_A, DECAY_SYN = range(8)  # rows of constants; one DECAY_SYN a current
KIND_OF_LEAK, TO_VALUE, HOLDS, HAS_FLOOR, ADAPTATION, BIASED, RESTS = range(7)  # rows of choices
EXPONENTIAL, LINEAR, LINEAR_TO_ZERO = range(3)
NO_ADAPTATION, CURRENT, THRESHOLD = range(3)
V, A, SYN = range(3)  # rows of the state; one SYN a current
LEAKS = {"exponential": EXPONENTIAL, "linear": LINEAR, "linear_to_zero": LINEAR_TO_ZERO}
ADAPTATIONS = {"none": NO_ADAPTATION, "current": CURRENT, "threshold": THRESHOLD}


def rows_of(constants: Constants) -> np.ndarray:
    """Constants as rows, float32 [7 + C, N]."""
    k = constants
    return torch.stack([k.leak, k.theta, k.v_reset, k.floor, k.bias, k.beta, k.decay_a, *k.decay_syn]).float().numpy()


def choices_of(model: NeuronModel, constants: Constants, rests: bool) -> list[int]:
    """The five choices as numbers, without what no neuron needs; rests: some neuron is refractory at the start."""
    chosen = {
        KIND_OF_LEAK: LEAKS[model.leak],
        TO_VALUE: model.reset == "to_value",
        HOLDS: model.refractory == "hold",
        HAS_FLOOR: model.floor,
        ADAPTATION: ADAPTATIONS[model.adaptation] if bool((constants.beta != 0).any()) else NO_ADAPTATION,
        BIASED: bool((constants.bias != 0).any()),
        RESTS: rests or bool((constants.refractory_steps > 0).any()),
    }
    return [int(chosen[row]) for row in range(len(chosen))]


@compiled
def advance(choices, constants, resting, state, refractory, sums, u, busy, fired):
    """Advance state [2 + C, K] and refractory [K] by a step in which currents get `sums` [C · K].

    Fills u [K], fired [K] (0 or 1) and, where neurons rest, busy [K].
    """
    width = len(fired)
    _leak(choices[KIND_OF_LEAK], u, state[V], constants[LEAK])
    for c in range(len(state) - SYN):
        _drive(u, state[SYN + c], constants[DECAY_SYN + c], sums[c * width : (c + 1) * width])
    if choices[BIASED]:
        _add(u, constants[BIAS])
    if choices[ADAPTATION] == CURRENT:
        _adapt(u, constants[BETA], state[A])
    if choices[HAS_FLOOR]:
        _lift(u, constants[FLOOR])
    if choices[ADAPTATION] == THRESHOLD:
        _fire_above(fired, u, constants[THETA], constants[BETA], state[A])
    else:
        _fire(fired, u, constants[THETA])
    if choices[RESTS]:
        _rest(fired, refractory, resting, busy)
    _reset(choices[TO_VALUE], state[V], u, fired, constants[THETA], constants[V_RESET])
    if choices[RESTS] and choices[HOLDS]:
        _hold(state[V], busy, constants[V_RESET])
    if choices[ADAPTATION]:
        _count_spikes(state[A], constants[DECAY_A], fired)


@compiled
def _leak(kind, u, v, amount):
    if kind == EXPONENTIAL:
        for k in range(len(u)):
            u[k] = v[k] * amount[k]
    elif kind == LINEAR:
        for k in range(len(u)):
            u[k] = v[k] - amount[k]
    else:
        for k in range(len(u)):
            size = abs(v[k]) - amount[k]
            size = size if size > 0 else np.float32(0)
            u[k] = size if v[k] > 0 else -size


@compiled
def _drive(u, i, decay, total):
    for k in range(len(u)):
        i[k] = i[k] * decay[k] + total[k]
        u[k] += i[k]


@compiled
def _add(u, bias):
    for k in range(len(u)):
        u[k] += bias[k]


@compiled
def _adapt(u, beta, a):
    for k in range(len(u)):
        u[k] -= beta[k] * a[k]


@compiled
def _lift(u, floor):
    for k in range(len(u)):
        u[k] = u[k] if u[k] > floor[k] else floor[k]


@compiled
def _fire(fired, u, theta):
    for k in range(len(u)):
        fired[k] = u[k] >= theta[k]


@compiled
def _fire_above(fired, u, theta, beta, a):
    for k in range(len(u)):
        fired[k] = u[k] >= theta[k] + beta[k] * a[k]


@compiled
def _rest(fired, refractory, steps, busy):
    for k in range(len(fired)):
        waits = refractory[k] != 0
        busy[k] = waits
        fired[k] = np.uint8(0) if waits else fired[k]
        left = refractory[k] - np.int32(1)
        left = left if left > 0 else np.int32(0)
        refractory[k] = steps[k] if fired[k] else left


@compiled
def _reset(to_value, v, u, fired, theta, value):
    if to_value:
        for k in range(len(u)):
            v[k] = value[k] if fired[k] else u[k]
    else:
        for k in range(len(u)):
            v[k] = u[k] - (theta[k] if fired[k] else np.float32(0))


@compiled
def _hold(v, busy, value):
    for k in range(len(v)):
        v[k] = value[k] if busy[k] else v[k]


@compiled
def _count_spikes(a, decay, fired):
    for k in range(len(a)):
        a[k] = decay[k] * a[k] + np.float32(fired[k])
