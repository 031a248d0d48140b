"""Synapse words as lists, what each neuron hears and where each spike goes, and spikes as bits and as lists."""

from __future__ import annotations

import numpy as np

from neuro.dynamics.lanes import spread_bits, transposed
from neuro.jit import compiled, estimated
from neuro.jit.bits import lowest, nonzero, ones
from neuro.jit.vector import LANES, room_for

ONE = np.float32(1).view(np.int32)
STRETCH = 2**12  # numbers of float32 in what the smallest cache holds


@compiled
def count_words(weight, source, inputs, planes, count):
    """Count in count [C, n] the words of weights [n, M, C, D] that are not 0, those of inputs once for each plane.

    source [1 or n, M]: who a column listens to; channels of inputs are 0 … inputs − 1, neuron k is inputs + k.
    """
    neurons, columns, currents, lines = weight.shape
    for n in range(neurons):
        heard = source[n if len(source) > 1 else 0]
        for c in range(currents):
            for line in range(lines):
                for column in range(columns):
                    times = planes if heard[column] < inputs else 1
                    count[c, n] += times * (weight[n, column, c, line] != 0)


@compiled
def row_of(who, plane, inputs, planes):
    """The row of a source: an input channel has one for each bit its numbers may have, all channels' first bits first."""
    return who + plane * inputs if who < inputs else who + inputs * (planes - 1)


@compiled
def list_words(weight, source, inputs, planes, route, lines, rows, at, row, offset, value):
    """List words by neuron and current, in places at [C, n] and after: source row, delay · rows − row, and value.

    An input's word is doubled from one plane to the next. route: the delay of each source, lines [D]: what a line adds.
    """
    neurons, columns, currents, _ = weight.shape
    for n in range(neurons):
        heard = source[n if len(source) > 1 else 0]
        for c in range(currents):
            e = at[c, n]
            for line in range(len(lines)):
                for column in range(columns):
                    word = weight[n, column, c, line]
                    if word != 0:
                        who = heard[column]
                        for plane in range(planes if who < inputs else 1):
                            row[e] = row_of(who, plane, inputs, planes)
                            offset[e] = (route[who] + lines[line]) * rows - row[e]
                            value[e] = word * np.float32(1 << plane)
                            e += 1


@compiled
def count_listeners(start, row, own, left_out, low, high, begin):
    """Count in begin [N + 1], from place 1 on, the words that hear neurons low … high − 1; row `own` is neuron 0.

    left_out [N]: targets whose words do not count.
    """
    for k in range(len(start) - 1):
        if not left_out[k % len(left_out)]:
            for e in range(start[k], start[k + 1]):
                n = row[e] - own
                if low <= n < high:
                    begin[n + 1] += 1


@compiled
def list_listeners(start, row, offset, value, rows, own, left_out, low, high, at, towards, worth):
    """List the words that hear neurons low … high − 1: (delay · C + current) · N + target, and value.

    at [high − low]: the place from which on each neuron's stand.
    """
    for k in range(len(start) - 1):
        if left_out[k % len(left_out)]:
            continue
        for e in range(start[k], start[k + 1]):
            n = row[e] - own
            if low <= n < high:
                place = at[n - low]
                towards[place] = (offset[e] + row[e]) // rows * (len(start) - 1) + k
                worth[place] = value[e]
                at[n - low] = place + 1


@compiled
def pack_events(events, plane, bits, first):
    """Write bit `plane` of events [T, B, n] into words [T, n] of the tile whose samples begin at `first`."""
    for t in range(events.shape[0]):
        for lane in range(min(LANES, events.shape[1] - first)):
            row, bit = events[t, first + lane], np.uint16(1 << lane)
            for k in range(len(row)):
                bits[t, k] |= bit if (np.int32(row[k]) >> plane) & 1 else np.uint16(0)


@compiled
def pack_ones(events, bits, first):
    """Write events [T, B, n] that are 0 or 1 into words [T, n] of the full tile whose samples begin at `first`."""
    steps, batch, channels = events.shape
    flat, block = events.reshape(-1), room_for(LANES * LANES)
    whole = channels // LANES * LANES
    for t in range(steps):
        for k in range(0, whole, LANES):
            transposed(block, 0, LANES, flat, (t * batch + first) * channels + k, channels)
            for j in range(LANES):
                bits[t, k + j] = nonzero(block, j * LANES)
    pack_events(events[:, :, whole:], 0, bits[:, whole:], first)


@compiled
def survey(values):
    """Give the least and the largest of float32 values, NaN if one is, and whether all are whole numbers.

    The least is said to be 0 where all are 0 or 1, which a look at their bits tells at once.
    """
    silent, plain = _zeros_and_ones(values.view(np.int32))
    if plain and len(values):
        return np.float32(0), np.float32(0) if silent else np.float32(1), True
    low, high, wrong = np.float32(np.inf), np.float32(-np.inf), False
    for start in range(0, len(values), STRETCH):
        part = values[start : start + STRETCH]
        for k in range(len(part)):
            wrong |= np.floor(part[k]) != part[k]  # true of NaN, too
        least, most = _extremes(part)
        low, high = min(low, least), max(high, most)
    if wrong:
        for k in range(len(values)):
            if np.isnan(values[k]):
                return np.float32(np.nan), np.float32(np.nan), False
    return low, high, not wrong


@compiled
def _zeros_and_ones(bits):
    """Whether float32 values, seen as bits, are all 0, and whether all are 0 or 1."""
    seen, wrong = np.int32(0), np.int32(0)
    for k in range(len(bits)):
        seen |= bits[k]
        wrong |= np.int32(bits[k] != 0) & np.int32(bits[k] != ONE)
    return seen == 0, wrong == 0


@estimated
def _extremes(values):
    low, high = np.float32(np.inf), np.float32(-np.inf)
    for k in range(len(values)):
        low = values[k] if values[k] < low else low
        high = values[k] if values[k] > high else high
    return low, high


@compiled
def unpack_spikes(bits, spikes, first):
    """Write words [T, n] of a tile as zeros and ones into spikes [T, B, n]; the tile's samples begin at `first`."""
    _, batch, neurons = spikes.shape
    flat, whole = spikes.reshape(-1), neurons // LANES * LANES
    for t in range(len(bits)):
        for lane in range(min(LANES, batch - first)):
            at = (t * batch + first + lane) * neurons
            spread_bits(flat, at, bits[t], lane, whole)
            for k in range(whole, neurons):
                flat[at + k] = np.float32((bits[t, k] >> lane) & 1)


@compiled
def unpack_values(tile, low, values, first):
    """Write a tile's values [T, N · 16] of neurons from `low` on into values [T, B, n]."""
    steps, batch, neurons = values.shape
    lanes, flat = min(LANES, batch - first), values.reshape(-1)
    whole = neurons // LANES * LANES if lanes == LANES else 0
    for t in range(steps):
        for k in range(0, whole, LANES):
            transposed(flat, (t * batch + first) * neurons + k, neurons, tile[t], (low + k) * LANES, LANES)
        for lane in range(lanes):
            for k in range(whole, neurons):
                values[t, first + lane, k] = tile[t, (low + k) * LANES + lane]


@compiled
def count_spikes(bits, lanes, count):
    """Add to count [n] the spikes in words [T, n] of a tile whose first `lanes` samples are there."""
    there = np.uint16((1 << lanes) - 1)
    for t in range(len(bits)):
        for k in range(len(count)):
            count[k] += ones(bits[t, k] & there)


@compiled
def count_events(bits, low, high, begin):
    """Count in begin [rows + 1], from place 1 on, the events of source rows low … high − 1 in bits [tiles, T, rows]."""
    for tile in range(len(bits)):
        for t in range(bits.shape[1]):
            for row in range(low, high):
                begin[row + 1] += ones(bits[tile, t, row])


@compiled
def list_events(bits, low, high, begin, place):
    """List those events from place begin [row] on, in the order of time: (step · tiles + tile) · 16 + lane."""
    at = begin[low:high].copy()
    for t in range(bits.shape[1]):
        for tile in range(len(bits)):
            for row in range(low, high):
                word = bits[tile, t, row]
                if word:
                    base, e = (t * len(bits) + tile) * LANES, at[row - low]
                    while word:
                        place[e] = base + lowest(word)
                        word &= word - np.uint16(1)
                        e += 1
                    at[row - low] = e
