"""Synapse words as lists: what each neuron hears, where each spike goes, and what a word's gradient is."""

from __future__ import annotations

import numpy as np

from neuro.dynamics.lanes import ROW, lowest, nonzero, ones, row_sum, scattered_sum, transposed
from neuro.dynamics.vector import LANES
from neuro.jit import compiled, estimated

BLOCK = LANES * ROW  # neurons whose gradients are summed together
CACHE = 2**17  # numbers of float32 in half a megabyte
ONE = np.float32(1).view(np.int32)
STRETCH = 2**12  # and in what the smallest cache holds


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
def count_listeners(start, row, own, left_out, begin):
    """Count in begin [N + 1], from place 1 on, the words that hear each neuron; neurons are source rows from `own` on.

    left_out [N]: targets whose words do not count.
    """
    for k in range(len(start) - 1):
        if not left_out[k % len(left_out)]:
            for e in range(start[k], start[k + 1]):
                if row[e] >= own:
                    begin[row[e] - own + 1] += 1


@compiled
def list_listeners(start, row, offset, value, rows, own, left_out, at, towards, worth):
    """List the words that hear each neuron, in places at [N] and after: (delay · C + current) · N + target, and value."""
    for k in range(len(start) - 1):
        if left_out[k % len(left_out)]:
            continue
        for e in range(start[k], start[k + 1]):
            if row[e] >= own:
                n = row[e] - own
                towards[at[n]] = (offset[e] + row[e]) // rows * (len(start) - 1) + k
                worth[at[n]] = value[e]
                at[n] += 1


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
    flat, block = events.reshape(-1), np.empty(LANES * LANES, np.float32)
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
    for t in range(len(bits)):
        for lane in range(min(LANES, spikes.shape[1] - first)):
            row = spikes[t, first + lane]
            for k in range(len(row)):
                row[k] = np.float32((bits[t, k] >> lane) & 1)


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


@compiled
def word_gradients(grad, length, current, low, source, inputs, planes, route, lines, history, begin, place, out):
    """Add to out[:, :, current] of a block's weights [n, M, C, D] dL/dW, a sum over the events of each column.

    grad [tiles, T + D, C, N · 16] is dL/dc, of which `length` steps count; the block is neurons low … low + n − 1 of them,
    n at most 64. Time goes by in stretches whose gradients stay in the processor's cache.
    """
    tiles, steps = len(grad), length
    count, columns = out.shape[:2]
    lanes = tiles * LANES
    stretch = min(max(CACHE // (lanes * BLOCK), 1), steps)
    table, total = np.zeros(stretch * lanes * BLOCK, np.float32), np.empty(BLOCK, np.float32)
    for begun in range(0, steps, stretch):
        ended = min(begun + stretch, steps)
        for tile in range(tiles):
            for t in range(begun, ended):
                base = ((t - begun) * lanes + tile * LANES) * BLOCK
                turn_tile(grad[tile, t, current], low, count, table, base)
        for column in range(columns):
            who = source[column]
            for line in range(len(lines)):
                shift = (route[who] + lines[line] - history - begun) * lanes
                for plane in range(planes if who < inputs else 1):
                    row = row_of(who, plane, inputs, planes)
                    events = place[begin[row] : begin[row + 1]]
                    first = np.searchsorted(events, -shift)
                    last = np.searchsorted(events, (ended - begun) * lanes - shift)
                    if first < last:
                        row_sum(total, 0, table, place, shift, begin[row] + first, begin[row] + last)
                        factor = np.float32(1 << plane)
                        for k in range(count):
                            out[k, column, current, line] += factor * total[k]


@compiled
def entry_gradients(
    grad, length, current, first, low, high, source, inputs, planes, route, lines, history, begin, place, out
):
    """Add to out[low : high, :, current] dL/dW of entries [n, E, C, D] that each listen to a source of their own.

    grad as above; first: number of the first of the n neurons; source [n, E]. Neurons go by sixteens, whose gradients
    are laid out in the order of events: step, tile, lane.
    """
    tiles, steps = len(grad), grad.shape[1]
    lanes = tiles * LANES
    values = np.zeros(LANES * steps * lanes, np.float32)
    for some in range(low, high, LANES):
        count = min(LANES, high - some)
        for t in range(length):
            for tile in range(tiles):
                here = grad[tile, t, current, (first + some) * LANES : (first + some + count) * LANES]
                for k in range(count):
                    for lane in range(LANES):
                        values[(k * steps + t) * lanes + tile * LANES + lane] = here[k * LANES + lane]
        for k in range(count):
            for e in range(source.shape[1]):
                who = source[some + k, e]
                for line in range(len(lines)):
                    shift, total = (route[who] + lines[line] - history) * lanes, np.float32(0)
                    for plane in range(planes if who < inputs else 1):
                        row = row_of(who, plane, inputs, planes)
                        start, end = begin[row], begin[row + 1]
                        if shift < 0:
                            start += np.searchsorted(place[start:end], -shift)
                        part = scattered_sum(values, k * steps * lanes + shift, place, start, end)
                        total += np.float32(1 << plane) * part
                    out[some + k, e, current, line] += total


@compiled
def turn_tile(values, low, count, table, base):
    """Write a tile's values [N · 16] of neurons low … low + count − 1 as 16 rows of 64 from table[base] on."""
    whole = count // LANES * LANES
    for k in range(0, whole, LANES):
        transposed(table, base + k, BLOCK, values, (low + k) * LANES, LANES)
    for k in range(whole, count):
        for lane in range(LANES):
            table[base + lane * BLOCK + k] = values[(low + k) * LANES + lane]
