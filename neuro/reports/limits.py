"""A table of limits: what a network has of each, and what its chip allows."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from neuro.evaluation import usage
from neuro.nn import Network
from neuro.placement.plan import tags_per_core


class Limit(NamedTuple):
    """allowed None = the chip sets no such limit."""

    what: str
    have: int
    allowed: int | None

    @property
    def kept(self) -> bool:
        return self.allowed is None or self.have <= self.allowed


def limits_of(network: Network) -> list[Limit]:
    """Measure the fullest place of a network against every limit its plan and its codes must keep."""
    plan, chip = network.plan, network.plan.chip
    slots, _ = usage(network)
    homes = Counter((int(c), int(k)) for places in plan.locations.values() for c, k, _ in places)
    heard = Counter((r.target_chip, core) for r in (*plan.routes, *plan.inputs) for core in r.cores)
    rows = Counter((r.source, r.index) for r in plan.routes)
    channels = Counter(r.target_chip for r in plan.inputs)
    columns = chip.board.columns
    hops = [
        max(abs(r.target_chip % columns - home % columns), abs(r.target_chip // columns - home // columns))
        for r in plan.routes
        for home in [int(plan.locations[r.source][r.index][0])]
    ]
    entries = None if chip.routes.entries is None else chip.routes.entries - chip.routes.reserved
    return [
        Limit("cores", len(homes), chip.chips * chip.cores.per_chip),
        Limit("neurons of the fullest core", max(homes.values()), chip.cores.neurons),
        Limit("slots of the fullest neuron", int(slots.max()), chip.weights.slots),
        Limit("sources told apart by the fullest core", max(heard.values(), default=0), tags_per_core(chip)),
        Limit("route rows of a neuron", max(rows.values(), default=0), entries),
        Limit("hops along one axis", max(hops, default=0), chip.routes.max_hop),
        Limit("input channels of a chip", max(channels.values(), default=0), chip.inputs.channels),
        Limit("limits exceeded, all kinds", len(network.violations()), 0),
    ]
