"""Sums of populations that hear nearly all they could: columns of weights added up for the spikes that happened.

Where most weights are there, a sum over words visits many words of silent sources; a sum over events adds one column of
weights for every spike. Both are exact, so each step takes what costs less. Tables are laid out in blocks of 64 neurons:
row (block · Q + q) of 64 numbers, q = (column · C + current) · D + line, Q = M · C · D.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from neuro.dynamics.lanes import ROW, fourfold_sum, row_sum, transposed
from neuro.jit import compiled
from neuro.jit.bits import lowest, ones
from neuro.jit.vector import LANES, room_for

# Of a population; WORDS: how many there are, EVERY_STEP where none is listed; BEGIN and END: its columns, 0 if not dense.
FIRST, SIZE, WORDS, BEGIN, END, WHOLE, BASE, LINES = range(8)
BLOCK = ROW * LANES
DENSE = 1 / 8  # share of weights that are there, from which on spikes can cost less than words
DENSE_BACK = 0.7  # the same, from which on all columns cost less than words on the way back (measured)
WORD_COST, EVENT_COST = 20, 64  # in what a neuron and event cost (measured): a word; an event besides its neurons
EVERY_STEP = 2**48  # words that cost more than any events: columns are taken whatever happened


def lay_out(network, weights, sources, planes: int, own: int, rows: int, take: Callable, whole: bool):
    """Lay out what the loops need: (populations, offsets, places, table) forward, and back (populations, column_of, delays,
    table); and which populations need no lists of words.

    weights [n, M, C, D] and sources [1, M] of each population of a `Spiking`; neurons are source rows from `own` on, of
    `rows` in all; take: gives an array of a length; whole: whether a loop takes all neurons. On the way back fewer
    populations are in tables, see DENSE_BACK; where loops take them whole, these go by columns forward at every step.
    """
    delay, ids = network.route[:, None] + network.lines, np.arange(len(network.route))
    offset = delay * rows - np.where(ids < network.inputs, ids, ids - network.inputs + own)[:, None]
    number = [int(np.count_nonzero(weight)) for weight in weights]
    parts = list(zip(weights, sources, number, strict=True))
    dense = [len(source) == 1 and planes == 1 and there >= DENSE * weight.size for weight, source, there in parts]
    full = [d and there >= DENSE_BACK * weight.size for d, (weight, _, there) in zip(dense, parts, strict=True)]
    wordless = [whole and each for each in full]
    needed = [-(-len(weight) // BLOCK) * weight[0].size * d for weight, d in zip(weights, dense, strict=True)]
    table = take((sum(needed) + 1) * BLOCK)
    table[-BLOCK:] = 0
    listed, places, populations = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], []
    column_of = np.full((len(weights), network.neurons), -1, np.int32)
    for p, (weight, source, there) in enumerate(parts):
        neurons, columns, currents, lines = weight.shape
        at, base = sum(map(len, listed)), sum(needed[:p])
        ends = (at * lines, (at + columns * dense[p]) * lines)
        words = EVERY_STEP if wordless[p] else there
        populations.append((network.first[p], neurons, words, *ends, columns * currents * lines, base, lines))
        if dense[p]:
            turn_weights(weight.reshape(neurons, -1), table[base * BLOCK :])
            listed.append(source[0])
            places.append((np.arange(columns)[:, None] * (currents * lines) + np.arange(lines)).reshape(-1))
        if full[p]:
            of_neurons = source[0] >= network.inputs
            column_of[p, source[0][of_neurons] - network.inputs] = np.arange(columns)[of_neurons]
    heard, populations = np.concatenate(listed), np.array(populations, np.int64)
    forward = populations, offset[heard].reshape(-1).astype(np.int32), np.concatenate(places).astype(np.int32), table
    backward, by_words = populations.copy(), (column_of < 0).all(1)
    backward[by_words, END] = backward[by_words, BEGIN]
    return forward, (backward, column_of, delay[heard].reshape(-1).astype(np.int32), table), wordless


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
    rows = room_for(LANES * BLOCK)
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


@compiled
def gather_gradients(of_z, least, most, grad, t, populations, column_of, delays, table):
    """Add to of_z [·] what neurons least … most − 1 get back from populations in tables; grad [T + D, C, N · 16].

    column_of [P, N]: the column of a population that is a neuron, −1 if none is; delays: of its columns. The last row of
    the table is 0; of_z has room for three neurons more.
    """
    currents, neurons = grad.shape[1], grad.shape[2] // LANES
    flat, nothing, rows = grad.reshape(-1), len(table) - BLOCK, np.empty(4, np.int64)
    for p in range(len(populations)):
        if populations[p, BEGIN] == populations[p, END]:
            continue
        first, size, lines = populations[p, FIRST], populations[p, SIZE], populations[p, LINES]
        for k in range(least, most, 4):
            for line in range(lines):
                done = 0
                while done < 4:
                    later = -1  # neurons whose spikes take as long go together
                    upto = done
                    while upto < 4:
                        m = column_of[p, k + upto] if k + upto < most else -1
                        now = delays[populations[p, BEGIN] + m * lines + line] if m >= 0 else later
                        if later >= 0 and now != later:
                            break
                        later = now
                        upto += 1
                    if later >= 0:
                        for c in range(currents):
                            base = ((t + later) * currents + c) * neurons + first
                            for block in range(0, size, BLOCK):
                                for i in range(4):
                                    m = column_of[p, k + i] if done <= i < upto and k + i < most else -1
                                    q = (m * currents + c) * lines + line
                                    row = populations[p, BASE] + block // BLOCK * populations[p, WHOLE] + q
                                    rows[i] = row * BLOCK if m >= 0 else nothing
                                number = min(BLOCK, size - block)
                                place = (rows[0], rows[1], rows[2], rows[3], number)
                                fourfold_sum(of_z, (k - least) * LANES, flat, base + block, table, *place)
                    done = upto
