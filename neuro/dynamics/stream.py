"""The loop over time of one sample, synapses touched only for spikes that happened: `neuro.dynamics.step`, bit for bit.

Neurons stand in vectors of 16, and those in blocks. What arrives waits in a ring [R, K · C · 16] of sums, one row a step,
of K vectors; sums are exact, so the order of events changes no bit. A block whose state and input are all exactly zero is
passed over where a step would leave it so.

Words are listed by source and delay, in lines of 8 places (within a row of the ring) and 8 weights, which is what a
processor's cache loads at once: what an event of source s adds delays[d] steps later are lines start[s · D + d] to
start[s · D + d + 1]; what fills the last one up weighs 0. The lines of all events of a step are named first and gone
through after, so that the processor need guess neither where a source's words end nor what is asked for next.

Where many words are small whole numbers of something a target's words have in common, and all act after the same time, a
source also has a row [·, places / 2] of half bytes, see `add_rows`: adding 27 of these rows up costs a third of adding
their 1,380 words one by one. They serve from FEW events on, as the sums then have to be made floats.

Several threads may run a network together, a part of its neurons each: every thread shows its spikes to the others as a
list that only it writes, and how far it got in spike_at.
"""

from __future__ import annotations

import numpy as np

from neuro.dynamics.advance import advance
from neuro.dynamics.flat import SYN, V
from neuro.dynamics.lines import AHEAD, WORDS_A_LINE, add_rows, count_up, seen, show, spread_lines
from neuro.jit import compiled
from neuro.jit.bits import BITS, list_bits, nonzero, nonzeros
from neuro.jit.vector import LANES

BLOCK = 16  # vectors that are passed over together while they rest: 256 neurons, a core of many chips
FULL = 2**10  # lines that are named before their words are added
FEW = 4  # events whose words are rather added one by one
STEPS_TO_DOZE = 64  # between looks whether a block has come to rest
PATIENCE = 2**15  # looks for the spikes of another thread before it is given time


@compiled
def run_stream(neurons, moving, ring, now, words, given, given_at, pending, own, me, spikes, spike_at, shown, v, done):
    """Advance until T steps are done, `spikes` could overflow, or another part of the network lags behind.

    neurons: choices, kind [K], until [K], constants [·, 9 + C, 16], resting [·, 16], sleeps; vectors n … until[n] − 1 have
    the constants of kind[n]. moving: state [K, 2 + C, 16], refractory [K, 16], awake [blocks]. now: the first step's row
    of the ring. given, given_at [T + 1]: the sources with an event in each step, as often as they have one. pending:
    neurons that fired in the step before the first. own: source number of the first neuron. spikes [P, ·], spike_at
    [P, T + 1]: the source numbers of neurons that fire, of each of P parts that run together, of which this is `me`;
    spike_at is 0 for the first step and −1 elsewhere. shown [V, 3]: first neuron, place in v, and size of what v [T, …] is
    to show. done: the steps done, and of the next one the parts whose spikes have been heard; brought up to date.
    """
    choices, kind, until, constants, resting, sleeps = neurons
    state, refractory, awake = moving
    vectors, currents, parts = len(kind), state.shape[1] - SYN, len(spikes)
    fired = np.zeros(-(-vectors // 4) * 4, np.uint16)
    fours, which = fired.view(np.int64), np.zeros(FULL + LANES + AHEAD, np.int32)
    sums, stride, all_spikes, all_at = ring.reshape(-1), ring.shape[1], spikes.reshape(-1), spike_at.reshape(-1)
    steps, room = len(given_at) - 1, spikes.shape[1]
    t, heard = done[0], done[1]
    while t < steps:
        at = all_at[me * (steps + 1) + t]
        if room - at < vectors * LANES + BITS:
            break
        row = (now + t) % len(ring)
        if heard == 0:
            if t == 0:
                deliver(sums, row, stride, words, which, given, given_at[0], given_at[1], pending, 0, len(pending))
                heard = parts
            else:
                first = me * (steps + 1) + t - 1
                low, high = me * room + all_at[first], me * room + at
                deliver(sums, row, stride, words, which, given, given_at[t], given_at[t + 1], all_spikes, low, high)
                heard = 1
        while heard < parts:
            other = (me + heard) % parts
            place, looks = other * (steps + 1) + t, 0
            while seen(all_at, place) < 0 and looks < PATIENCE:
                looks += 1
            if seen(all_at, place) < 0:
                break
            low, high = other * room + all_at[place - 1], other * room + all_at[place]
            deliver(sums, row, stride, words, which, given, 0, 0, all_spikes, low, high)
            heard += 1
        if heard < parts:
            break
        heard, base = 0, row * stride
        for block in range(len(awake)):
            low, high = block * BLOCK, min((block + 1) * BLOCK, vectors)
            if not awake[block]:
                if _is_zero(sums, base + low * currents * LANES, base + high * currents * LANES):
                    continue
                awake[block] = 1
            while low < high:
                end = min(until[low], high)
                advance(choices, constants, resting, kind[low], state, refractory, low, end, sums, base, fired)
                low = end
        at += me * room
        for block in range(len(awake)):
            if awake[block]:
                low, high = block * BLOCK, min((block + 1) * BLOCK, vectors)
                for four in range(low // 4, -(-high // 4)):
                    at = list_bits(all_spikes, at, fours[four], own + four * BITS)
                if sleeps and t % STEPS_TO_DOZE == 0:
                    awake[block] = not _is_at_rest(state, refractory, low, high)
        t += 1
        show(all_at, me * (steps + 1) + t, at - me * room)
        for p in range(len(shown)):
            first, to, size = shown[p]
            for k in range(size):
                v[t - 1, to + k] = state[(first + k) // LANES, V, (first + k) % LANES]
    done[0], done[1] = t, heard


@compiled
def deliver(sums, row, stride, words, which, given, low, high, spikes, first, last):
    """Add the words of given[low : high] and of spikes[first : last] to the ring, whose present row is `row`."""
    delays, _, lines, rows, scale = words
    if len(rows) and high - low + last - first >= FEW:
        base = (row + delays[0]) * stride
        base -= len(sums) if base >= len(sums) else 0
        _add_rows(sums, base, rows, scale, which, given, low, high, spikes, first, last)
        return
    for d in range(len(delays)):
        base = (row + delays[d]) * stride
        base -= len(sums) if base >= len(sums) else 0
        number = _name_lines(sums, base, words, d, which, 0, given, low, high)
        number = _name_lines(sums, base, words, d, which, number, spikes, first, last)
        spread_lines(sums, base, lines, which, number)


@compiled
def _add_rows(sums, base, rows, scale, which, given, low, high, spikes, first, last):
    """Add the rows of given[low : high] and of spikes[first : last], as many at a time as can be named."""
    while low < high or first < last:
        number = min(high - low, FULL)
        for e in range(number):
            which[e] = given[low + e]
        low += number
        more = min(last - first, FULL - number)
        for e in range(more):
            which[number + e] = spikes[first + e]
        first += more
        add_rows(sums, base, scale, rows, which, number + more)


@compiled
def deliver_past(ring, words, sources, when):
    """Add what events of earlier steps, when < 0, still send to step 0 and later; row 0 of the ring is step 0."""
    delays, _, lines, _, _ = words
    sums, which = ring.reshape(-1), np.zeros(FULL + LANES + AHEAD, np.int32)
    for e in range(len(sources)):
        for d in range(len(delays)):
            if when[e] + delays[d] >= 0:
                base = (when[e] + delays[d]) * ring.shape[1]
                number = _name_lines(sums, base, words, d, which, 0, sources, e, e + 1)
                spread_lines(sums, base, lines, which, number)


@compiled
def _name_lines(sums, base, words, d, which, number, sources, low, high):
    """Name the lines of sources[low : high] behind which[:number]; gives how many there are. Full lists are added up."""
    delays, start, lines, _, _ = words
    for e in range(low, high):
        k = sources[e] * len(delays) + d
        line, end = start[k], start[k + 1]
        while True:  # most sources have fewer than 16 lines
            count_up(which, number, line)
            number += min(end - line, LANES)
            if number > FULL:
                spread_lines(sums, base, lines, which, number)
                number = 0
            line += LANES
            if line >= end:
                break
    return number


@compiled
def write_lines(begin, place, weight, start, lines, values):
    """Write rows of words, begin [rows + 1], place and weight [·], as lines; values: the same memory as float32.

    What fills a last line up repeats places of its own row, those farthest away, and adds nothing.
    """
    for row in range(len(start) - 1):
        number = begin[row + 1] - begin[row]
        for e in range((start[row + 1] - start[row]) * WORDS_A_LINE):
            line, j = start[row] + e // WORDS_A_LINE, e % WORDS_A_LINE
            lines[line, j] = place[begin[row] + e % number]
            values[line, WORDS_A_LINE + j] = weight[begin[row] + e] if e < number else 0


@compiled
def write_rows(source, place, number, rows):
    """Write words, small whole numbers, into rows of half bytes, see `add_rows`; rows hold what means 0."""
    for e in range(len(source)):
        byte, upper = place[e] // (2 * BITS) * BITS + place[e] % BITS, place[e] % (2 * BITS) >= BITS
        old, new = np.int64(rows[source[e], byte]), number[e] + 8
        rows[source[e], byte] = old % 16 + 16 * new if upper else old // 16 * 16 + new


@compiled
def _is_zero(values, low, high):
    """Whether values[low : high], whole vectors of 16, hold nothing but zeros."""
    found = np.uint16(0)
    for at in range(low, high, LANES):
        found |= nonzero(values, at)
    return found == 0


@compiled
def _is_at_rest(state, refractory, low, high):
    size = state.shape[1] * LANES
    return _is_zero(state.reshape(-1), low * size, high * size) and not refractory[low:high].any()


@compiled
def show_spikes(spikes, spike_at, low, z):
    """Set z [T, n] to 1 where sources low … low + n − 1 fired; z holds zeros."""
    for t in range(len(spike_at) - 1):
        for e in range(spike_at[t], spike_at[t + 1]):
            k = spikes[e] - low
            if 0 <= k < z.shape[1]:
                z[t, k] = 1


@compiled
def list_events(events, b, given, given_at):
    """Write the sources that have an event in sample b of [T, B, S] to given, and where each step's end to given_at[1:].

    No source has more than one in a step; given has 64 places more than there may be events.
    """
    steps, batch, sources = events.shape
    flat, at, whole = events.reshape(-1), 0, sources // BITS * BITS
    for t in range(steps):
        row = (t * batch + b) * sources
        for s in range(0, whole, BITS):
            at = list_bits(given, at, nonzeros(flat, row + s), s)
        for s in range(whole, sources):
            given[at] = s
            at += flat[row + s] != 0
        given_at[t + 1] = at


@compiled
def list_often(events, b, given, given_at):
    """Do what `list_events` does for sources that have several events in a step: they are listed as often."""
    at = 0
    for t in range(len(events)):
        for s in range(events.shape[2]):
            for _ in range(int(events[t, b, s])):
                given[at] = s
                at += 1
        given_at[t + 1] = at
