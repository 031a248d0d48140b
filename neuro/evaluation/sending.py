"""How many events a spike causes: one for every row of a table of routes that carries it."""

from __future__ import annotations

import numpy as np

from neuro.nn import Network


def rows_of_sources(network: Network) -> dict[str, np.ndarray]:
    """Count the route rows of each neuron and the chips or cores each input channel is sent to, by source: int [n].

    On crossbars a source has a row for every core where training gave it an axon, and one where it feeds a splitter.
    """
    plan = network.plan
    rows = {name: np.zeros(plan.spec.size_of(name), int) for name in (*plan.spec.inputs, *plan.spec.populations)}
    for route in (*plan.routes, *plan.inputs):
        rows[route.source][route.index] += 1
    for name in plan.fanouts:
        connected = (network.memories[name].weight != 0).flatten(2).any(2).cpu().numpy()
        index = plan.core_index(name)
        for core in np.unique(index):
            heard = connected[index == core].any(0)
            for source, columns in plan.columns(name).items():
                rows[source] += heard[columns]
        rows[name] += plan.fanouts[name].splits
    return rows
