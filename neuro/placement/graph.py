"""A concrete graph: who hears whom, neuron by neuron, and what it costs to carry events between groups of neurons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from neuro.errors import DescriptionError
from neuro.jit import compiled
from neuro.task import NetworkSpec


@dataclass(frozen=True, eq=False)
class Graph:
    """Sources (input channels first, then the N neurons themselves) and what each neuron hears, each source once.

    starts [N + 1], sources [E]: neuron n hears sources[starts[n] : starts[n + 1]], ascending.
    """

    inputs: int
    starts: np.ndarray
    sources: np.ndarray

    @property
    def neurons(self) -> int:
        return len(self.starts) - 1

    @cached_property
    def targets(self) -> tuple[np.ndarray, np.ndarray]:
        """The same by source: starts [S + 1] and the neurons [E] that hear each, ascending."""
        counts = np.bincount(self.sources, minlength=self.inputs + self.neurons)
        bounds = np.concatenate([[0], np.cumsum(counts)])
        listeners = np.empty(len(self.sources), np.int32)
        _sort_by_source(self.starts, self.sources, bounds[:-1].copy(), listeners)
        return bounds, listeners

    @property
    def heard(self) -> np.ndarray:
        """Which neurons anybody hears: bool [N]."""
        return np.diff(self.targets[0])[self.inputs :] > 0


@compiled
def _sort_by_source(starts, sources, place, listeners):
    for n in range(len(starts) - 1):
        for e in range(starts[n], starts[n + 1]):
            listeners[place[sources[e]]] = n
            place[sources[e]] += 1


def graph_of_pairs(inputs: int, neurons: int, listener: np.ndarray, source: np.ndarray) -> Graph:
    """Make a graph of (listener, source) pairs in any order, some maybe more than once."""
    key = _distinct(np.asarray(listener, np.int64) * (inputs + neurons) + np.asarray(source, np.int64))
    listener, source = np.divmod(key, inputs + neurons)
    starts = np.concatenate([[0], np.cumsum(np.bincount(listener, minlength=neurons))])
    return Graph(inputs, starts, source.astype(np.int32))


def _distinct(key: np.ndarray) -> np.ndarray:
    """Sort numbers and keep one of each; for tens of millions much quicker than `np.unique`, which hashes them."""
    key.sort()
    return key[np.concatenate([[True], key[1:] != key[:-1]])] if len(key) else key


def graph_of(spec: NetworkSpec, given: Mapping[str, Mapping[str, object]]) -> Graph:
    """Make a graph of connections by target and source: [n, m], or [n, m, …] as latents are; what is not 0 is heard.

    Takes arrays, torch tensors and scipy's sparse matrices. Raises DescriptionError naming what is not of the network.
    """
    if isinstance(given, Graph):
        return _checked(spec, given)
    first, inputs = _first_source(spec), sum(spec.inputs.values())
    pairs = [np.zeros((2, 0), np.int64)]
    for target, by_source in given.items():
        for source, connections in by_source.items():
            where = f"graph[{target!r}][{source!r}]"
            if target not in spec.populations or source not in spec.sources_of(target):
                known = ", ".join(f"{p.source} → {p.target}" for p in spec.projections)
                raise DescriptionError(f"{where}: the network has no such projection, allowed: {known}")
            row, column = _nonzero(connections, (spec.size_of(target), spec.size_of(source)), where)
            pairs.append(np.stack([row + first[target] - inputs, column + first[source]]))
    listener, source = np.concatenate(pairs, 1)
    return graph_of_pairs(inputs, sum(p.size for p in spec.populations.values()), listener, source)


def _checked(spec: NetworkSpec, graph: Graph) -> Graph:
    wanted = (sum(spec.inputs.values()), sum(p.size for p in spec.populations.values()))
    if (graph.inputs, graph.neurons) != wanted:
        raise DescriptionError(
            f"graph has {graph.inputs} input channels and {graph.neurons} neurons, allowed: the network's {wanted[0]} "
            f"and {wanted[1]}"
        )
    return graph


def _first_source(spec: NetworkSpec) -> dict[str, int]:
    sizes = {name: spec.size_of(name) for name in (*spec.inputs, *spec.populations)}
    return dict(zip(sizes, np.cumsum([0, *sizes.values()]).tolist(), strict=False))


def _nonzero(connections, shape: tuple[int, int], where: str) -> tuple[np.ndarray, np.ndarray]:
    if hasattr(connections, "tocoo"):
        found, entries = tuple(connections.shape), connections.tocoo()
        row, column = entries.row[entries.data != 0].astype(np.int64), entries.col[entries.data != 0].astype(np.int64)
    else:
        values = np.asarray(connections.detach().cpu() if hasattr(connections, "detach") else connections)
        found = values.shape[:2]
        heard = (values != 0).reshape(*found, -1).any(2) if values.ndim >= 2 else np.zeros((0, 0), bool)
        row, column = np.nonzero(heard)
    if found != shape:
        raise DescriptionError(f"{where} has shape {list(found)}, allowed: {list(shape)}, listeners by sources")
    return row, column


@dataclass(frozen=True)
class Destinations:
    """What a partition costs: (source, chip) and (source, core) pairs that events must reach, and the most of a source.

    chips is the number of routing entries, as one row reaches any cores of a chip.
    """

    chips: int
    cores: int
    chips_most: int
    sources: int

    def __str__(self) -> str:
        a_source = max(self.sources, 1)
        return (
            f"{self.chips:,} destination chips ({self.chips / a_source:.2f} a source, at most {self.chips_most}), "
            f"{self.cores:,} destination cores ({self.cores / a_source:.2f})"
        )


def destinations(graph: Graph, core: np.ndarray, per_chip: int) -> Destinations:
    """Count the destinations of neurons and channels when neuron n sits in core[n], numbered chip by chip."""
    listener = np.repeat(np.arange(graph.neurons), np.diff(graph.starts))
    cores = int(core.max(initial=0)) + 1
    pairs = _distinct(graph.sources.astype(np.int64) * cores + core[listener])
    source, there = np.divmod(pairs, cores)
    by_chip = np.unique(source * cores + there // per_chip) // cores
    rows = np.bincount(by_chip, minlength=1)
    return Destinations(len(by_chip), len(pairs), int(rows.max(initial=0)), int((rows > 0).sum()))


def fewest_destinations(graph: Graph, neurons_per_core: int, per_chip: int) -> Destinations:
    """Bound the destinations of any partition from below, chips and cores each by itself.

    A source with d listeners reaches at least ⌈d / neurons of a core⌉ cores; and the cores together hear at least what
    their most listening neurons hear, which is least where neurons that hear as much as each other share cores.
    """
    fan_out = np.diff(graph.targets[0])
    fan_in = np.sort(np.diff(graph.starts))[::-1]

    def bound(room: int) -> int:
        return int(max((-(-fan_out // room)).sum(), fan_in[::room].sum()))

    room = neurons_per_core * per_chip
    return Destinations(bound(room), bound(neurons_per_core), int((-(-fan_out // room)).max(initial=0)),
                        int((fan_out > 0).sum()))  # fmt: skip
