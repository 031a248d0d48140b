"""A wiring laid out for `neuro.dynamics.stream`: neurons in vectors, words by the source that sends to them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from neuro.dynamics.flat import THETA, rows_of, vectors_of
from neuro.dynamics.vector import LANES
from neuro.emulator.wiring import Wiring


@dataclass(frozen=True, eq=False)
class Part:
    """Neurons `first` … `first + size − 1` in K vectors of 16, and the words that end there.

    kind [K], constants [kinds, 9 + C, 16], resting [kinds, 16]: vectors that are alike share their constants, which then
    stay in the first cache; what fills the last vector up cannot fire. words: see `neuro.dynamics.stream`; delays of
    neurons are one step shorter, as their events are handed over a step later.
    """

    first: int
    size: int
    kind: np.ndarray
    constants: np.ndarray
    resting: np.ndarray
    words: tuple[np.ndarray, ...]

    @property
    def vectors(self) -> int:
        return len(self.kind)

    @property
    def reach(self) -> int:
        return int(self.words[0].max(initial=0))


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
    shape = ((wiring.inputs + wiring.neurons) * len(delays), len(constants) * LANES * wiring.currents)
    words = csr_array((value[here], (way[here], place)), shape=shape)
    lists = (words.indptr.astype(np.int64), words.indices.astype(np.uint32), words.data.astype(np.float32))
    return Part(low, high - low, kind, constants[one], resting[one, 0], (delays, *lists))


def _entries(wiring: Wiring):
    """All words: the delays there are [D]; of each word source · D + delay, current, neuron, and its value."""
    found = [(delay, weights.tocoo()) for delay, weights in wiring.weights.items()]
    source = _joined([m.coords[1] for _, m in found], np.int64)
    row = _joined([m.coords[0] for _, m in found], np.int64)
    later = _joined([np.full(m.nnz, delay) for delay, m in found], np.int64) - (source >= wiring.inputs)
    delays, way = np.unique(later, return_inverse=True)
    current, neuron = np.divmod(row, wiring.neurons)
    value = _joined([m.data for _, m in found], np.float64) * wiring.grid[neuron]
    return delays, source * len(delays) + way, current, neuron, value


def _joined(parts: list[np.ndarray], kind) -> np.ndarray:
    return np.concatenate([np.zeros(0, kind), *(part.astype(kind) for part in parts)])
