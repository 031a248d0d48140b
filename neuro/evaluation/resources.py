"""What of a chip a network takes, counted from its plan and its codes; no data needed."""

from __future__ import annotations

import math
from dataclasses import dataclass

from neuro.evaluation.accuracy import usage
from neuro.evaluation.sending import rows_of_sources
from neuro.nn import Network


@dataclass(frozen=True)
class Resources:
    """Neurons, words and distinct sources of all neurons, bytes of the words in use (packed), cores, and route rows.

    footprint: bytes of all parameters and buffers as torch holds them, zeros counted (NeuroBench's definition).
    connection_sparsity: share of zeros among all weights that projections could hold (NeuroBench's definition).
    """

    neurons: int
    slots: int
    slots_mean: float
    sources: int
    sources_mean: float
    memory_bytes: int
    cores: int
    routes: int
    footprint: int
    connection_sparsity: float


def resources_of(network: Network) -> Resources:
    """Count what a network takes of its chip."""
    slots, sources = usage(network)
    spec = network.plan.spec
    weights = sum(spec.size_of(p.source) * spec.size_of(p.target) for p in spec.projections)
    held = [*network.parameters(), *network.buffers()]
    return Resources(
        neurons=len(slots),
        slots=int(slots.sum()),
        slots_mean=float(slots.mean()),
        sources=int(sources.sum()),
        sources_mean=float(sources.mean()),
        memory_bytes=math.ceil(int(slots.sum()) * network.plan.chip.weights.word_bits / 8),
        cores=len(network.plan.cores) + len(network.plan.splitter_cores),
        routes=sum(int(rows.sum()) for name, rows in rows_of_sources(network).items() if name in spec.populations),
        footprint=sum(t.numel() * t.element_size() for t in held),
        connection_sparsity=1 - int(sources.sum()) / weights,
    )
