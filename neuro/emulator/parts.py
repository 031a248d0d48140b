"""A wiring laid out for `neuro.dynamics.stream`: neurons in vectors, words by the source that sends to them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from neuro.dynamics.flat import THETA, rows_of, vectors_of
from neuro.dynamics.lines import WORDS_A_LINE
from neuro.dynamics.stream import write_lines, write_rows
from neuro.emulator.wiring import Wiring
from neuro.jit.vector import LANES, lined_up

SIZE_OF_ROWS = 512  # places: rows are a multiple
WORTH_A_ROW = 1 / 32  # words a place: with fewer, adding them one by one is quicker
NO_ROWS = (0, np.zeros((0, 0), np.uint8), np.zeros(0, np.float32))


@dataclass(frozen=True, eq=False)
class Part:
    """Neurons `first` … `first + size − 1` in K vectors of 16, and the words that end there.

    kind [K], constants [kinds, 9 + C, 16], resting [kinds, 16]: vectors that are alike share their constants; until [K]:
    where a run of them ends. What fills the last vector up cannot fire. often: the events a channel may have in a step for
    the rows of half bytes among words to serve. words: see `neuro.dynamics.stream`; delays of
    neurons are one step shorter, as their events are handed over a step later.
    """

    first: int
    size: int
    kind: np.ndarray
    until: np.ndarray
    constants: np.ndarray
    resting: np.ndarray
    often: int
    words: tuple[np.ndarray, ...]

    @property
    def vectors(self) -> int:
        return len(self.kind)

    @property
    def reach(self) -> int:
        return int(self.words[0].max(initial=0))

    def words_for(self, often: int) -> tuple[np.ndarray, ...]:
        """The words that serve where channels have up to so many events in a step."""
        return self.words if often <= self.often else (*self.words[:3], *NO_ROWS[1:])


def cut(wiring: Wiring, number: int) -> tuple[Part, ...]:
    """Cut a wiring into parts of about as many neurons each."""
    edges = np.linspace(0, wiring.neurons, number + 1).astype(int)
    entries = _entries(wiring)
    return tuple(_part(wiring, entries, low, high) for low, high in zip(edges[:-1], edges[1:], strict=True))


def _part(wiring: Wiring, entries, low: int, high: int) -> Part:
    constants = vectors_of(rows_of(wiring.model, wiring.constants)[:, low:high])
    constants[-1, THETA, (high - low - 1) % LANES + 1 :] = np.inf
    resting = vectors_of(wiring.constants.refractory_steps.numpy()[None, low:high])
    alike = np.concatenate([constants.view(np.int32), resting], 1).reshape(len(constants), -1)
    _, one, kind = np.unique(alike, axis=0, return_index=True, return_inverse=True)
    delays, way, current, neuron, value = entries
    here = (neuron >= low) & (neuron < high)
    local = neuron[here] - low
    place = (local // LANES * wiring.currents + current[here]) * LANES + local % LANES
    grid = vectors_of(np.tile(wiring.grid[low:high], (wiring.currents, 1))).reshape(-1)  # of each place
    sources, stride = wiring.inputs + wiring.neurons, len(constants) * LANES * wiring.currents
    words = csr_array((value[here], (way[here], place)), shape=(sources * len(delays), stride))
    often, rows, scale = _rows(words, grid, wiring.inputs) if len(delays) == 1 else NO_ROWS
    change = np.append(np.flatnonzero(np.diff(kind)) + 1, len(kind))
    until = np.repeat(change, np.diff(change, prepend=0))
    return Part(
        low,
        high - low,
        kind,
        until,
        constants[one],
        resting[one, 0],
        often,
        (delays, *_lines(words, grid), rows, scale),
    )


def _lines(words: csr_array, grid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where the lines of each row of words begin, and the lines."""
    number = -(-np.diff(words.indptr) // WORDS_A_LINE)
    start = np.concatenate([[0], np.cumsum(number)])
    lines = lined_up((start[-1], 2 * WORDS_A_LINE), np.dtype(np.int32))
    value = (words.data * grid[words.indices]).astype(np.float32)
    given = words.indptr.astype(np.int64), words.indices.astype(np.uint32), value
    write_lines(*given, start, lines, lines.view(np.float32))
    return start.astype(np.int32), lines


def _rows(words: csr_array, grid: np.ndarray, inputs: int) -> tuple[int, np.ndarray, np.ndarray]:
    """Rows of half bytes where they serve, see `add_rows`: the events a channel may have in a step, the rows, and scales.

    Words of a place are multiples −8 … 7 of their greatest common divisor, and sums of all of them stay below 128.
    """
    size = -(-words.shape[1] // SIZE_OF_ROWS) * SIZE_OF_ROWS
    source = np.repeat(np.arange(words.shape[0]), np.diff(words.indptr))
    if words.nnz < WORTH_A_ROW * size * words.shape[0]:  # every source has a row, if it has words or not
        return NO_ROWS
    place, units, common = words.indices, words.data.astype(np.int64), np.zeros(size, np.int64)
    np.gcd.at(common, place, units)
    number = units // common[place]
    of_inputs, of_neurons = (
        np.bincount(place[these], abs(number[these]), size) for these in (source < inputs, source >= inputs)
    )
    often = ((127 - of_neurons) // np.maximum(of_inputs, 1)).min()
    if number.min() < -8 or number.max() > 7 or often < 1:
        return NO_ROWS
    rows = lined_up((words.shape[0], size // 2), np.dtype(np.uint8))
    rows[:] = 0x88
    write_rows(source, place.astype(np.int64), number, rows)
    scale = np.zeros(size)
    scale[: len(grid)] = common[: len(grid)] * grid
    return int(often), rows, scale.astype(np.float32)


def _entries(wiring: Wiring):
    """All words: the delays there are [D]; of each word source · D + delay, current, neuron, and its units."""
    found = [(delay, weights.tocoo()) for delay, weights in wiring.weights.items()]
    source = _joined([m.coords[1] for _, m in found], np.int64)
    row = _joined([m.coords[0] for _, m in found], np.int64)
    later = _joined([np.full(m.nnz, delay) for delay, m in found], np.int64) - (source >= wiring.inputs)
    delays, way = np.unique(later, return_inverse=True)
    current, neuron = np.divmod(row, wiring.neurons)
    value = _joined([m.data for _, m in found], np.float64)
    return delays, source * len(delays) + way, current, neuron, value


def _joined(parts: list[np.ndarray], kind) -> np.ndarray:
    return np.concatenate([np.zeros(0, kind), *(part.astype(kind) for part in parts)])
