"""The loop over time of one sample, synapses touched only for spikes that happened: `neuro.dynamics.step`, bit for bit.

Neurons stand in vectors of 16, and those in blocks. What arrives waits in a ring [R, K · C · 16] of sums, one row a step,
of K vectors; sums are exact, so the order of events changes no bit. A block whose state and input are all exactly zero is
passed over where a step would leave it so. Words are listed by source and delay: what an event of source s adds delays[d]
steps later are entries start[s · D + d] to start[s · D + d + 1] of `place` (within a row of the ring) and `weight`.
"""

from __future__ import annotations

import numpy as np

from neuro.dynamics.advance import advance
from neuro.dynamics.flat import SYN, V
from neuro.dynamics.lanes import fetch, lowest, nonzero, spread_sum
from neuro.dynamics.vector import LANES, room_for
from neuro.jit import compiled, estimated

BLOCK = 16  # vectors that are passed over together while they rest: 256 neurons, a core of many chips
AHEAD = 3  # events whose words are asked for in advance
NUMBERS_A_LINE = 16
STEPS_TO_DOZE = 64  # between looks whether a block has come to rest


@compiled
def run_stream(neurons, moving, ring, now, words, given, given_at, pending, own, alone, spikes, spike_at, shown, v):
    """Advance by T steps, or until `spikes` could overflow; gives the steps done.

    neurons: choices, kind [K], constants [·, 9 + C, 16], resting [·, 16], sleeps; vector n has the constants of its kind.
    moving: state [K, 2 + C, 16], refractory [K, 16], awake [blocks]. now: the first step's row of the ring.
    given, given_at [T + 1]: the sources with an event in each step, as often as they have one. pending: neurons that
    fired in the step before the first, if the ring does not know of them yet. own: source number of the first neuron;
    alone: no other loop runs neurons of this network, so spikes are passed on here. spikes, spike_at [T + 1]: filled with
    the source numbers of neurons that fire. shown [P, 3]: first neuron, place in v, and size of what v [T, …] is to show.
    """
    choices, kind, constants, resting, sleeps = neurons
    state, refractory, awake = moving
    vectors, currents = len(kind), state.shape[1] - SYN
    u = room_for(LANES)
    at = before = 0
    spike_at[0] = 0
    for t in range(len(given_at) - 1):
        if len(spikes) - at < vectors * LANES:
            return t
        row = (now + t) % len(ring)
        deliver(ring, row, words, given, given_at[t], given_at[t + 1])
        if t == 0:
            deliver(ring, row, words, pending, 0, len(pending))
        elif alone:
            deliver(ring, row, words, spikes, before, at)
        before, sums = at, ring[row]
        for block in range(len(awake)):
            low, high = block * BLOCK, min((block + 1) * BLOCK, vectors)
            if not awake[block]:
                if _is_zero(sums, low * currents, high * currents):
                    continue
                awake[block] = 1
            for n in range(low, high):
                k, drive = kind[n], n * currents * LANES
                word = advance(choices, constants, resting, k, state, refractory, n, sums, drive, u, 0)
                while word:
                    spikes[at] = own + n * LANES + lowest(word)
                    at += 1
                    word &= word - np.uint16(1)
            sums[low * currents * LANES : high * currents * LANES] = 0
            if sleeps and t % STEPS_TO_DOZE == 0:
                awake[block] = not _is_at_rest(state, refractory, low, high)
        spike_at[t + 1] = at
        for p in range(len(shown)):
            first, to, size = shown[p]
            for k in range(size):
                v[t, to + k] = state[(first + k) // LANES, V, (first + k) % LANES]
    return len(given_at) - 1


@compiled
def deliver(ring, row, words, sources, low, high):
    """Add the words of sources[low : high] to the ring, whose present row is `row`."""
    delays, start, place, weight = words
    flat, stride, ways = ring.reshape(-1), ring.shape[1], len(delays)
    for e in range(low, high):
        if e + AHEAD < high:
            s = sources[e + AHEAD]
            for k in range(start[s * ways], start[(s + 1) * ways], NUMBERS_A_LINE):
                fetch(place, k)
                fetch(weight, k)
        for d in range(ways):
            k = sources[e] * ways + d
            spread_sum(flat, (row + delays[d]) % len(ring) * stride, place, weight, start[k], start[k + 1])


@compiled
def deliver_past(ring, words, sources, when):
    """Add what events of earlier steps, when < 0, still send to step 0 and later; row 0 of the ring is step 0."""
    delays, start, place, weight = words
    flat, stride, ways = ring.reshape(-1), ring.shape[1], len(delays)
    for e in range(len(sources)):
        for d in range(ways):
            k = sources[e] * ways + d
            if when[e] + delays[d] >= 0:
                spread_sum(flat, (when[e] + delays[d]) * stride, place, weight, start[k], start[k + 1])


@compiled
def _is_zero(values, low, high):
    """Whether vectors low … high − 1 of 16 values hold nothing but zeros."""
    found = np.uint16(0)
    for n in range(low, high):
        found |= nonzero(values, n * LANES)
    return found == 0


@compiled
def _is_at_rest(state, refractory, low, high):
    rows = state.shape[1]
    return _is_zero(state.reshape(-1), low * rows, high * rows) and not refractory[low:high].any()


@compiled
def show_spikes(spikes, spike_at, low, z):
    """Set z [T, n] to 1 where sources low … low + n − 1 fired; z holds zeros."""
    for t in range(len(spike_at) - 1):
        for e in range(spike_at[t], spike_at[t + 1]):
            k = spikes[e] - low
            if 0 <= k < z.shape[1]:
                z[t, k] = 1


@estimated
def count_events(events):
    """How many events there are in whole numbers of them [T, S]."""
    total = 0
    for t in range(len(events)):
        here = np.float32(0)  # of one step: fewer than float32 counts exactly
        for s in range(events.shape[1]):
            here += events[t, s]
        total += int(here)
    return total


@compiled
def list_events(events, given, given_at):
    """Write the sources of events [T, S] to given, as often as they have one, and where each step's end to given_at[1:]."""
    at = 0
    for t in range(len(events)):
        for s in range(events.shape[1]):
            for _ in range(int(events[t, s])):
                given[at] = s
                at += 1
        given_at[t + 1] = at
