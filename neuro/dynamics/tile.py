"""The loops over time for a tile of 16 samples, forward and back: the step of `neuro.dynamics.step`, bit for bit.

Arrays of neurons are flat, [N · 16], the samples of a neuron side by side. Spikes are the bits of words [H + T, S] over S
source rows: channels of inputs first, then, from row `own` on, the N neurons themselves; H steps of history come first.
Constants, choices and state are rows of arrays, named in `neuro.dynamics.flat`.
"""

from __future__ import annotations

import numpy as np

from neuro.dynamics.advance import advance
from neuro.dynamics.columns import FIRST, SIZE, few_events, gather_gradients, most_columns, sum_columns, widest
from neuro.dynamics.flat import (
    ADAPTATION,
    BETA,
    CURRENT,
    DECAY_A,
    DECAY_SYN,
    EXPONENTIAL,
    FLOOR,
    HAS_FLOOR,
    HOLDS,
    KIND_OF_LEAK,
    LEAK,
    LINEAR_TO_ZERO,
    RESTS,
    SYN,
    THETA,
    THRESHOLD,
    TO_VALUE,
    V_RESET,
    A,
    V,
)
from neuro.dynamics.lanes import masked_sum, transposed, weighted_sum
from neuro.dynamics.vector import LANES
from neuro.jit import compiled

AT_ONCE = 256  # neurons that the way back takes together, so that what is known of them stays in the first cache
DETACHED, SHAPE, HISTORY = range(RESTS + 1, RESTS + 4)  # rows of choices, after those of a step
FAST_SIGMOID, TRIANGLE, ARCTAN, SIGMOID, BOXCAR = range(5)


@compiled
def forward_tile(
    where, choices, own, bits, start, offset, weight, dense, constants, resting, state, refractory, u, v, a, busy, i
):
    """Step through bits [H + T, S], filling in those of the own neurons; where: steps and neurons from, to.

    start [C · N + 1], offset and weight: the words of each neuron and current, offset = delay · S − source row. dense: see
    `neuro.dynamics.columns`. state [N, 2 + C, 16] and refractory [N, 16] are advanced by constants [N, 7 + C, 16] and
    resting [N, 16]. u, a and busy are [T, N · 16], or [1, N · 16] if not to be kept; v [T, N · 16], or of length 0; so is
    i [T, C, N · 16], the currents before each step.
    """
    begun, ended, low, high = where
    populations, offsets, places, table = dense
    neurons, currents = len(state), state.shape[1] - SYN
    rows, words = bits.shape[1], bits.reshape(-1)
    sums, spoken = np.empty(currents * LANES, np.float32), np.empty(LANES * most_columns(populations), np.int32)
    wide = np.empty(currents * LANES * widest(populations), np.float32)
    for t in range(begun, ended):
        now = t + choices[HISTORY]
        if choices[ADAPTATION] == THRESHOLD:
            _copy_row(a[t if len(a) > 1 else 0], state, A, low, high)
        if choices[RESTS]:
            _note_resting(busy[t if len(busy) > 1 else 0], refractory, low, high)
        if len(i):
            for c in range(currents):
                _copy_row(i[t, c], state, SYN + c, low, high)
        here = u[t if len(u) > 1 else 0]
        for p in range(len(populations)):
            first, size = populations[p, FIRST], populations[p, SIZE]
            whole = low <= first and first + size <= high
            if whole and few_events(words, now * rows, populations[p], offsets):
                sum_columns(wide, words, now * rows, populations[p], currents, offsets, places, table, spoken)
                for n in range(first, first + size):
                    at, place = (n - first) * currents * LANES, n * LANES
                    bits[now, own + n] = advance(
                        choices, constants, resting, n, state, refractory, n, wide, at, here, place
                    )
                continue
            for n in range(max(first, low), min(first + size, high)):
                for c in range(currents):
                    k = c * neurons + n
                    masked_sum(sums, c * LANES, words, now * rows, offset, weight, start[k], start[k + 1])
                bits[now, own + n] = advance(
                    choices, constants, resting, n, state, refractory, n, sums, 0, here, n * LANES
                )
        if len(v):
            _copy_row(v[t], state, V, low, high)


@compiled
def _copy_row(out, state, row, low, high):
    for n in range(low, high):
        for k in range(LANES):
            out[n * LANES + k] = state[n, row, k]


@compiled
def _note_resting(busy, refractory, low, high):
    left = refractory.reshape(-1)
    for k in range(low * LANES, high * LANES):
        busy[k] = left[k] != 0


@compiled
def backward_tile(
    where,
    choices,
    slope,
    heard,
    dense,
    constants,
    u,
    v,
    a,
    busy,
    i,
    tuned,
    to_z,
    z_at,
    to_v,
    v_at,
    first,
    carried,
    grad,
):
    """Fill grad [T + D, C, N · 16] with dL/dc, D the longest delay; its last D steps are those of later steps.

    where: steps and neurons from, to. heard: start [N + 1], offset and weight, where the spikes of each neuron go, offset =
    (delay · C + current) · N + target; but for populations in the tables of dense, see `gather_gradients`. to_z [T, B, R]:
    the gradient of the spikes of some populations side by side, z_at [P, 3]: of each the first neuron, its place in R, and
    its size; to_v and v_at likewise, of their membranes; the tile's samples begin at `first`. slope: width and scale of the
    surrogate. v [1 + T, N · 16], from the state before the first step on, is read where the leak is linear to zero, and
    where constants learn: then dL/d leak, dL/dθ and dL/d decay of each current are added to tuned [2 + C, N · 16] (else
    of length 0), i [T, C, N · 16] being the currents before each step.
    carried [2 + C, N · 16]: the gradient of the state after these steps, and then of the state before.
    """
    begun, ended, least, most = where
    start, offset, weight = heard
    currents, neurons = grad.shape[1], grad.shape[2] // LANES
    flat, rests_at_all, holds = grad.reshape(-1), choices[RESTS] != 0, choices[RESTS] != 0 and choices[HOLDS] != 0
    room = (AT_ONCE + 3) * LANES
    z, spread, slopes = np.empty(room, np.float32), np.empty(room, np.float32), np.empty(room, np.float32)
    for t in range(ended - 1, begun - 1, -1):
        for n in range(least, most, AT_ONCE):
            last = min(n + AT_ONCE, most)
            low, high = n * LANES, last * LANES
            of_z, distance, psi = z[: high - low], spread[: high - low], slopes[: high - low]
            of_v, of_a, theta, now = (
                carried[V, low:high],
                carried[A, low:high],
                constants[THETA, low:high],
                u[t, low:high],
            )
            beta, value = constants[BETA, low:high], constants[V_RESET, low:high]
            rests = busy[t if rests_at_all else 0, low:high]
            _distance(distance, now, theta)
            if choices[ADAPTATION] == THRESHOLD:
                _distance_above(distance, now, theta, beta, a[t, low:high])
            _pseudo_derivative(psi, distance, choices[SHAPE], slope[0], slope[1])
            _scale_slope(psi, theta)
            of_z[:] = 0
            _gather(of_z, n, last, to_z, z_at, t, first)
            _gather(of_v, n, last, to_v, v_at, t, first)
            for k in range(n, last):
                weighted_sum(
                    of_z, (k - n) * LANES, flat, t * currents * neurons, offset, weight, start[k], start[k + 1]
                )
            gather_gradients(z, n, last, grad, t, *dense)
            if choices[ADAPTATION]:
                _add(of_z, of_a)
            if not choices[DETACHED]:
                if choices[TO_VALUE]:
                    _through_value(of_z, of_v, value, now, rests, holds)
                else:
                    _through_jump(of_z, of_v, theta, rests, holds)
            if rests_at_all:
                _silence(psi, rests)
            if holds:
                _silence(of_v, rests)
            if choices[TO_VALUE]:
                _forget(of_v, distance, rests, rests_at_all)
            _multiply(of_z, psi)  # what comes through the spike
            if len(tuned):
                _through_threshold(
                    tuned[1, low:high], of_z, of_v, distance, rests, rests_at_all, choices[TO_VALUE] != 0
                )
            _add(of_v, of_z)  # with what comes through the membrane: the gradient of u
            if choices[HAS_FLOOR]:
                _clip(of_v, now, constants[FLOOR, low:high])
            for c in range(currents):
                decay = constants[DECAY_SYN + c, low:high]
                _through_current(grad[t, c, low:high], carried[SYN + c, low:high], decay, of_v)
                if len(tuned):
                    _add_product(tuned[2 + c, low:high], carried[SYN + c, low:high], i[t, c, low:high])
            if len(tuned) and choices[KIND_OF_LEAK] == EXPONENTIAL:
                _add_product(tuned[0, low:high], of_v, v[t, low:high])
            if choices[ADAPTATION]:
                through = of_v if choices[ADAPTATION] == CURRENT else of_z
                _through_adaptation(of_a, constants[DECAY_A, low:high], beta, through)
            if choices[KIND_OF_LEAK] == EXPONENTIAL:
                _multiply(of_v, constants[LEAK, low:high])
            elif choices[KIND_OF_LEAK] == LINEAR_TO_ZERO:
                _stop_near_zero(of_v, v[t, low:high], constants[LEAK, low:high])


@compiled
def _distance(out, u, theta):
    for k in range(len(u)):
        out[k] = (u[k] - theta[k]) / theta[k]


@compiled
def _distance_above(out, u, theta, beta, a):
    for k in range(len(u)):
        out[k] = (u[k] - (theta[k] + beta[k] * a[k])) / theta[k]


@compiled
def _pseudo_derivative(psi, distance, shape, width, scale):
    """scale · shape(x / width); the shapes are those of `neuro.dynamics.surrogate`."""
    one, half_pi = np.float32(1), np.float32(np.pi / 2)
    if shape == FAST_SIGMOID:
        for k in range(len(psi)):
            x = abs(distance[k] / width) + one
            psi[k] = scale / (x * x)
    elif shape == TRIANGLE:
        for k in range(len(psi)):
            x = one - abs(distance[k] / width)
            psi[k] = scale * (x if x > 0 else np.float32(0))
    elif shape == ARCTAN:
        for k in range(len(psi)):
            x = distance[k] / width * half_pi
            psi[k] = scale / (x * x + one)
    elif shape == SIGMOID:
        for k in range(len(psi)):
            x = one / (one + np.exp(-distance[k] / width))
            psi[k] = scale * (np.float32(4) * x * (one - x))
    else:
        for k in range(len(psi)):
            psi[k] = scale if abs(distance[k] / width) < one else np.float32(0)


@compiled
def _scale_slope(psi, theta):
    for k in range(len(psi)):
        psi[k] /= theta[k]


@compiled
def _gather(out, least, most, values, places, t, first):
    """Add values [T, B, R] of neurons least … most − 1 to a tile, whose samples begin at `first`; places as above."""
    _, batch, width = values.shape
    lanes, flat = min(LANES, batch - first), values.reshape(-1)
    block = np.empty(LANES * LANES, np.float32)
    for p in range(len(places)):
        low, begin, neurons = places[p]
        begun, ended = max(low, least), min(low + neurons, most)
        whole = begun + max(ended - begun, 0) // LANES * LANES if lanes == LANES else begun
        for k in range(begun, whole, LANES):
            transposed(block, 0, LANES, flat, (t * batch + first) * width + begin + k - low, width)
            at = (k - least) * LANES
            for j in range(LANES * LANES):
                out[at + j] += block[j]
        for lane in range(lanes):
            row = values[t, first + lane]
            for k in range(whole, ended):
                out[(k - least) * LANES + lane] += row[begin + k - low]


@compiled
def _through_jump(of_z, of_v, theta, rests, holds):
    for k in range(len(of_z)):
        of_z[k] -= np.float32(0) if holds and rests[k] else of_v[k] * theta[k]


@compiled
def _through_value(of_z, of_v, value, u, rests, holds):
    for k in range(len(of_z)):
        of_z[k] += np.float32(0) if holds and rests[k] else of_v[k] * (value[k] - u[k])


@compiled
def _silence(values, rests):
    for k in range(len(values)):
        values[k] = np.float32(0) if rests[k] else values[k]


@compiled
def _forget(of_v, distance, rests, resting):
    """No gradient through a membrane that was put to a value."""
    for k in range(len(of_v)):
        fired = distance[k] >= 0 and not (resting and rests[k])
        of_v[k] = np.float32(0) if fired else of_v[k]


@compiled
def _clip(of_v, u, floor):
    for k in range(len(of_v)):
        of_v[k] = of_v[k] if u[k] > floor[k] else np.float32(0)


@compiled
def _add(values, more):
    for k in range(len(values)):
        values[k] += more[k]


@compiled
def _multiply(values, factor):
    for k in range(len(values)):
        values[k] *= factor[k]


@compiled
def _through_current(grad, of_i, decay, of_u):
    for k in range(len(of_u)):
        of_i[k] = of_i[k] * decay[k] + of_u[k]
        grad[k] = of_i[k]


@compiled
def _through_adaptation(of_a, decay, beta, through):
    for k in range(len(of_a)):
        of_a[k] = of_a[k] * decay[k] - beta[k] * through[k]


@compiled
def _through_threshold(of_theta, of_z, of_v, distance, rests, resting, to_value):
    """dL/dθ: what comes through the spike with the other sign, and what a reset by θ takes away."""
    for k in range(len(of_theta)):
        fired = distance[k] >= 0 and not (resting and rests[k])
        of_theta[k] -= of_z[k] + (of_v[k] if fired and not to_value else np.float32(0))


@compiled
def _add_product(total, one, other):
    for k in range(len(total)):
        total[k] += one[k] * other[k]


@compiled
def _stop_near_zero(of_v, v, amount):
    for k in range(len(of_v)):
        of_v[k] = of_v[k] if abs(v[k]) > amount[k] else np.float32(0)
