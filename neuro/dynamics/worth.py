"""What the words of a run are worth: dL/dW as sums of dL/dc over the events that arrived."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from neuro.dynamics import words
from neuro.dynamics.lanes import ROW, fourfold_masked_sum, row_sum, scattered_sum, transposed
from neuro.dynamics.words import row_of
from neuro.jit import compiled, estimated, in_parallel
from neuro.jit.vector import LANES, room_for

BLOCK = LANES * ROW  # neurons whose gradients are summed together
CACHE = 2**17  # numbers of float32 in half a megabyte
NEAR = 2**14  # and in what leaves room for the spikes beside them
FOUR = 4
MANY = 0.75  # events of a source, a step and tile, from which on a look at every step is quicker than a list of them


def add_gradients(
    bits: np.ndarray,
    grad: np.ndarray,
    length: int,
    wanted: Sequence[tuple[int, np.ndarray, np.ndarray]],
    wiring: tuple,
    threads: int,
    take: Callable[..., np.ndarray],
) -> None:
    """Add dL/dW to what is wanted: of each population its first neuron, the array to add to, and whom it listens to.

    bits [tiles, H + T, S]: spikes of all sources; grad [tiles, T + D, C, N · 16] is dL/dc, of which `length` steps count.
    wiring: inputs, planes, route, lines, and H. Columns that all neurons share go by events, entries that each neuron has
    of its own by events or, where there are many, by a look at every step.
    """
    planes, begin = wiring[1], _count_events(bits, threads)
    apart = [part for part in wanted if len(part[2]) > 1]
    often = planes == 1 and begin[-1] > MANY * bits.size
    events = _list_events(bits, begin, threads) if not often or len(apart) < len(wanted) else ()
    jobs = [
        (grad, length, c, first + low, source[0], *wiring, *events, out[low : low + BLOCK])
        for first, out, source in wanted
        if len(source) == 1
        for low in range(0, len(out), BLOCK)
        for c in range(out.shape[2])
    ]
    in_parallel(threads, word_gradients, jobs)
    if often and apart:
        turned = take(len(bits), bits.shape[2], bits.shape[1], kind=np.uint16)
        in_parallel(threads, turn_bits, [(bits[k], turned[k]) for k in range(len(bits))])
    way, about = (masked_gradients, (*wiring[2:], turned)) if often and apart else (entry_gradients, (*wiring, *events))
    jobs = [
        (grad, length, c, first, low, min(low + BLOCK, len(out)), source, *about, out)
        for first, out, source in apart
        for low in range(0, len(out), BLOCK)
        for c in range(out.shape[2])
    ]
    in_parallel(threads, way, jobs)


def _count_events(bits: np.ndarray, threads: int) -> np.ndarray:
    """Where the events of each source row begin in a list of all of them, [rows + 1]."""
    begin = np.zeros(bits.shape[2] + 1, np.int64)
    in_parallel(threads, words.count_events, [(*part, begin) for part in _row_parts(bits, threads)])
    return begin.cumsum()


def _list_events(bits: np.ndarray, begin: np.ndarray, threads: int) -> tuple[np.ndarray, np.ndarray]:
    """List when each source row spoke."""
    place = np.empty(begin[-1], np.int32)
    in_parallel(threads, words.list_events, [(*part, begin, place) for part in _row_parts(bits, threads)])
    return begin, place


def _row_parts(bits: np.ndarray, threads: int) -> list[tuple[np.ndarray, int, int]]:
    """Share source rows out among threads."""
    edges, bits = np.linspace(0, bits.shape[2], threads + 1).astype(np.int64), np.ascontiguousarray(bits)
    return [(bits, low, high) for low, high in zip(edges, edges[1:], strict=False)]


@compiled
def first_from(rising, wanted):
    """Where the first of rising numbers stands that is not below the wanted one."""
    low, high = 0, len(rising)
    while low < high:
        middle = (low + high) // 2
        if rising[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    return low


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
    table, total = room_for(stretch * lanes * BLOCK), room_for(BLOCK)
    table[:] = 0
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
                    first = first_from(events, -shift)
                    last = first_from(events, (ended - begun) * lanes - shift)
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
    values = room_for(LANES * steps * lanes)
    values[:] = 0
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
                            start += first_from(place[start:end], -shift)
                        part = scattered_sum(values, k * steps * lanes + shift, place, start, end)
                        total += np.float32(1 << plane) * part
                    out[some + k, e, current, line] += total


@compiled
def turn_bits(bits, turned):
    """Write spikes [T, rows] of a tile as [rows, T], in blocks that stay in the processor's cache."""
    steps, rows = bits.shape
    for low in range(0, rows, BLOCK):
        for begun in range(0, steps, BLOCK):
            for row in range(low, min(low + BLOCK, rows)):
                for t in range(begun, min(begun + BLOCK, steps)):
                    turned[row, t] = bits[t, row]


@compiled
def masked_gradients(grad, length, current, first, low, high, source, route, lines, history, turned, out):
    """Add what `entry_gradients` adds, by a look at every step: for events that are many, one a channel and step at most.

    turned [tiles, rows, H + T]: the spikes of every source row, bits of a tile's samples.
    """
    tiles, rows, steps = turned.shape
    spikes, entries = turned.reshape(-1), source.shape[1]
    place, together = np.empty(FOUR, np.int64), min(max(NEAR // (length * LANES), 1), LANES)
    values, sums = room_for(together * length * LANES), room_for(FOUR * LANES)
    for tile in range(tiles):
        for some in range(low, high, together):
            count = min(together, high - some)
            for t in range(length):
                here = grad[tile, t, current, (first + some) * LANES : (first + some + count) * LANES]
                for k in range(count):
                    for lane in range(LANES):
                        values[(k * length + t) * LANES + lane] = here[k * LANES + lane]
            for k in range(count):
                for line in range(len(lines)):
                    for e in range(0, entries, FOUR):
                        for i in range(FOUR):
                            who = source[some + k, min(e + i, entries - 1)]
                            place[i] = (tile * rows + who) * steps + history - route[who] - lines[line]
                        fourfold_masked_sum(
                            sums, values, k * length, spikes, place[0], place[1], place[2], place[3], length
                        )
                        for i in range(min(FOUR, entries - e)):
                            out[some + k, e + i, current, line] += lane_total(sums, i * LANES)


@estimated
def lane_total(values, at):
    """The sum of 16 numbers, in any order."""
    total = np.float32(0)
    for lane in range(LANES):
        total += values[at + lane]
    return total


@compiled
def turn_tile(values, low, count, table, base):
    """Write a tile's values [N · 16] of neurons low … low + count − 1 as 16 rows of 64 from table[base] on."""
    whole = count // LANES * LANES
    for k in range(0, whole, LANES):
        transposed(table, base + k, BLOCK, values, (low + k) * LANES, LANES)
    for k in range(whole, count):
        for lane in range(LANES):
            table[base + lane * BLOCK + k] = values[(low + k) * LANES + lane]
