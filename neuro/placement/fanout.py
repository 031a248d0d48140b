"""Where a neuron has one destination (core, axon, delay): how its spikes reach every core that listens.

A neuron that several cores listen to, or that is read out and listened to, has copies beside it that hear the same and
go different ways; where these would take more cores, it feeds a splitter instead: one axon of another core, where
a neuron for each listening core repeats the spike one step later.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from neuro.descriptor import Chip
from neuro.errors import FitError
from neuro.task import NetworkSpec

Place = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Fanout:
    """How one population reaches the cores that listen to it.

    targets: (chip, core) that listen, sorted. ways: places [K, n, 3] (chip, core, neuron) of the neurons that send to
    each target. copies: places [c, n, 3] of neurons that hear what the population hears. Of splitters, else empty:
    feeders [n, 3], the neurons that feed them, and axons [n, 3], where (chip, core, axon); ways are then their neurons.
    """

    targets: tuple[Place, ...]
    ways: np.ndarray
    copies: np.ndarray
    feeders: np.ndarray = field(default_factory=lambda: np.zeros((0, 3), np.int64))
    axons: np.ndarray = field(default_factory=lambda: np.zeros((0, 3), np.int64))

    @property
    def splits(self) -> bool:
        """Whether spikes take a step more, through splitters."""
        return len(self.axons) > 0


@dataclass(frozen=True)
class _Wish:
    """What a population needs before its cores are known: neurons for each of its neurons, cores, and listening cores."""

    each: int
    cores: int
    targets: int
    splits: bool


def lay_out_crossbars(spec: NetworkSpec, chip: Chip) -> tuple[dict[str, np.ndarray], dict[str, Fanout]]:
    """Give every population cores of its own, its neurons copies, and splitters: (locations, fan-outs).

    Deterministic. Raises FitError where cores run out or a neuron would have to reach more cores than one splitter can.
    """
    wishes = {name: _wish(name, spec, chip) for name in spec.populations}
    free = iter([(c, k) for c in range(chip.chips) for k in range(chip.cores.per_chip)])
    taken = {name: _take(free, wish.cores, name, chip) for name, wish in wishes.items()}
    locations, fanouts, splitters = {}, {}, _Splitters(free, chip)
    for name, wish in wishes.items():
        places = _places(spec.size_of(name), wish.each, taken[name])
        locations[name] = places[0]
        targets = tuple(sorted(core for target in _listeners(name, spec) for core in taken[target]))
        speaker = places[-1] if _is_read(name, spec) else places[0]
        if wish.splits:
            ways, axons = splitters.add(name, len(speaker), len(targets))
            fanouts[name] = Fanout(targets, ways, places[1:], speaker, axons)
        else:
            fanouts[name] = Fanout(targets, places[len(places) - len(targets) :], places[1:])
    _check_channels(spec, chip, taken)
    return locations, fanouts


def _listeners(name: str, spec: NetworkSpec) -> list[str]:
    return [target for target in spec.populations if name in spec.sources_of(target)]


def _is_read(name: str, spec: NetworkSpec) -> bool:
    return any(output.population == name for output in spec.outputs.values())


def _fewest(name: str, spec: NetworkSpec) -> int:
    """Neurons that stand for one of a population: itself, and a copy that may be listened to if it is read out."""
    return 2 if _is_read(name, spec) and _listeners(name, spec) else 1


def _cores_for(size: int, each: int, chip: Chip) -> int:
    """Cores for a population of `each` neurons for one; more than there can be where a core cannot hold that many."""
    beside = chip.cores.neurons // each
    return -(-size // beside) if beside else chip.chips * chip.cores.per_chip + 1


def _wish(name: str, spec: NetworkSpec, chip: Chip) -> _Wish:
    """Choose copies where they take no core more, splitters elsewhere."""
    size, fewest = spec.size_of(name), _fewest(name, spec)
    listeners = _listeners(name, spec)
    targets = sum(_cores_for(spec.size_of(t), _fewest(t, spec), chip) for t in listeners)
    cores = _cores_for(size, fewest, chip)
    each = targets + _is_read(name, spec)
    if targets < 2 or _cores_for(size, each, chip) == cores:
        return _Wish(max(each, 1), cores, targets, False)
    if targets > chip.cores.neurons:
        raise FitError(
            f"routes: neurons of population {name} must reach {targets} cores, allowed on {chip.label}: "
            f"{chip.cores.neurons}, the neurons of one splitter; make its targets smaller"
        )
    return _Wish(fewest, cores, targets, True)


def _take(free: Iterator[Place], number: int, name: str, chip: Chip) -> list[Place]:
    cores = list(islice(free, number))
    if len(cores) < number:
        raise FitError(
            f"cores: population {name} needs {number}, has {len(cores)} left of {chip.chips * chip.cores.per_chip} on "
            f"{chip.label}; make populations smaller by {number - len(cores)} cores of {chip.cores.neurons} neurons"
        )
    return cores


def _places(size: int, each: int, cores: list[Place]) -> np.ndarray:
    """Spread a population evenly over its cores, each neuron's copies in its core: [each, n, 3]."""
    parts = []
    for (chip, core), members in zip(cores, np.array_split(np.arange(size), len(cores)), strict=True):
        part = np.full((each, len(members), 3), (chip, core, 0))
        part[:, :, 2] = np.arange(each * len(members)).reshape(each, len(members))
        parts.append(part)
    return np.concatenate(parts, 1)


class _Splitters:
    """Cores of splitters, filled one after the other; populations share them."""

    def __init__(self, free: Iterator[Place], chip: Chip):
        self.free, self.chip = free, chip
        self.core, self.axon, self.neuron = None, 0, 0

    def add(self, name: str, size: int, ways: int) -> tuple[np.ndarray, np.ndarray]:
        """Give the places [ways, n, 3] of a population's splitter neurons, and the axons [n, 3] that feed them."""
        places, axons = np.zeros((ways, size, 3), np.int64), np.zeros((size, 3), np.int64)
        for i in range(size):
            full = self.axon + 1 > self.chip.cores.axons or self.neuron + ways > self.chip.cores.neurons
            if self.core is None or full:
                (self.core,), self.axon, self.neuron = _take(self.free, 1, f"{name} (splitters)", self.chip), 0, 0
            axons[i] = (*self.core, self.axon)
            places[:, i, :2], places[:, i, 2] = self.core, np.arange(self.neuron, self.neuron + ways)
            self.axon, self.neuron = self.axon + 1, self.neuron + ways
        return places, axons


def _check_channels(spec: NetworkSpec, chip: Chip, taken: dict[str, list[Place]]) -> None:
    limit = chip.inputs.channels
    for number in range(chip.chips if limit is not None else 0):
        here = [name for name, cores in taken.items() if any(c == number for c, _ in cores)]
        channels = sum(n for source, n in spec.inputs.items() if any(source in spec.sources_of(p) for p in here))
        if channels > limit:
            raise FitError(
                f"input channels: chip {number} would receive {channels}, allowed: {limit} on {chip.label}; "
                f"take {channels - limit} channels away"
            )
