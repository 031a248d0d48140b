"""Random graphs to place, and what placing one must keep, counted from scratch."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from neuro.placement.graph import Graph, graph_of_pairs


def small_world(neurons: int, heard: int, rewired: float, rng: np.random.Generator, inputs: int = 0) -> Graph:
    """A ring whose neurons hear their neighbours, some of them replaced by anybody; shuffled, with channels at random."""
    target = np.repeat(np.arange(neurons), heard)
    step = np.tile(np.r_[-(heard // 2) : 0, 1 : heard - heard // 2 + 1], neurons)
    source = (target + step) % neurons
    far = rng.random(len(source)) < rewired
    source[far] = rng.integers(0, neurons, far.sum())
    name = rng.permutation(neurons)
    target, source = name[target], name[source] + inputs
    if inputs:
        listener = np.repeat(np.arange(neurons), 2)
        target = np.append(target, listener)
        source = np.append(source, rng.integers(0, inputs, len(listener)))
    return graph_of_pairs(inputs, neurons, target, source)


def counted(graph: Graph, core, per_chip: int) -> dict:
    """Everything a placement costs, by plain loops over sets."""
    chips, cores, hears, channels = defaultdict(set), defaultdict(set), defaultdict(set), defaultdict(set)
    for n in range(graph.neurons):
        for s in graph.sources[graph.starts[n] : graph.starts[n + 1]].tolist():
            chips[s].add(int(core[n]) // per_chip)
            cores[s].add(int(core[n]))
            hears[int(core[n])].add(s)
            if s < graph.inputs:
                channels[int(core[n]) // per_chip].add(s)
    return {
        "chips": sum(map(len, chips.values())),
        "cores": sum(map(len, cores.values())),
        "rows": max((len(c) for s, c in chips.items() if s >= graph.inputs), default=0),
        "heard": max(map(len, hears.values()), default=0),
        "channels": max(map(len, channels.values()), default=0),
        "chips of": chips,
    }
