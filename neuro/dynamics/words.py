"""Synapse words as lists: what each neuron hears, where each spike goes, and what a word's gradient is."""

from __future__ import annotations

import numpy as np

from neuro.dynamics.lanes import LANES, ROW, lowest, ones, row_sum
from neuro.jit import compiled

BLOCK = LANES * ROW  # neurons whose gradients are summed together
CACHE = 2**17  # numbers of float32 in half a megabyte


@compiled
def count_words(weight, planes, count):
    """Count in count [C, n] the words of weights [n, M, C, D] that are not 0, a column once for each of its planes."""
    neurons, columns, currents, lines = weight.shape
    for n in range(neurons):
        for c in range(currents):
            for line in range(lines):
                for column in range(columns):
                    count[c, n] += planes[column] * (weight[n, column, c, line] != 0)


@compiled
def list_words(weight, row, planes, apart, delay, rows, at, source, offset, value):
    """List words by neuron and current, in places at [C, n] and after: source row, delay · rows − row, and value.

    row [M]: each column's source row; planes [M]: how many rows an input channel takes, `apart` rows from one to the
    next, the weight doubled each time; delay [M, D] in steps.
    """
    neurons, columns, currents, lines = weight.shape
    for n in range(neurons):
        for c in range(currents):
            e = at[c, n]
            for line in range(lines):
                for column in range(columns):
                    word = weight[n, column, c, line]
                    if word != 0:
                        for plane in range(planes[column]):
                            source[e] = row[column] + plane * apart
                            offset[e] = delay[column, line] * rows - source[e]
                            value[e] = word * np.float32(1 << plane)
                            e += 1


@compiled
def count_listeners(source, own, begin):
    """Count in begin [N + 1], from place 1 on, the words that hear each neuron; neurons are source rows from `own` on."""
    for e in range(len(source)):
        if source[e] >= own:
            begin[source[e] - own + 1] += 1


@compiled
def list_listeners(start, source, offset, value, rows, own, at, towards, worth):
    """List the words that hear each neuron, in places at [N] and after: (delay · C + current) · N + target, and value."""
    for k in range(len(start) - 1):
        for e in range(start[k], start[k + 1]):
            if source[e] >= own:
                n = source[e] - own
                towards[at[n]] = (offset[e] + source[e]) // rows * (len(start) - 1) + k
                worth[at[n]] = value[e]
                at[n] += 1


@compiled
def pack_events(events, plane, bits, first):
    """Write bit `plane` of events [T, B, n] into words [T, n] of the tile whose samples begin at `first`."""
    for t in range(events.shape[0]):
        for lane in range(min(LANES, events.shape[1] - first)):
            row, bit = events[t, first + lane], np.uint16(1 << lane)
            for k in range(len(row)):
                bits[t, k] |= bit if (int(row[k]) >> plane) & 1 else np.uint16(0)


@compiled
def unpack_spikes(bits, neurons, spikes, first):
    """Write words [T, N] of a tile as zeros and ones into spikes [T, B, R] of some neurons [R]."""
    for t in range(len(bits)):
        for lane in range(min(LANES, spikes.shape[1] - first)):
            row = spikes[t, first + lane]
            for r in range(len(neurons)):
                row[r] = np.float32((bits[t, neurons[r]] >> lane) & 1)


@compiled
def unpack_values(tile, neurons, values, first):
    """Write a tile's values [T, N · 16] into values [T, B, R] of some neurons [R]."""
    for t in range(len(tile)):
        for lane in range(min(LANES, values.shape[1] - first)):
            for r in range(len(neurons)):
                values[t, first + lane, r] = tile[t, neurons[r] * LANES + lane]


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
def word_gradients(grad, current, low, row, planes, apart, delay, history, begin, place, out):
    """Add to out[:, :, current] of a block's weights [n, M, C, D] dL/dW, a sum over the events of each column.

    grad [tiles, T + D, C, N · 16] is dL/dc; the block is neurons low … low + n − 1 of them, n at most 64. Time goes by
    in stretches whose gradients stay in the processor's cache.
    """
    tiles, steps = len(grad), grad.shape[1]
    count, columns, _, lines = out.shape
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
            for line in range(lines):
                shift = (delay[column, line] - history - begun) * lanes
                for plane in range(planes[column]):
                    source = row[column] + plane * apart
                    events = place[begin[source] : begin[source + 1]]
                    first = np.searchsorted(events, -shift)
                    last = np.searchsorted(events, (ended - begun) * lanes - shift)
                    if first < last:
                        row_sum(total, 0, table, place, shift, begin[source] + first, begin[source] + last)
                        factor = np.float32(1 << plane)
                        for k in range(count):
                            out[k, column, current, line] += factor * total[k]


@compiled
def turn_tile(values, low, count, table, base):
    """Write a tile's values [N · 16] of neurons low … low + count − 1 as 16 rows of 64 from table[base] on."""
    for k in range(count):
        for lane in range(LANES):
            table[base + lane * BLOCK + k] = values[(low + k) * LANES + lane]
