"""Routes where not everyone can be heard everywhere: in turns, each source takes a chip, some cores and a tag free there.

On DYNAP-SE1 a core tells four sources with one own id apart, and a source reaches three chips: a recurrent network that
fills the board has 4,092 sources, of which a core hears 1,023. Every source gets its share, spread over as many chips
as it has rows, so that what a neuron may listen to comes from everywhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from neuro.descriptor import Chip
from neuro.errors import FitError
from neuro.placement.boards import best_tags_first, usable_tags
from neuro.placement.routes import Route
from neuro.task import NetworkSpec


@dataclass
class _Sender:
    """A neuron that others may listen to: where it sits, and what it got: chip -> (tag, mask of cores)."""

    source: str
    index: int
    chip: int
    core: int
    neuron: int
    got: dict[int, tuple[int, int]] = field(default_factory=dict)


class _Tags:
    """Which cores of a chip have each tag still free, as masks."""

    def __init__(self, chip: Chip):
        self.own = 2**chip.tags.own_bits
        measured = chip.chips if chip.defects else 1  # without a board all chips are alike
        free, order = zip(*(_free_tags(chip, c) for c in range(measured)), strict=True)
        self.free = [list(free[c % measured]) for c in range(chip.chips)]
        self.order = [order[c % measured] for c in range(chip.chips)]
        self.first: dict[tuple[int, int], int] = {}  # (chip, cores) -> no earlier tag in order is free there
        self.around: dict[tuple[str, int], list[int]] = {}  # (source, its chip) -> chips it wants and can reach

    def near(self, sender: _Sender, masks: dict[int, int], chip: Chip) -> list[int]:
        """Chips where somebody wants to hear a sender, within its hops; kept, so that full ones can be taken out."""
        key = (sender.source, sender.chip)
        if key not in self.around:
            self.around[key] = [c for c in masks if _within(sender.chip, c, chip)]
        return self.around[key]

    def of(self, sender: _Sender, chip: int, wanted: int) -> list[int]:
        """Tags a sender could take on a chip, the best first: where all wanted cores are free, its own core's number."""
        if self.own == 1:
            return self._any(chip, wanted)
        tags = range(sender.neuron % self.own, len(self.free[chip]), self.own)
        return sorted(
            (t for t in tags if self.free[chip][t] & wanted),
            key=lambda t: (-(self.free[chip][t] & wanted).bit_count(), t // self.own != sender.core),
        )

    def _any(self, chip: int, wanted: int) -> list[int]:
        place, free, order = self.first.get((chip, wanted), 0), self.free[chip], self.order[chip]
        while place < len(order) and not free[order[place]] & wanted:
            place += 1
        self.first[chip, wanted] = place
        return order[place : place + 1]

    def take(self, chip: int, tag: int, cores: int) -> None:
        self.free[chip][tag] &= ~cores


def _free_tags(chip: Chip, c: int) -> tuple[list[int], list[int]]:
    """Which cores of a chip each tag reaches, as masks, and all tags, the best first."""
    cores, tags = range(chip.cores.per_chip), np.arange(2**chip.tags.bits)
    reached = [usable_tags(chip, c, [k], len(tags)).tolist() for k in cores]
    masks = [sum(1 << k for k in cores if reached[k][tag]) for tag in tags]
    return masks, best_tags_first(chip, c, cores, tags).tolist()


def share_routes(
    spec: NetworkSpec, chip: Chip, locations, reach: dict[str, dict[int, tuple[int, ...]]]
) -> tuple[list[Route], list[Route]]:
    """Choose routes of neurons and of input channels: (routes, inputs). reach: source -> chip -> cores that may listen.

    Raises FitError where a core would hear nobody.
    """
    masks = {s: {c: sum(1 << k for k in cores) for c, cores in there.items()} for s, there in reach.items()}
    tags = _Tags(chip)
    inputs = [r for c in range(chip.chips) for r in _channels(c, spec, chip, masks, tags)]
    senders = [
        _Sender(name, index, *place)
        for name in spec.populations
        for index, place in enumerate(locations[name].tolist())
    ]
    groups: dict[int, list[_Sender]] = {}
    for sender in senders:
        groups.setdefault(sender.neuron % tags.own if tags.own > 1 else 0, []).append(sender)
    for number, group in sorted(groups.items()):
        order = np.random.default_rng(number).permutation(len(group))  # or every core would hear the same few others
        _deal([group[i] for i in order], chip, masks, tags)
    routes = [
        Route(s.source, s.index, tag, c, _cores(mask), spec.populations[s.source].route_delay)
        for s in senders
        for c, (tag, mask) in sorted(s.got.items())
    ]
    _refuse_deaf(masks, [*routes, *inputs], chip)
    return routes, inputs


def _deal(group: list[_Sender], chip: Chip, masks, tags: _Tags) -> None:
    """Let senders that compete for tags take one row each in turns, then what is left at the tags they have."""
    rows = chip.chips if chip.routes.entries is None else chip.routes.entries - chip.routes.reserved
    most = _share(group, chip, masks, tags, rows) if tags.own > 1 else chip.cores.per_chip
    for turn in range(min(rows, chip.chips)):
        for number, sender in enumerate(group):
            _take_row(sender, number + turn, most, chip, masks[sender.source], tags)
    for sender in group:
        for c, (tag, mask) in sender.got.items():
            more = tags.free[c][tag] & masks[sender.source][c]
            tags.take(c, tag, more)
            sender.got[c] = (tag, mask | more)


def _share(group: list[_Sender], chip: Chip, masks, tags: _Tags, rows: int) -> int:
    """How many cores a row may lead to, so that there are as many rows as sources can have."""
    wanted = {(c, mask) for sender in group for c, mask in masks[sender.source].items()}
    own = group[0].neuron % tags.own
    cells = sum((free & mask).bit_count() for c, mask in wanted for free in tags.free[c][own :: tags.own])
    return max(1, math.ceil(cells / len(group) / min(rows, chip.chips)))


def _take_row(sender: _Sender, turn: int, most: int, chip: Chip, masks: dict[int, int], tags: _Tags) -> None:
    near = tags.near(sender, masks, chip)
    start = turn % len(near) if near else 0
    for c in (*near[start:], *near[:start]):
        if c in sender.got:
            continue
        for tag in tags.of(sender, c, masks[c])[:1]:
            cores = _some(tags.free[c][tag] & masks[c], most, turn, chip.cores.per_chip)
            tags.take(c, tag, cores)
            sender.got[c] = (tag, cores)
            return
        if tags.own == 1:
            near.remove(c)  # no tag is left there, for nobody


def _within(home: int, target: int, chip: Chip) -> bool:
    columns, most = chip.board.columns, chip.routes.max_hop
    hops = max(abs(target % columns - home % columns), abs(target // columns - home // columns))
    return most is None or hops <= most


def _some(mask: int, most: int, turn: int, cores: int) -> int:
    """At most so many cores of a mask, from another one on in every turn."""
    there = [k for k in (*range(turn % cores, cores), *range(turn % cores)) if mask >> k & 1]
    return sum(1 << k for k in there[:most])


def _cores(mask: int) -> tuple[int, ...]:
    return tuple(k for k in range(mask.bit_length()) if mask >> k & 1)


def _channels(target: int, spec: NetworkSpec, chip: Chip, masks, tags: _Tags) -> list[Route]:
    """Input channels of one chip: all, or as many as leave half of the tags to neurons; evenly chosen, last tags first."""
    wanted = [(name, masks[name][target]) for name in spec.inputs if target in masks[name]]
    total = sum(spec.inputs[name] for name, _ in wanted)
    room = sum(all(free & mask for _, mask in wanted) for free in tags.free[target])
    neurons = sum(spec.size_of(name) for name in spec.populations if target in masks[name])
    most = min(total, max(room - neurons, room // 2), chip.inputs.channels or total)
    routes, tag = [], len(tags.free[target])
    for name, mask in wanted:
        size = spec.inputs[name]
        count = size if most == total else size * most // total
        for index in sorted({(i * size // count + target) % size for i in range(count)}):
            tag = next(t for t in range(tag - 1, -1, -1) if tags.free[target][t] & mask)
            routes.append(Route(name, index, tag, target, _cores(tags.free[target][tag] & mask), 0))
            tags.take(target, tag, mask)
    return routes


def _refuse_deaf(masks, routes: list[Route], chip: Chip) -> None:
    hears = {(r.target_chip, k) for r in routes for k in r.cores}
    wanted = {(c, k) for there in masks.values() for c, mask in there.items() for k in _cores(mask)}
    if deaf := sorted(wanted - hears):
        c, k = deaf[0]
        raise FitError(
            f"routes: core {k} of chip {c} would hear nobody, allowed: rows to {chip.routes.entries} chips of a source and "
            f"{chip.routes.max_hop} hops on {chip.label}; make the network smaller, or project from nearer populations"
        )
