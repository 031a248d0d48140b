"""Limits on the words of one source, shared out before training: each core of each population gets its part.

Chips that keep words by source run short by source: a neuron's events find so many words on all the chip (fan-out), or
the words of all sources of a core fill its memory, block by block. What a source may have in a core is divided among the
populations there in proportion to their neurons, so that training inside these shares can never exceed the whole.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from neuro.descriptor import Chip
from neuro.errors import FitError
from neuro.placement.plan import Plan, Route
from neuro.task import NetworkSpec

Cell = tuple[str, tuple[int, int]]
"""A population and a core (chip, core) that holds some of it."""


def words_of_sources(
    spec: NetworkSpec, chip: Chip, locations: Mapping[str, np.ndarray], currents: int
) -> dict[str, np.ndarray]:
    """Give, for populations whose words are limited by source, the most each source may have in each core: [K, M].

    K: cores in use, sorted; M: the population's columns. Raises FitError where a core's memory has not a word for each
    source.
    """
    cells = _cells(locations)
    cores = sorted({core for _, core in cells})
    each = currents * len(spec.delay_lines)
    need = {cell: neurons * each for cell, neurons in cells.items()}
    left: dict[tuple[str, Cell], int] = {}
    for source in (*spec.inputs, *spec.populations):
        listening = {cell: n for cell, n in need.items() if source in spec.sources_of(cell[0])}
        left.update({(source, cell): n for cell, n in listening.items()})
        most = _fan_out(source, spec, chip, locations) if listening else None
        if most is not None:
            left.update({(source, cell): n for cell, n in _shared(most, listening).items()})
    for core in cores if chip.cores.memory else ():
        _into_memory(core, spec, chip, left)
    result = {}
    for name in locations:
        table, binding = _table(name, spec, cores, left), False
        for k, core in enumerate(cores):
            binding |= (name, core) in need and bool((table[k] < need[name, core]).any())
        if binding:
            result[name] = table
    return result


def refuse_rows(plan: Plan) -> None:
    """Raise FitError where the neurons of a core would need more rows, each to one core, than it has."""
    limit = plan.chip.routes.per_core
    if limit is None:
        return
    rows: dict[tuple[int, int], int] = {}
    for r in plan.routes:
        home = _home(r, plan)
        rows[home] = rows.get(home, 0) + len(r.cores)
    for (chip, core), have in sorted(rows.items()):
        if have > limit:
            raise FitError(
                f"routes: the neurons of core {core} of chip {chip} need {have} rows, allowed: {limit} on "
                f"{plan.chip.label}; keep their targets on fewer cores by making them smaller"
            )


def block_bits(words: int, chip: Chip, delays: bool) -> int:
    """Bits of memory that so many words of one source take in a core."""
    memory = chip.cores.memory
    each = chip.weights.word_bits + (memory.delay_bits if delays else 0)
    whole, rest = divmod(words, memory.block_words)
    sizes = [memory.block_words] * whole + ([rest] if rest else [])
    return sum(_rounded_up(n * each + memory.header_bits, memory.align_bits) for n in sizes)


def _home(route: Route, plan: Plan) -> tuple[int, int]:
    chip, core, _ = plan.locations[route.source][route.index].tolist()
    return chip, core


def _rounded_up(bits: int, step: int) -> int:
    return -(-bits // step) * step


def _cells(locations: Mapping[str, np.ndarray]) -> dict[Cell, int]:
    """How many neurons of each population each core holds."""
    cells: dict[Cell, int] = {}
    for name, places in locations.items():
        for core, number in zip(*np.unique(places[:, :2], axis=0, return_counts=True), strict=True):
            cells[name, (int(core[0]), int(core[1]))] = int(number)
    return cells


def _fan_out(source: str, spec: NetworkSpec, chip: Chip, locations: Mapping[str, np.ndarray]) -> int | None:
    """The most words on all the chip that may hold one neuron of a population; inputs may have any number."""
    limits = chip.weights
    if source in spec.inputs or (limits.fan_out is None and limits.fan_out_mean is None):
        return None
    most = [] if limits.fan_out is None else [limits.fan_out]
    if limits.fan_out_mean is not None:
        sources = {p.source for p in spec.projections}
        homes = np.concatenate([locations[name][:, :2] for name in spec.populations if name in sources])
        places, speakers = np.unique(homes, axis=0, return_counts=True)
        here = [(places == core).all(1).argmax() for core in np.unique(locations[source][:, :2], axis=0)]
        whole = limits.fan_out_mean * (chip.cores.neurons - (chip.cores.outputs or 0))
        most.append(whole // int(speakers[here].max()))
    return min(most)


def _shared(total: int, wishes: Mapping[Cell, int]) -> dict[Cell, int]:
    """Divide a number in proportion to wishes, none above its wish; what is left over goes by the largest remainder."""
    wanted = sum(wishes.values())
    if wanted <= total:
        return dict(wishes)
    parts = {cell: total * n // wanted for cell, n in wishes.items()}
    order = sorted(wishes, key=lambda cell: -(total * wishes[cell] % wanted))
    for cell in order[: total - sum(parts.values())]:
        parts[cell] += 1
    return parts


def _into_memory(core: tuple[int, int], spec: NetworkSpec, chip: Chip, left: dict[tuple[str, Cell], int]) -> None:
    """Lower what sources may have in a core to what its memory holds: as many words for each, or all it can use."""
    here: dict[str, dict[Cell, int]] = {}
    for (source, cell), words in left.items():
        if cell[1] == core:
            here.setdefault(source, {})[cell] = words
    wanted = {source: sum(cells.values()) for source, cells in here.items()}
    bits, delays = chip.cores.memory.bits, max(spec.delay_lines) > 0

    def taken(most: int) -> int:
        return sum(spec.size_of(s) * block_bits(min(most, n), chip, delays) for s, n in wanted.items())

    if taken(1) > bits:
        sources = sum(map(spec.size_of, wanted))
        raise FitError(
            f"synapse memory: core {core[1]} of chip {core[0]} may listen to {sources} sources, which take {taken(1)} bits "
            f"with a word each, allowed: {bits} on {chip.label}; make what its populations listen to smaller"
        )
    low, high = 1, max(wanted.values(), default=1)
    while low < high:
        middle = math.ceil((low + high) / 2)
        low, high = (middle, high) if taken(middle) <= bits else (low, middle - 1)
    for source, cells in here.items():
        left.update({(source, cell): n for cell, n in _shared(low, cells).items()})


def _table(name: str, spec: NetworkSpec, cores: list, left: Mapping[tuple[str, Cell], int]) -> np.ndarray:
    rows = [
        [left.get((source, (name, core)), 0) for source in spec.sources_of(name) for _ in range(spec.size_of(source))]
        for core in cores
    ]
    return np.array(rows, dtype=np.int64)
