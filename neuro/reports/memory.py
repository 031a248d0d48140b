"""What neurons hold in their synapse memories, as plain arrays: who listens to whom with how many words."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from neuro.nn import Network


class Words(NamedTuple):
    """One entry a pair of neuron and source: row of the population, column of its memory, words, signed weight."""

    row: np.ndarray
    column: np.ndarray
    words: np.ndarray
    weight: np.ndarray


def words_of(network: Network, target: str) -> Words:
    """List what a population's neurons hold, by neuron and source."""
    memory = network.memories[target]
    code = memory.code
    held = code if network.plan.chip.weights.kind == "counts" else code != getattr(memory.scheme, "empty", 0)
    words = memory.spread(held.double()).sum((2, 3)).cpu().numpy().astype(np.int64)
    weight = memory.spread(memory.weight.double()).sum((2, 3)).detach().cpu().numpy()
    row, column = np.nonzero(words)
    return Words(row, column, words[row, column], weight[row, column])


def column_names(network: Network, target: str) -> list[tuple[str, int]]:
    """The source (name, index) each column of a population's memory stands for."""
    plan = network.plan
    return [(source, i) for source in plan.columns(target) for i in range(plan.spec.size_of(source))]


def core_words(network: Network) -> tuple[list[str], list[str], np.ndarray]:
    """Words by target core and by where their sources are: (targets, sources, counts [targets, sources])."""
    plan = network.plan
    cores = {core: f"chip {core[0]} core {core[1]}" for core in plan.cores}
    sources = [*plan.spec.inputs, *cores.values()]
    counts = np.zeros((len(cores), len(sources)), np.int64)
    home = {name: [sources.index(cores[int(c), int(k)]) for c, k, _ in p] for name, p in plan.locations.items()}
    home |= {name: [sources.index(name)] * size for name, size in plan.spec.inputs.items()}
    for target in plan.spec.populations:
        held = words_of(network, target)
        of_column = np.array([home[source][i] for source, i in column_names(network, target)], np.int64)
        np.add.at(counts, (plan.core_index(target)[held.row], of_column[held.column]), held.words)
    return list(cores.values()), sources, counts
