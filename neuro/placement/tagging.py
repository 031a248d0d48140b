"""Neuron ids and tags for routes that are known: in every core, no two sources that arrive carry one tag.

Where the low bits of a tag are the neuron's own id, the id is chosen with the tags: a source's core must hold a free id
whose remaining bits are free in all cores that hear it, on every chip.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neuro.descriptor import Chip
from neuro.jit import compiled

ORDERS = 8  # in which rows are given tags before they are said not to fit


@dataclass(frozen=True, eq=False)
class Rows:
    """Destination rows, one for each source and chip, sorted: source and chip [R]; cores[starts[r] : starts[r + 1]].

    Cores are numbered over the whole board.
    """

    source: np.ndarray
    chip: np.ndarray
    starts: np.ndarray
    cores: np.ndarray

    @property
    def width(self) -> np.ndarray:
        """How many cores each row reaches."""
        return np.diff(self.starts)


def rows_of(source: np.ndarray, core: np.ndarray, per_chip: int) -> Rows:
    """Gather sorted (source, core) pairs into rows."""
    chip = core // per_chip
    first = np.ones(len(source), bool)
    first[1:] = (source[1:] != source[:-1]) | (chip[1:] != chip[:-1])
    starts = np.append(np.flatnonzero(first), len(source))
    return Rows(source[first], chip[first], starts, core)


def number_neurons(core: np.ndarray, loud: np.ndarray, chip: Chip) -> np.ndarray:
    """Number the neurons of each core in order; those nobody hears take the silent places first: neuron [N]."""
    number = np.zeros(len(core), np.int64)
    for k in {k for k, _ in chip.tags.silent_sources}:
        here = np.isin(core % chip.cores.per_chip, k)
        silent = sorted(n for at, n in chip.tags.silent_sources if at == k)
        number[here] = _numbered(core[here], loud[here], np.array(silent), chip.cores.neurons)
    plain = ~np.isin(core % chip.cores.per_chip, [k for k, _ in chip.tags.silent_sources])
    number[plain] = _numbered(core[plain], loud[plain], np.zeros(0, np.int64), chip.cores.neurons)
    return number


def _numbered(core: np.ndarray, loud: np.ndarray, silent: np.ndarray, neurons: int) -> np.ndarray:
    order = np.lexsort((loud, core))  # in each core those nobody hears first
    sorted_core = core[order]
    rank = np.arange(len(core)) - np.searchsorted(sorted_core, sorted_core)
    totals = np.bincount(core[~loud], minlength=int(core.max(initial=0)) + 1)
    quiet = np.minimum(totals[sorted_core], len(silent))  # how many of them have a silent place
    open_places = np.setdiff1d(np.arange(neurons), silent)
    places = np.empty(len(core), np.int64)
    settled = rank < quiet
    places[settled] = silent[rank[settled]]
    places[~settled] = open_places[rank[~settled] - quiet[~settled]]
    number = np.empty(len(core), np.int64)
    number[order] = places
    return number


def free_tags(rows: Rows, chip: Chip, cores: int, seed: int) -> tuple[np.ndarray, int]:
    """Give rows the lowest tag that is free in their cores, those to many cores first: (tag [R], a row without, or −1)."""
    forbidden = [t for t in chip.tags.forbidden if t < 2**chip.tags.bits]
    heard = int(np.bincount(rows.cores, minlength=1).max())
    for number in range(ORDERS):
        room = 4 * heard if number == 0 else len(rows.source)  # first-fit seldom takes more
        used = np.zeros((cores, min(2**chip.tags.bits, room + len(forbidden) + 1)), np.bool_)
        used[:, [t for t in forbidden if t < used.shape[1]]] = True
        order = _order(rows, number, seed)
        tag = np.full(len(rows.source), -1, np.int64)
        stuck = _lowest(rows.starts, rows.cores, order, used, tag)
        if stuck < 0:
            return tag, -1
    return tag, int(stuck)


def _order(rows: Rows, number: int, seed: int) -> np.ndarray:
    """Rows to many cores first; equal ones as they stand, then in seeded orders."""
    shuffled = np.arange(len(rows.source))
    if number:
        shuffled = np.random.default_rng([seed, number]).permutation(len(rows.source))
    return shuffled[np.argsort(-rows.width[shuffled], kind="stable")]


@compiled
def _lowest(starts, cores, order, used, tag):
    first = np.zeros(len(used), np.int64)
    for r in order:
        t = 0
        for k in range(starts[r], starts[r + 1]):
            t = max(t, first[cores[k]])
        while t < used.shape[1]:
            free = True
            for k in range(starts[r], starts[r + 1]):
                if used[cores[k], t]:
                    free = False
                    break
            if free:
                break
            t += 1
        if t == used.shape[1]:
            return r
        tag[r] = t
        for k in range(starts[r], starts[r + 1]):
            core = cores[k]
            used[core, t] = True
            while first[core] < used.shape[1] and used[core, first[core]]:
                first[core] += 1
    return -1


def own_tags(
    rows: Rows, inputs: int, core: np.ndarray, loud: np.ndarray, chip: Chip, seed: int
) -> tuple[np.ndarray, np.ndarray, int]:
    """Choose ids with tags whose low bits they are: (neuron [N], tag [R], the source that found none or −1)."""
    own, size = 2**chip.tags.own_bits, 2**chip.tags.bits
    forbidden = np.zeros(size, np.bool_)
    forbidden[list(chip.tags.forbidden)] = True
    silent = np.zeros((chip.cores.per_chip, chip.cores.neurons), np.bool_)
    for at in chip.tags.silent_sources:
        silent[at] = True
    first = np.searchsorted(rows.source, np.arange(inputs + len(core) + 1))
    reach = rows.starts[first[inputs + 1 :]] - rows.starts[first[inputs:-1]]  # cores that hear each neuron
    for number in range(ORDERS):
        neuron, tag = np.full(len(core), -1, np.int64), np.full(len(rows.source), -1, np.int64)
        shuffled = np.random.default_rng([seed, number]).permutation(len(core)) if number else np.arange(len(core))
        order = shuffled[np.argsort(-np.where(loud, reach, -1)[shuffled], kind="stable")]
        stuck = _with_ids(
            rows.starts, rows.cores, rows.source, first, inputs, core, loud, order, forbidden, silent, own, neuron, tag
        )
        if stuck < 0:
            break
    return neuron, tag, int(stuck)


@compiled
def _free(starts, cores, row, used, tag):
    taken = 0
    for k in range(starts[row], starts[row + 1]):
        taken += used[cores[k], tag]
    return taken == 0


@compiled
def _with_ids(starts, cores, sources, first, inputs, core, loud, order, forbidden, silent, own, neuron, tag):
    """Inputs take tags from the top down, then neurons the id that fewest others share where they are heard."""
    board = max(core.max() + 1, cores.max() + 1 if len(cores) else 1)
    per_chip, places = silent.shape
    used = np.zeros((board, len(forbidden)), np.bool_)
    for k in range(board):
        used[k] = forbidden
    taken = np.zeros((board, places), np.bool_)
    for row in range(first[inputs]):
        t = len(forbidden) - 1
        while t >= 0 and not _free(starts, cores, row, used, t):
            t -= 1
        if t < 0:
            return sources[row]
        tag[row] = t
        for k in range(starts[row], starts[row + 1]):
            used[cores[k], t] = True
    for n in order:
        here, s = core[n], inputs + n
        best, which = 2**62, -1
        for at in range(places):
            place = at if loud[n] else places - 1 - at
            if taken[here, place] or (loud[n] and silent[here % per_chip, place]):
                continue
            if not loud[n]:
                which = place
                if silent[here % per_chip, place]:
                    break
                continue
            load, fits = 0, True
            for row in range(first[s], first[s + 1]):
                open_tags = 0
                for t in range(place % own, len(forbidden), own):
                    open_tags += _free(starts, cores, row, used, t)
                    for k in range(starts[row], starts[row + 1]):
                        load += used[cores[k], t]
                if open_tags == 0:
                    fits = False
                    break
            if fits and load < best:
                best, which = load, place
        if which < 0:
            return s
        neuron[n], taken[here, which] = which, True
        for row in range(first[s], first[s + 1]):
            chosen = -1
            for t in range(which % own, len(forbidden), own):
                if _free(starts, cores, row, used, t) and (chosen < 0 or t // own == here % per_chip):
                    chosen = t
            tag[row] = chosen
            for k in range(starts[row], starts[row + 1]):
                used[cores[k], chosen] = True
    return -1
