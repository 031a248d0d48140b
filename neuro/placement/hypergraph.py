"""Mt-KaHyPar as a beginning: its hypergraph has an edge for every source, over the neurons that hear it.

Gottesbüren, Heuer, Sanders, Schlag 2021, doi:10.1137/1.9781611976472.3; connectivity (km1) is destination cores less one.
"""

from __future__ import annotations

import numpy as np

from neuro.errors import DescriptionError
from neuro.placement.graph import Graph
from neuro.placement.search import Limits


def by_mtkahypar(graph: Graph, limits: Limits, seed: int, cores: np.ndarray) -> np.ndarray:
    """Partition into as few cores as hold all neurons: core [N]; whom a core cannot hold is placed elsewhere later.

    Raises DescriptionError where the package is not installed.
    """
    try:
        import mtkahypar
    except ImportError:
        raise DescriptionError(
            "start is mtkahypar, which is not installed; `pip install mtkahypar`, or start with best"
        ) from None
    room = np.cumsum(limits.neurons - limits.silent[cores])
    blocks = int(np.searchsorted(room, graph.neurons)) + 1
    if blocks < 2:
        return np.full(graph.neurons, cores[0], np.int32)
    starts, listeners = graph.targets
    edges = [listeners[a:b].tolist() for a, b in zip(starts[:-1], starts[1:], strict=True) if b - a > 1]
    library = _library(mtkahypar)
    context = library.context_from_preset(mtkahypar.PresetType.DETERMINISTIC)
    context.set_partitioning_parameters(blocks, 0.03, mtkahypar.Objective.KM1)
    context.set_individual_target_block_weights((limits.neurons - limits.silent[cores[:blocks]]).tolist())
    mtkahypar.set_seed(seed)
    context.logging = False
    found = library.create_hypergraph(context, graph.neurons, len(edges), edges).partition(context)
    return cores[np.array([found.block_id(n) for n in range(graph.neurons)])].astype(np.int32)


def _library(mtkahypar, _kept=[]):  # noqa: B006  (one library a process: it cannot be started twice)
    if not _kept:
        _kept.append(mtkahypar.initialize(1))
    return _kept[0]
