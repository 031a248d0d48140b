"""Routes and tags: every source gets, for each chip it must reach, one row with a tag no other source has there."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import numpy as np

from neuro.descriptor import Chip
from neuro.errors import FitError
from neuro.placement.boards import best_tags_first, usable_tags
from neuro.placement.reach import share_routes
from neuro.placement.routes import Route
from neuro.task import NetworkSpec


def route(
    spec: NetworkSpec, chip: Chip, locations: dict[str, np.ndarray], shared: bool = False
) -> tuple[tuple[Route, ...], tuple[Route, ...]]:
    """Choose routes and tags for neurons, then for input channels: (routes, inputs).

    Every source reaches every core that may listen to it; `shared` lets sources share rows and tags out instead.
    """
    reach = {source: _reach(source, spec, locations) for source in (*spec.inputs, *spec.populations)}
    if shared:
        return _in_task_order(spec, *share_routes(spec, chip, locations, reach))
    for name in spec.populations:
        _check_reach(name, reach[name], chip, locations[name])
    book = _TagBook(chip, sum(spec.size_of(s) for s in reach))
    if chip.tags.echo:
        book.keep_echoes(locations)
    routes = [r for target in range(chip.chips) for r in _neurons_to(target, spec, chip, locations, reach, book)]
    if chip.defects:
        _check_rows(routes, chip)
    inputs = [r for target in range(chip.chips) for r in _inputs_to(target, spec, chip, reach, book)]
    return _in_task_order(spec, routes, inputs)


def _in_task_order(spec: NetworkSpec, routes: list[Route], inputs: list[Route]):
    order = {name: i for i, name in enumerate((*spec.inputs, *spec.populations))}

    def place_in_task(r: Route) -> tuple[int, int, int]:
        return order[r.source], r.index, r.target_chip

    return tuple(sorted(routes, key=place_in_task)), tuple(sorted(inputs, key=place_in_task))


def _reach(source: str, spec: NetworkSpec, locations) -> dict[int, tuple[int, ...]]:
    """Target chip -> cores where somebody may listen to the source."""
    cores: dict[int, set[int]] = {}
    for target in spec.populations:
        if source in spec.sources_of(target):
            for c, k, _ in np.unique(locations[target] * [1, 1, 0], axis=0).tolist():
                cores.setdefault(c, set()).add(k)
    return {c: tuple(sorted(k)) for c, k in sorted(cores.items())}


def _check_reach(name: str, reach: dict, chip: Chip, places: np.ndarray) -> None:
    routes = chip.routes
    allowed = None if routes.entries is None else routes.entries - routes.reserved
    if allowed is not None and len(reach) > allowed:
        raise FitError(
            f"routes: neurons of population {name} must reach {len(reach)} chips, allowed: {allowed} on {chip.label} "
            f"({routes.entries} rows less {routes.reserved} for monitoring); keep its targets on fewer chips by "
            "making them smaller"
        )
    columns = chip.board.columns
    for home in np.unique(places[:, 0]).tolist():
        for target in reach:
            hops = max(abs(target % columns - home % columns), abs(target // columns - home // columns))
            if routes.max_hop is not None and hops > routes.max_hop:
                raise FitError(
                    f"hops: population {name} on chip {home} must reach chip {target}, {hops} chips away along one "
                    f"axis, allowed: {routes.max_hop} on {chip.label}; make the network smaller"
                )


def _check_rows(routes: list[Route], chip: Chip) -> None:
    """Refuse sources that need more rows than a neuron has, as cores of a board share too few tags."""
    rows = Counter((r.source, r.index) for r in routes)
    allowed = None if chip.routes.entries is None else chip.routes.entries - chip.routes.reserved
    if allowed is not None and rows and max(rows.values()) > allowed:
        name, _ = max(rows, key=rows.get)
        raise FitError(
            f"routes: neurons of population {name} need {max(rows.values())} rows, as the cores that listen share too few "
            f"tags that work, allowed: {allowed} on {chip.label}; make what these cores listen to smaller"
        )


class _TagBook:
    """Which tags are spoken for in each core."""

    def __init__(self, chip: Chip, sources: int):
        self.chip = chip
        size = (
            min(2**chip.tags.bits, sources + len(chip.tags.forbidden)) if not chip.tags.own_bits else 2**chip.tags.bits
        )
        self.size, self.used = 2**chip.tags.bits if chip.defects else size, {}

    def core(self, chip: int, core: int) -> np.ndarray:
        if (chip, core) not in self.used:
            self.used[chip, core] = ~usable_tags(self.chip, chip, [core], self.size)
        return self.used[chip, core]

    def keep_echoes(self, locations: dict[str, np.ndarray]) -> None:
        """Keep the own ids of neurons in use for themselves, in their own core."""
        for c, k, n in np.concatenate(list(locations.values())).tolist():
            self.core(c, k)[n] = True

    def free(self, chip: int, cores: tuple[int, ...]) -> np.ndarray:
        """Tags nobody uses in any of some cores, those first that most of their words are good for, ascending."""
        free = np.flatnonzero(~np.any([self.core(chip, k) for k in cores], axis=0))
        return best_tags_first(self.chip, chip, cores, free)

    def take(self, chip: int, cores: tuple[int, ...], tags) -> None:
        for k in cores:
            self.core(chip, k)[tags] = True


def _neurons_to(target: int, spec: NetworkSpec, chip: Chip, locations, reach, book: _TagBook) -> list[Route]:
    wanted = [(name, reach[name][target]) for name in spec.populations if target in reach[name]]
    if not chip.tags.own_bits:
        return [r for name, cores in wanted for r in _consecutive(name, target, cores, spec, chip, book)]
    by_id: dict[int, list[_Sender]] = {}
    for name, cores in wanted:
        for index, (_, core, own) in enumerate(locations[name].tolist()):
            sender = _Sender(name, index, core, cores)
            by_id.setdefault(own % 2**chip.tags.own_bits, []).append(sender)
    routes = []
    for own, senders in by_id.items():
        for s, tag in zip(senders, _colour(own, senders, target, chip), strict=True):
            book.take(target, s.cores, tag)
            routes.append(Route(s.source, s.index, tag, target, s.cores, spec.populations[s.source].route_delay))
    return routes


class _Sender(NamedTuple):
    """A neuron that must be heard on a chip: the core it sits in, and the cores that may listen."""

    source: str
    index: int
    core: int
    cores: tuple[int, ...]


def _colour(own: int, senders: list[_Sender], target: int, chip: Chip) -> list[int]:
    """Choose the free tag bits of sources with one own id so that none meet in a core (exact, by backtracking).

    A source keeps the number of its own core where it can, as tools do that have no say in it.
    """
    highs = range(2 ** (chip.tags.bits - chip.tags.own_bits))
    tags = {high: (high << chip.tags.own_bits) | own for high in highs}
    tags = {high: tag for high, tag in tags.items() if tag not in chip.tags.forbidden}
    order = _keepers_first(senders)
    chosen: dict[int, int] = {}

    def extend() -> bool:
        if len(chosen) == len(senders):
            return True
        number = order[len(chosen)]
        sender = senders[number]
        taken = {tag for other, tag in chosen.items() if not set(sender.cores).isdisjoint(senders[other].cores)}
        for high in sorted(tags, key=lambda high: high != sender.core):
            if tags[high] not in taken and _reaches(chip, target, sender.cores, tags[high]):
                chosen[number] = tags[high]
                if extend():
                    return True
                del chosen[number]
        return False

    if not extend():
        names = sorted({s.source for s in senders})
        raise FitError(
            f"tags: {len(senders)} sources with own id {own} (populations {', '.join(names)}) meet on chip {target}, "
            f"allowed: {len(tags)} a core on {chip.label}; make one of these populations smaller"
        )
    return [chosen[number] for number in range(len(senders))]


def _reaches(chip: Chip, target: int, cores: tuple[int, ...], tag: int) -> bool:
    return chip.working_tags is None or bool(chip.working_tags[target, list(cores), tag].all())


def _keepers_first(senders: list[_Sender]) -> list[int]:
    """Order senders so that the first of those that would claim one core number where they meet comes before the rest."""
    kept: list[int] = []
    for number, sender in enumerate(senders):
        rivals = (senders[k] for k in kept if senders[k].core == sender.core)
        if all(set(sender.cores).isdisjoint(rival.cores) for rival in rivals):
            kept.append(number)
    return [*kept, *(number for number in range(len(senders)) if number not in kept)]


def _consecutive(name: str, target: int, cores, spec: NetworkSpec, chip: Chip, book: _TagBook) -> list[Route]:
    """Give a source's neurons or channels one free tag each, on a measured board one for each group of cores."""
    size, delay = spec.size_of(name), 0 if name in spec.inputs else spec.populations[name].route_delay
    routes = []
    for group in _groups(cores, target, size, book):
        free = book.free(target, group)
        if len(free) < size:
            raise FitError(
                f"tags: {name} needs {size} tags that are free in cores {', '.join(map(str, group))} of chip {target}, "
                f"has {len(free)} on {chip.label}; make what these cores listen to smaller by {size - len(free)}"
                + ("" if spec.candidates == "reachable" else ", or add --set task.candidates=reachable")
            )
        book.take(target, group, free[:size])
        routes += [Route(name, i, int(tag), target, group, delay) for i, tag in enumerate(free[:size])]
    return routes


def _groups(cores: tuple[int, ...], target: int, size: int, book: _TagBook) -> list[tuple[int, ...]]:
    """Part cores so that those of a group have enough tags in common; one group wherever that is enough."""
    if not book.chip.defects:
        return [tuple(cores)]
    groups: list[tuple[int, ...]] = []
    for core in cores:
        fits = (i for i, group in enumerate(groups) if len(book.free(target, (*group, core))) >= size)
        if (i := next(fits, None)) is not None:
            groups[i] = (*groups[i], core)
        else:
            groups.append((core,))
    return groups


def _inputs_to(target: int, spec: NetworkSpec, chip: Chip, reach, book: _TagBook) -> list[Route]:
    wanted = [(name, reach[name][target]) for name in spec.inputs if target in reach[name]]
    channels = sum(spec.inputs[name] for name, _ in wanted)
    if chip.inputs.channels is not None and channels > chip.inputs.channels:
        raise FitError(
            f"input channels: chip {target} would receive {channels}, allowed: {chip.inputs.channels} on {chip.label}; "
            f"take {channels - chip.inputs.channels} channels away"
        )
    return [r for name, cores in wanted for r in _consecutive(name, target, cores, spec, chip, book)]
