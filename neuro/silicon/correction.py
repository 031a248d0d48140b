"""Arrays over time: probe, compare with what was programmed, and program again by whole pulses (arXiv 2310.00337).

Here programming again has the noise of programming, and every device's drift counts from when it was last programmed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch

from neuro.errors import DataError
from neuro.silicon.arrays import PairArray

Weights = dict[str, torch.Tensor]


@dataclass(frozen=True)
class WholeLayers:
    """Program a layer again where its response to an identity probe moved by more than `threshold` on average.

    The response to the identity is the weights themselves; it is compared with the one at the start, as published.
    """

    threshold: float = 0.05

    def apply(self, array: PairArray, first: torch.Tensor, now_s: float, generator: torch.Generator):
        """Give the array after a check, and which devices were programmed, summed over rounds: long [2, N, M]."""
        moved = (array.weights(now_s, generator) - first).abs().mean()
        which = torch.full(array.levels.shape, bool(moved > self.threshold))
        return (array.again(which, now_s, generator) if which.any() else array), which.long()


@dataclass(frozen=True)
class SingleDevices:
    """Program each device again that reads more than `tolerance_us` from its target, for up to so many rounds a check.

    What came out well is left alone, so that the noise of programming falls from round to round.
    """

    tolerance_us: float = 1.0
    rounds: int = 5

    def apply(self, array: PairArray, first: torch.Tensor, now_s: float, generator: torch.Generator):
        """Give the array after a check, and how often each device was programmed: long [2, N, M]."""
        total = torch.zeros_like(array.levels)
        for _ in range(self.rounds):
            off = (array.conductances_us(now_s, generator) - array.targets_us).abs() > self.tolerance_us
            if not off.any():
                break
            array, total = array.again(off, now_s, generator), total + off
        return array, total


@dataclass(frozen=True)
class Check:
    """One look at all arrays: what was measured before and after correcting, and what correcting took."""

    at_s: float
    before: float | None
    after: float | None
    programmed: int
    pulses: int
    energy_j: float | None


def over_time(
    arrays: Mapping[str, PairArray],
    checks: Sequence[float],
    measure: Callable[[Weights], float],
    generator: torch.Generator,
    correction: WholeLayers | SingleDevices | None = None,
    compensate: bool = False,
    measured: Sequence[float] | None = None,
    start: bool = False,
) -> list[Check]:
    """Let arrays age and correct them at every check, seconds since the first programming, rising.

    measure: weights by name -> a figure, asked for before and after a correction at the checks in `measured` (default
    all). compensate: scale what a layer gives by its mean response at the start over that now (global drift
    compensation). start: correct at 0 s too. Raises DataError for checks that do not rise from 0.
    """
    if any(b <= a for a, b in zip(checks, checks[1:], strict=False)) or not checks or checks[0] < 0:
        raise DataError(f"checks are {list(checks)[:6]}, allowed: rising times from 0 s, when arrays are programmed")
    if not all(math.isfinite(t) for t in checks):
        raise DataError("checks hold a time that is not finite, allowed: seconds")
    arrays = dict(arrays)
    first = {name: array.weights(0.0, generator) for name, array in arrays.items()}
    wanted, found = set(checks if measured is None else measured), []

    def figure(now_s: float) -> float | None:
        if now_s not in wanted:
            return None
        read = {name: array.weights(now_s, generator) for name, array in arrays.items()}
        if compensate:
            read = {name: w * (first[name].abs().mean() / w.abs().mean()) for name, w in read.items()}
        return measure(read)

    for now_s in checks:
        before, times = figure(now_s), {}
        if correction is not None and (now_s > 0 or start):
            for name, array in arrays.items():
                arrays[name], times[name] = correction.apply(array, first[name], now_s, generator)
        programmed = sum(int(count.sum()) for count in times.values())
        pulses = sum(arrays[name].pulses(count) for name, count in times.items())
        unit = next(iter(arrays.values())).devices.pulse_j
        after = figure(now_s) if programmed else before
        found.append(Check(now_s, before, after, programmed, pulses, None if unit is None else pulses * unit))
    return found
