"""A plan: which neuron of which core computes what, and by which tags events reach it; it can be printed and checked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from neuro.descriptor import Chip, SynapseType
from neuro.dynamics import ParameterSet
from neuro.placement.boards import tags_of_core, word_limits
from neuro.placement.fanout import Fanout
from neuro.placement.grid import weight_unit
from neuro.placement.parameters import listens_with
from neuro.placement.routes import Route, RouteTable
from neuro.task import NetworkSpec


@dataclass(frozen=True, eq=False)
class Plan:
    """A network laid out on a chip, before the first training step.

    locations: population -> int array [n, 3] of (chip, core, neuron). types: synapse types in use, in descriptor order.
    fanouts: where a neuron has one destination, how each population reaches who listens; routes and inputs are then
    empty, as training decides who gets an axon. budgets: population -> the most words of each column in each of `cores`,
    int [K, M], where the chip limits words by source and the limit can be met.
    """

    spec: NetworkSpec
    chip: Chip
    currents: tuple[str, ...]
    types: tuple[SynapseType, ...]
    parameters: dict[str, ParameterSet]
    locations: dict[str, np.ndarray]
    routes: Sequence[Route] | RouteTable
    inputs: Sequence[Route] | RouteTable
    latches: tuple[tuple[int, int, int, str], ...]
    fanouts: dict[str, Fanout] = field(default_factory=dict)
    budgets: dict[str, np.ndarray] = field(default_factory=dict)

    @cached_property
    def cores(self) -> tuple[tuple[int, int], ...]:
        """The (chip, core) pairs that hold populations, sorted."""
        per_chip = self.chip.cores.per_chip
        numbers = np.unique(np.concatenate([place[:, 0] * per_chip + place[:, 1] for place in self.locations.values()]))
        return tuple((int(n) // per_chip, int(n) % per_chip) for n in numbers)

    @cached_property
    def splitter_cores(self) -> tuple[tuple[int, int], ...]:
        """The (chip, core) pairs that hold splitters, sorted; they are not among `cores`."""
        return tuple(sorted({(int(c), int(k)) for fanout in self.fanouts.values() for c, k, _ in fanout.axons}))

    @cached_property
    def tables_of_routes(self) -> tuple[RouteTable, RouteTable]:
        """Routes and inputs as arrays."""
        return RouteTable.of(self.routes, tuple(self.spec.populations)), RouteTable.of(
            self.inputs, tuple(self.spec.inputs)
        )

    def core_index(self, population: str) -> np.ndarray:
        """Position in `cores` of each neuron of a population: int [n]."""
        per_chip, place = self.chip.cores.per_chip, self.locations[population]
        known = np.array([chip * per_chip + core for chip, core in self.cores])
        return np.searchsorted(known, place[:, 0] * per_chip + place[:, 1])

    def type_of(self, current: str, sign: int) -> SynapseType | None:
        """The synapse type that gives a current one sign, or None where the chip has none in use."""
        entry = next(c for c in self.chip.currents if c.name == current)
        names = (*entry.types, *entry.shunting)
        return next((t for t in self.types if t.name in names and t.sign == sign), None)

    def columns(self, target: str) -> dict[str, slice]:
        """Where each source stands among the columns of a population's synapse memory."""
        result, start = {}, 0
        for source in self.spec.sources_of(target):
            stop = start + self.spec.size_of(source)
            result[source] = slice(start, stop)
            start = stop
        return result

    def source_delay(self, source: str) -> int:
        """Steps an event is on its way before any delay line: 0 for inputs, the routes' delay for neurons."""
        if source in self.spec.inputs:
            return 0
        splits = source in self.fanouts and self.fanouts[source].splits
        return self.spec.populations[source].route_delay + splits

    def width(self, target: str) -> int:
        """How many columns a population's synapse memory has: all that it could listen to."""
        return max((place.stop for place in self.columns(target).values()), default=0)

    def usable(self, target: str) -> np.ndarray:
        """Which words each column may use, by the delays of projections and the currents heard: bool [M, C, D]."""
        mask = np.ones((self.width(target), len(self.currents), len(self.spec.delay_lines)), bool)
        for source, place in self.columns(target).items():
            delay = self.spec.projection(source, target).delay
            if delay is not None:
                wanted = delay - self.source_delay(source)
                mask[place, :, [line != wanted for line in self.spec.delay_lines]] = False
        heard = listens_with(self.spec.populations[target], self.chip)
        mask[:, [current not in heard for current in self.currents]] = False
        return mask

    def itself(self, target: str) -> np.ndarray:
        """The column each neuron may not listen to, as it is the neuron itself: int [n], or none [0]."""
        columns = self.columns(target)
        if target not in columns or self.spec.projection(target, target).autapses:
            return np.zeros(0, np.int64)
        return np.arange(columns[target].start, columns[target].stop)

    def heard(self, target: str) -> np.ndarray | None:
        """Which columns routes lead to each neuron's core: bool [N, M], or None where all do, or training decides."""
        if self.fanouts:
            return None
        columns, position = self.columns(target), {core: i for i, core in enumerate(self.cores)}
        table = np.zeros((len(self.cores), self.width(target)), bool)
        start = {source: place.start for source, place in columns.items()}
        for table_of in self.tables_of_routes:
            first, of, row = table_of.of_source(start), table_of.index, table_of.row
            at = [
                position.get(core, -1)
                for core in zip(table_of.target_chip[row].tolist(), table_of.cores.tolist(), strict=True)
            ]
            known = (first[row] >= 0) & (np.array(at, np.int64) >= 0)
            table[np.array(at, np.int64)[known], (first + of)[row][known]] = True
        index = self.core_index(target)
        return None if table[np.unique(index)].all() else table[index]

    def allowed(self, target: str) -> np.ndarray | None:
        """Which words a population's rewiring may use: bool [N, M, C, D], or None where every word is allowed."""
        size, usable, itself = self.spec.size_of(target), self.usable(target), self.itself(target)
        heard = self.heard(target)
        if usable.all() and not len(itself) and heard is None:
            return None
        mask = np.repeat(usable[None], size, 0)
        if heard is not None:
            mask &= heard[:, :, None, None]
        if len(itself):
            mask[np.arange(size), itself] = False
        return mask

    def describe(self) -> str:
        """Lay the plan out as text: each population's cores, and how many tags each core tells apart."""
        used = len(self.cores) + len(self.splitter_cores)
        lines = [f"{self.chip.label}: {used} of {self.chip.chips * self.chip.cores.per_chip} cores"]
        for name, place in self.locations.items():
            residents = Counter(map(tuple, place[:, :2].tolist()))
            parts = [f"chip {c} core {k}: {n}" for (c, k), n in sorted(residents.items())]
            lines.append(f"  {name} ({len(place)} neurons): {'; '.join(parts)}{self._describe_words(name)}")
        hears = Counter(
            core
            for table in self.tables_of_routes
            for core in zip(table.target_chip[table.row].tolist(), table.cores.tolist(), strict=True)
        )
        for chip, core in self.cores if not self.fanouts else ():
            told = tags_of_core(self.chip, chip, core)
            lines.append(f"  chip {chip} core {core} tells {hears[chip, core]} sources apart (of {told})")
        for name, words in self.budgets.items():
            here = words[np.unique(self.core_index(name))]
            lines.append(f"  {name}: a source has {here.min()} to {here.max()} words in a core")
        return "\n".join([*lines, *map(self._describe_fanout, self.fanouts)])

    def _describe_words(self, name: str) -> str:
        """On a measured board: how many words its neurons have, least and most."""
        limits = word_limits(self, name)
        if limits is None:
            return ""
        kinds = ("for low tags", "for high tags", "in all") if limits.shape[1] > 1 else ("that work",)
        texts = [f"{low} to {high} {kind}" for low, high, kind in zip(limits.min(0), limits.max(0), kinds, strict=True)]
        return f"; words: {', '.join(texts)}"

    def _describe_fanout(self, name: str) -> str:
        fanout, constants = self.fanouts[name], self.parameters[name]
        cores = {(int(c), int(k)) for c, k, _ in fanout.axons}
        way = (
            f"{len(cores)} cores of splitters, one step more" if fanout.splits else f"{len(fanout.copies)} copies each"
        )
        unit = weight_unit(self.chip, self.spec, name)
        return (
            f"  {name} may hear {self.width(name)} sources on {self.chip.cores.axons} axons a core; {len(fanout.targets)} "
            f"cores listen to it: {way}; threshold {constants.theta / unit:g}, leak {constants.leak / unit:g} weight units"
        )
