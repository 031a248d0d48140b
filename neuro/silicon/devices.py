"""A virtual chip: one device of a chip's description, every neuron of its board with factors of its own.

A factor multiplies a parameter of the description; it is drawn once, with mean 1, and belongs to a place on the board, so
that every network placed there meets the same device. factor = (of its core) · (of the neuron), each
log-normal  f = exp(s·n − s²/2), s² = ln(1 + spread²)   or   Gaussian  f = max(1 + spread·n, least),   n standard normal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

import numpy as np

from neuro.descriptor import Chip, MismatchParameter
from neuro.errors import DescriptionError

PARAMETERS: tuple[str, ...] = get_args(MismatchParameter)
MOST_SEED = 2**63 - 1


@dataclass(frozen=True, eq=False)
class VirtualChip:
    """One device: factors [P], or [P, K] where a neuron has several of a parameter, float32, for P neurons core by core.

    shape: chips of the board, cores of a chip, neurons of a core; held: (chip, core, neurons) of the cores there are
    factors for, in order, the first so many neurons of each; names: what the K columns of tau_syn (currents), weight
    (synapse types) and base (base weights) stand for. seed: None where it was measured.
    """

    chip: str
    shape: tuple[int, int, int]
    held: tuple[tuple[int, int, int], ...]
    names: Mapping[str, tuple[str, ...]]
    factors: Mapping[str, np.ndarray]
    seed: int | None = None
    scale: float = 1.0

    def __post_init__(self) -> None:
        for parameter, factor in self.factors.items():
            wanted = (
                sum(n for _, _, n in self.held),
                *([len(self.names[parameter])] if parameter in self.names else []),
            )
            if parameter not in PARAMETERS or factor.shape != wanted:
                raise DescriptionError(
                    f"virtual chip: {parameter} has the shape {list(factor.shape)}, allowed: {list(wanted)} for each of "
                    f"{', '.join(PARAMETERS)}"
                )
            if not (np.isfinite(factor).all() and (factor > 0).all()):
                raise DescriptionError(f"virtual chip: {parameter} holds factors that are not above 0, or not finite")

    def refuse_other(self, chip: Chip) -> None:
        """Raise DescriptionError where this is a device of another description than a chip's."""
        shape, names = shape_of(chip), names_of(chip)
        if shape != self.shape or any(names[p] != tuple(self.names[p]) for p in self.names if p in self.factors):
            raise DescriptionError(
                f"the virtual chip is a {self.chip} of {_told(self.shape)}, not a {chip.label} of {_told(shape)}; draw one "
                "of this chip with `neuro virtual`"
            )

    def of_neurons(self, places: np.ndarray) -> dict[str, np.ndarray]:
        """Give the factors of neurons at places [n, 3] of (chip, core, neuron), float64 [n] or [n, K].

        Raises DescriptionError for a neuron the device holds no factors of.
        """
        sizes = [n for _, _, n in self.held]
        first = {(c, k): (at, n) for (c, k, n), at in zip(self.held, np.cumsum([0, *sizes]).tolist(), strict=False)}
        at, most = np.array([first.get((c, k), (0, 0)) for c, k, _ in np.asarray(places).tolist()], np.int64).T
        neuron = np.asarray(places, np.int64)[:, 2]
        if (neuron >= most).any():
            chip, core, number = np.asarray(places)[int(np.argmax(neuron >= most))].tolist()
            raise DescriptionError(
                f"the virtual chip holds nothing of chip {chip} core {core} neuron {number}; draw a whole one with "
                "`neuro virtual`"
            )
        row = at + neuron
        return {parameter: factor[row].astype(np.float64) for parameter, factor in self.factors.items()}


def virtual_chip(chip: Chip, seed: int, scale: float = 1.0, places: np.ndarray | None = None) -> VirtualChip:
    """Draw one device of a chip, the same for the same seed; scale multiplies every spread, 0 gives the plain chip.

    places: neurons [n, 3] of (chip, core, neuron) that are needed; the others' factors, which are left out, change none of
    theirs. Each parameter has streams of random numbers of its own, so that another spread of one leaves the rest alike.
    Raises DescriptionError for a chip whose description has no mismatch, and spreads beyond 100 %.
    """
    if chip.mismatch is None:
        raise DescriptionError(
            f"{chip.label} states no mismatch, so all its devices are alike; add a `mismatch` section to its file"
        )
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed <= MOST_SEED:
        raise DescriptionError(f"seed is {seed!r}, allowed: a whole number from 0 to {MOST_SEED}")
    _refuse_scale(chip, scale)
    shape, names = shape_of(chip), names_of(chip)
    held = _needed(shape, places)
    columns = {p: len(names[p]) if p in names else None for p in _parameters(chip)}
    return VirtualChip(
        chip.name,
        shape,
        held,
        {p: names[p] for p in names if p in columns},
        {
            p: np.concatenate([_drawn(chip, p, core, number, seed, scale) for core in held])
            for p, number in columns.items()
        },
        seed,
        float(scale),
    )


def shape_of(chip: Chip) -> tuple[int, int, int]:
    """Chips of a board, cores of a chip, neurons of a core."""
    return chip.chips, chip.cores.per_chip, chip.cores.neurons


def names_of(chip: Chip) -> dict[str, tuple[str, ...]]:
    """What a neuron has several of, by parameter."""
    return {
        "tau_syn": tuple(c.name for c in chip.currents),
        "weight": tuple(t.name for t in chip.types),
        "base": tuple(b.name for b in chip.weights.bases),
    }


def _parameters(chip: Chip) -> list[str]:
    return [p for p in PARAMETERS if p in chip.mismatch.neuron or p in chip.mismatch.core]


def _refuse_scale(chip: Chip, scale: float) -> None:
    most = max([*chip.mismatch.neuron.values(), *chip.mismatch.core.values()], default=0.0)
    if not 0 <= scale < np.inf or scale * most > 1:
        raise DescriptionError(
            f"scale {scale:g} makes a spread of {scale * most:.0%}, allowed: scales from 0 that keep every spread of "
            f"{chip.label} within 100 % (its largest is {most:.0%})"
        )


def _needed(shape: tuple[int, int, int], places: np.ndarray | None) -> tuple[tuple[int, int, int], ...]:
    """The cores to draw, and how many neurons of each."""
    chips, cores, neurons = shape
    if places is None:
        return tuple((c, k, neurons) for c in range(chips) for k in range(cores))
    most: dict[tuple[int, int], int] = {}
    for c, k, n in np.asarray(places).tolist():
        most[c, k] = max(most.get((c, k), 0), n + 1)
    return tuple((c, k, n) for (c, k), n in sorted(most.items()))


def _drawn(chip: Chip, parameter: str, held: tuple[int, int, int], columns: int | None, seed: int, scale: float):
    """One parameter's factors in one core: first that of the core, then those of its neurons, in their order."""
    number, core, neurons = held
    rng = np.random.default_rng([PARAMETERS.index(parameter), seed, number, core])
    last = () if columns is None else (columns,)
    found = chip.mismatch
    kind = found.distributions.get(parameter, found.distribution)
    of_core, of_neurons = (
        _factors(kind, rng.standard_normal((size, *last)), scale * spread.get(parameter, 0.0), found.least)
        for size, spread in ((1, found.core), (neurons, found.neuron))
    )
    return (of_core * of_neurons).astype(np.float32)


def _factors(kind: str, normal: np.ndarray, spread: float, least: float) -> np.ndarray:
    if kind == "gaussian":
        return np.maximum(1 + spread * normal, least)
    s = np.sqrt(np.log1p(spread**2))
    return np.exp(s * normal - s**2 / 2)


def _told(shape: tuple[int, int, int]) -> str:
    return f"{shape[0]} chips x {shape[1]} cores x {shape[2]} neurons"
