"""Base weights: what one word of synapse memory is worth, one value a core and word kind, set by a bias DAC.

The latent of a base weight is the logarithm of its current; its value is always one the DAC can give, rounded once to
the core's grid of 2^e: round_half_even(I / weight_unit_a / 2^e). Codes that give 0 or at least 2^B are not realisable.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn

from neuro.descriptor import Chip
from neuro.errors import DescriptionError, FeasibilityError
from neuro.nn.checksum import UNPROJECTED, checksum
from neuro.placement import grid_exponent, whole_bits


def grid_bits(events: int, units: float) -> int:
    """Bits left for a base weight so that Σ|w|·events stays below 2^24 units, `units` base weights in a row at most."""
    bits = 24 - math.ceil(math.log2(events * units))
    if bits < 1:
        raise DescriptionError(
            f"a row may hold {units:g} base weights and {events} events a step: no bit is left for a base weight "
            "within the 24 that float32 adds exactly; allowed: slots times events up to 2^23"
        )
    return bits


class BaseWeights(nn.Module):
    """Trainable base weights of all cores in use: `latent` [cores, K], log of the value in network units."""

    def __init__(self, chip: Chip, thetas: list[float], names: list[str], bits: int):
        super().__init__()
        self.names, self.bits = names, bits
        whole = whole_bits(chip) if chip.weights.shifts else None
        exponents = [grid_exponent(chip.weights.base_max * theta, whole or bits) for theta in thetas]
        self.register_buffer("exponents", torch.tensor(exponents, dtype=torch.int32))
        self.register_buffer("units", torch.ones(len(thetas), len(names), dtype=torch.int64))
        self.latent = nn.Parameter(torch.zeros(len(thetas), len(names)))
        self.stamp: int | None = None
        self.dac = _dac(chip)
        self.unit_a = chip.weights.weight_unit_a
        self.shifts = 2 ** np.array(chip.weights.shifts, dtype=np.int64)
        self._refuse_unreachable(chip, thetas)

    def _refuse_unreachable(self, chip: Chip, thetas: list[float]) -> None:
        for core, theta in enumerate(thetas):
            allowed = self.realisable(core)
            if allowed is not None and not len(allowed) and self.dac is None:
                raise DescriptionError(
                    f"weights.shifts are {', '.join(map(str, chip.weights.shifts))} on {chip.label}, allowed here: below "
                    f"{self.bits}, so that float32 adds a row exactly; let neurons listen to fewer sources"
                )
            if allowed is not None and not len(allowed):
                raise DescriptionError(
                    f"threshold {theta:g}: no code of the bias DAC of {chip.label} gives a base weight between "
                    f"{float(self.grid()[core]):g} and {chip.weights.base_max * theta:g}; allowed: thresholds near 1, or "
                    "another weights.weight_unit_a"
                )

    def realisable(self, core: int) -> np.ndarray | None:
        """The values of one core, ascending, in units of its grid; None where every whole number is one."""
        if len(self.shifts):
            return self.shifts[self.shifts < 2**self.bits]
        if self.dac is None:
            return None
        units = np.round(self.dac[:, 2] / self.unit_a / 2.0 ** int(self.exponents[core])).astype(np.int64)
        return np.unique(units[(units > 0) & (units < 2**self.bits)])

    def project(self) -> None:
        """Set every base weight to the nearest value its core can give."""
        latent = self.latent.detach().double().cpu()
        if not torch.isfinite(latent).all():
            raise FeasibilityError("base weights: a latent is not finite; lower base_lr")
        for core, exponent in enumerate(self.exponents.tolist()):
            wanted = (latent[core].exp() / 2.0**exponent).numpy()
            allowed = self.realisable(core)
            if allowed is None:
                nearest = np.clip(np.round(wanted), 1, 2**self.bits - 1)
            else:
                nearest = allowed[_nearest(allowed, wanted)]
            self.units[core] = torch.from_numpy(nearest.astype(np.int64))
        self.stamp = checksum(self.latent)

    def refuse_moved(self) -> None:
        """Raise FeasibilityError where a latent moved without projection."""
        if self.stamp != checksum(self.latent):
            raise FeasibilityError(f"base weights: {UNPROJECTED}")

    def violations(self, cores) -> list[str]:
        """Base weights that moved without projection, or that no DAC code gives."""
        found = [] if self.stamp == checksum(self.latent) else [f"base weights: {UNPROJECTED}"]
        for number, (chip, core) in enumerate(cores):
            allowed = self.realisable(number)
            for name, units in zip(self.names, self.units[number].tolist(), strict=True):
                if not 0 < units < 2**self.bits or (allowed is not None and units not in allowed):
                    found.append(
                        f"chip {chip} core {core}: base weight {name} is {units} grid units, which no code gives"
                    )
        return found

    def values(self) -> torch.Tensor:
        """Base weights as the chip holds them: float32 [cores, K], exact multiples of each core's grid."""
        return (self.units.double() * self.grid().double()[:, None]).float()

    def grid(self) -> torch.Tensor:
        """One grid step of each core: float32 [cores]."""
        return torch.exp2(self.exponents.double()).float()

    def set(self, values: torch.Tensor) -> None:
        """Put the latents on given values [cores, K], then project."""
        with torch.no_grad():
            self.latent.copy_(values.to(self.latent).log())
        self.project()

    def bias(self, core: int, part: int) -> tuple[int, int, float]:
        """The DAC row (coarse, fine, amperes) whose value a base weight has; the coarsest of several."""
        units = np.round(self.dac[:, 2] / self.unit_a / 2.0 ** int(self.exponents[core]))
        coarse, fine, current = self.dac[np.flatnonzero(units == int(self.units[core, part]))[0]]
        return int(coarse), int(fine), float(current)


def rows_of(values: torch.Tensor, cores: torch.Tensor) -> torch.Tensor:
    """Base weights for each row: [K] where all rows share a core, else [N, K]."""
    first = cores[0]
    return values[first] if bool((cores == first).all()) else values[cores]


def _dac(chip: Chip) -> np.ndarray | None:
    if chip.weights.dac is None:
        return None
    return np.array(getattr(chip.bias_dac, chip.weights.dac), dtype=float)


def _nearest(allowed: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Index of the nearest of ascending values; the smaller one halfway."""
    right = np.clip(np.searchsorted(allowed, wanted), 1, len(allowed) - 1) if len(allowed) > 1 else wanted * 0
    right = right.astype(int)
    left = np.maximum(right - 1, 0)
    return np.where(wanted - allowed[left] <= allowed[right] - wanted, left, right)
