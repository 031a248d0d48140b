"""The loops over time for a tile of 16 samples, forward and back: the step of `neuro.dynamics.step`, bit for bit.

Arrays of neurons are flat, [N · 16], the samples of a neuron side by side. Spikes are the bits of words [H + T, S] over S
source rows: channels of inputs first, then, from row `own` on, the N neurons themselves; H steps of history come first.
Constants, choices and state are rows of arrays, named in `neuro.dynamics.flat`.
"""

from __future__ import annotations

import numpy as np

from neuro.dynamics.adjoint import (
    add,
    add_product,
    clip,
    copy,
    forget,
    from_moved_threshold,
    from_threshold,
    gather,
    multiply,
    pseudo_derivative,
    scale_slope,
    silence,
    stop_near_zero,
    through_adaptation,
    through_current,
    through_jump,
    through_threshold,
    through_value,
)
from neuro.dynamics.advance import advance_samples
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
    LINEAR,
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
from neuro.dynamics.lanes import masked_sum, weighted_sum
from neuro.jit import compiled
from neuro.jit.vector import LANES, room_for

AT_ONCE = 256  # neurons that the way back takes together, so that what is known of them stays in the first cache
DETACHED, SHAPE, HISTORY = range(RESTS + 1, RESTS + 4)  # rows of choices, after those of a step


@compiled
def forward_tile(
    where, choices, own, bits, start, offset, weight, dense, constants, resting, state, refractory, u, v, a, busy, i
):
    """Step through bits [H + T, S], filling in those of the own neurons; where: steps and neurons from, to.

    start [C · N + 1], offset and weight: the words of each neuron and current, offset = delay · S − source row. dense: see
    `neuro.dynamics.columns`. state [N, 2 + C, 16] and refractory [N, 16] are advanced by constants [N, 9 + C] and
    resting [N]. u, a and busy are [T, N · 16], or [1, N · 16] if not to be kept; v [T, N · 16], or of length 0; so is
    i [T, C, N · 16], the currents before each step.
    """
    begun, ended, low, high = where
    populations, offsets, places, table = dense
    neurons, currents = len(state), state.shape[1] - SYN
    rows, words = bits.shape[1], bits.reshape(-1)
    sums, spoken = room_for(currents * LANES), np.empty(LANES * most_columns(populations), np.int32)
    wide = room_for(currents * LANES * widest(populations))
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
                    bits[now, own + n] = advance_samples(
                        choices, constants, resting, n, state, refractory, n, wide, at, here, place
                    )
                continue
            for n in range(max(first, low), min(first + size, high)):
                for c in range(currents):
                    k = c * neurons + n
                    masked_sum(sums, c * LANES, words, now * rows, offset, weight, start[k], start[k + 1])
                bits[now, own + n] = advance_samples(
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
    to_v,
    steady,
    batch,
    first,
    carried,
    grad,
):
    """Fill grad [T + D, C, N · 16] with dL/dc, D the longest delay; its last D steps are those of later steps.

    where: steps and neurons from, to. heard: start [N + 1], offset and weight, where the spikes of each neuron go, offset =
    (delay · C + current) · N + target; but for populations in the tables of dense, see `gather_gradients`. to_z, to_v: the
    gradients of the spikes and of the membranes of some populations, see `gather`; steady [N · 16]: what every spike of a
    neuron gets beside it; the tile's samples, of `batch`, begin at `first`. slope: width and scale of the surrogate.
    v [1 + T, N · 16], from the state before the first step on, is read where the leak is linear to zero, and where
    constants learn: then dL/d leak, dL/dθ and dL/d decay of each current are added to tuned [2 + C, N · 16] (else of
    length 0), i [T, C, N · 16] being the currents before each step.
    carried [2 + C, N · 16]: the gradient of the state after these steps, and then of the state before.
    """
    begun, ended, least, most = where
    start, offset, weight = heard
    currents, neurons = grad.shape[1], grad.shape[2] // LANES
    flat, rests_at_all, holds = grad.reshape(-1), choices[RESTS] != 0, choices[RESTS] != 0 and choices[HOLDS] != 0
    room = (AT_ONCE + 3) * LANES
    z, spread, slopes = room_for(room), room_for(room), room_for(room)
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
            from_threshold(distance, now, theta)
            if choices[ADAPTATION] == THRESHOLD:
                from_moved_threshold(distance, now, theta, beta, a[t, low:high])
            pseudo_derivative(psi, distance, choices[SHAPE], slope[0], slope[1])
            scale_slope(psi, theta)
            copy(of_z, steady[low:high])
            gather(of_z, n, last, to_z, batch, t, first)
            gather(of_v, n, last, to_v, batch, t, first)
            for k in range(n, last):
                weighted_sum(
                    of_z, (k - n) * LANES, flat, t * currents * neurons, offset, weight, start[k], start[k + 1]
                )
            gather_gradients(z, n, last, grad, t, *dense)
            if choices[ADAPTATION]:
                add(of_z, of_a)
            if not choices[DETACHED]:
                if choices[TO_VALUE]:
                    through_value(of_z, of_v, value, now, rests, holds)
                else:
                    through_jump(of_z, of_v, theta, rests, holds)
            if rests_at_all:
                silence(psi, rests)
            if holds:
                silence(of_v, rests)
            if choices[TO_VALUE]:
                forget(of_v, distance, rests, rests_at_all)
            multiply(of_z, psi)  # what comes through the spike
            if len(tuned):
                through_threshold(tuned[1, low:high], of_z, of_v, distance, rests, rests_at_all, choices[TO_VALUE] != 0)
            add(of_v, of_z)  # with what comes through the membrane: the gradient of u
            if choices[HAS_FLOOR]:
                clip(of_v, now, constants[FLOOR, low:high])
            for c in range(currents):
                decay = constants[DECAY_SYN + c, low:high]
                through_current(grad[t, c, low:high], carried[SYN + c, low:high], decay, of_v)
                if len(tuned):
                    add_product(tuned[2 + c, low:high], carried[SYN + c, low:high], i[t, c, low:high])
            if len(tuned) and choices[KIND_OF_LEAK] == EXPONENTIAL:
                add_product(tuned[0, low:high], of_v, v[t, low:high])
            if choices[ADAPTATION]:
                through = of_v if choices[ADAPTATION] == CURRENT else of_z
                through_adaptation(of_a, constants[DECAY_A, low:high], beta, through)
            if choices[KIND_OF_LEAK] == LINEAR_TO_ZERO:
                stop_near_zero(of_v, v[t, low:high], constants[LEAK, low:high])
            elif choices[KIND_OF_LEAK] != LINEAR:
                multiply(of_v, constants[LEAK, low:high])
