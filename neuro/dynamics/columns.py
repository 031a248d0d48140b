"""Sums of populations that hear nearly all they could: columns of weights added up for the spikes that happened.

Where most weights are there, a sum over words visits many words of silent sources; a sum over events adds one column of
weights for every spike. Both are exact, so each step takes what costs less. Tables are laid out in blocks of 64 neurons:
row (block · Q + q) of 64 numbers, q = (column · C + current) · D + line, Q = M · C · D.
"""

from __future__ import annotations

import numpy as np

from neuro.dynamics.lanes import ROW, lowest, ones, row_sum, transposed
from neuro.dynamics.vector import LANES
from neuro.jit import compiled

FIRST, SIZE, WORDS, BEGIN, END, WHOLE, BASE, LINES = range(
    8
)  # of a population; BEGIN and END: its columns, 0 if not dense
BLOCK = ROW * LANES
DENSE = 1 / 8  # share of weights that are there, from which on spikes can cost less than words
WORD_COST, EVENT_COST = 20, 64  # in what a neuron and event cost (measured): a word; an event besides its neurons


@compiled
def most_columns(populations):
    most = 0
    for p in range(len(populations)):
        most = max(most, populations[p, END] - populations[p, BEGIN])
    return most


@compiled
def widest(populations):
    """Neurons of the largest population, in whole blocks."""
    most = 0
    for p in range(len(populations)):
        if populations[p, END] > populations[p, BEGIN]:
            most = max(most, (populations[p, SIZE] + BLOCK - 1) // BLOCK * BLOCK)
    return most


@compiled
def few_events(words, now, population, offsets):
    """Whether columns for the events that arrive in this step cost less than words."""
    begin, end = population[BEGIN], population[END]
    if begin == end:
        return False
    events = 0
    for k in range(begin, end):
        events += ones(words[now - offsets[k]])
    return events * (population[SIZE] + EVENT_COST) < population[WORDS] * WORD_COST


@compiled
def sum_columns(out, words, now, population, currents, offsets, places, table, spoken):
    """Write the sums of a population's neurons and currents to out [·, C, 16]; spoken: room for 16 lists of columns."""
    begin, end = population[BEGIN], population[END]
    room, blocks = end - begin, (population[SIZE] + BLOCK - 1) // BLOCK
    number = np.zeros(LANES, np.int64)
    for k in range(begin, end):
        word = words[now - offsets[k]]
        while word:
            lane = lowest(word)
            spoken[lane * room + number[lane]] = places[k]
            number[lane] += 1
            word &= word - np.uint16(1)
    rows = np.empty(LANES * BLOCK, np.float32)
    for block in range(blocks):
        for c in range(currents):
            shift = population[BASE] + block * population[WHOLE] + c * population[LINES]
            for lane in range(LANES):
                row_sum(rows, lane * BLOCK, table, spoken, shift, lane * room, lane * room + number[lane])
            for k in range(0, BLOCK, LANES):
                at = ((block * BLOCK + k) * currents + c) * LANES
                transposed(out, at, currents * LANES, rows, k, BLOCK)


@compiled
def turn_weights(weight, table):
    """Write weights [n, Q] as rows of 64 into table [blocks · Q · 64]; what fills the last block up is 0."""
    neurons, columns = weight.shape
    flat = weight.reshape(-1)
    for block in range((neurons + BLOCK - 1) // BLOCK):
        for n in range(0, BLOCK, LANES):
            row = block * BLOCK + n
            whole = columns // LANES * LANES if row + LANES <= neurons else 0
            for q in range(0, whole, LANES):
                at = (block * columns + q) * BLOCK + n
                transposed(table, at, BLOCK, flat, row * columns + q, columns)
            for q in range(whole, columns):
                for k in range(LANES):
                    value = weight[row + k, q] if row + k < neurons else np.float32(0)
                    table[(block * columns + q) * BLOCK + n + k] = value
