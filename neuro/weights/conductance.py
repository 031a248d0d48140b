"""Conductances: a source connects by a pair of devices, one that adds and one that takes away (PCM, RRAM, MAC arrays).

weight = b₊ · G₊ − b₋ · G₋, each G one of L levels, rounded to a grid once. With one base γ the pair is γ · (G₊ − a · G₋)
(Obradovic et al. 2018, arXiv 1809.04982: unequal components); with two, w = i · p − j · n (arXiv 2310.00337).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch

from neuro.errors import FeasibilityError
from neuro.weights import violation
from neuro.weights.drawing import offsets, settled, take
from neuro.weights.latents import aligned, finite, fold_sum, per_row
from neuro.weights.pair_limits import check_gain, check_levels, check_signs, check_variance
from neuro.weights.pairs import Pairs
from neuro.weights.parameters import base_tensor, median_or_one, moved

REFINEMENTS = 20
FINE = 40  # bits below the largest weight: the grid where none is given, so that equal sums of levels are equal weights


@dataclass(frozen=True, eq=False)
class ConductanceScheme:
    """Hold weights as pairs of levels: code i · L + j, level i of G₊ and level j of G₋; both see `levels_of`.

    levels: L conductances >= 0, rising (`spaced_levels` makes them); bases [1] or [N, 1] = γ, with b₋ = gain · γ, or [2] or
    [N, 2] = (b₊, b₋), then gain stays 1; grid None, a number or [N]. variance: None, or L variances of what a device holds
    when programmed to a level, in units of conductance²: the projection then minimises the expected squared error, and
    so prefers pairs of small conductance. Every crosspoint holds a pair: a weight of 0 exists only where two levels give
    it. Code and weight have the latent's shape. Raises DescriptionError for parameters that cannot be.
    """

    levels: tuple[float, ...]
    bases: torch.Tensor | tuple[float, ...] = (1.0,)
    gain: float = 1.0
    grid: torch.Tensor | float | None = None
    variance: tuple[float, ...] | None = None

    slots = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "levels", tuple(float(level) for level in self.levels))
        object.__setattr__(self, "bases", base_tensor("bases", self.bases))
        object.__setattr__(self, "grid", None if self.grid is None else base_tensor("grid", _at_least_1d(self.grid)))
        check_levels(self.levels)
        check_gain(self.gain, self.bases)
        check_signs(self.levels, self._both(self.bases))
        if self.variance is not None:
            object.__setattr__(self, "variance", tuple(float(v) for v in self.variance))
            check_variance(self.variance, self.levels)

    @property
    def empty(self) -> int:
        """The code of both devices at their lowest level where that weighs nothing, else −1: none is empty."""
        both = self._both(self.bases)
        return 0 if self.levels[0] == 0 or bool((both[:, 0] == both[:, 1]).all()) else -1

    def with_bases(self, bases: torch.Tensor) -> ConductanceScheme:
        """Return the same scheme with other bases of the same width."""
        return replace(self, bases=bases)

    def to(self, device) -> ConductanceScheme:
        """Return a copy whose tensors are on the device."""
        other = copy(self)
        other.__dict__.pop("_pairs", None)
        other.__dict__.pop("_choices", None)
        return moved(other, device)

    def project(self, latent: torch.Tensor, allowed: torch.Tensor | None = None) -> torch.Tensor:
        """Return the nearest pair's code, int32; with `variance` the pair of least expected squared error.

        latent [N, M(, C(, D))], allowed bool that broadcasts to it; what is not allowed gets a pair that weighs 0. At equal
        distance the weight nearer to 0, of two opposite ones the negative one; of pairs with equal weight the one with the
        smaller i + j (with `variance`: the smaller variance), then the smaller i. Raises FeasibilityError for latents that
        are not finite, and where a connection must be absent but no pair weighs 0.
        """
        latent = finite(latent)
        allowed = aligned(allowed, latent)
        target = latent.to(torch.float64).flatten(1)
        code = torch.empty(target.shape, dtype=torch.int32, device=latent.device)
        for rows, choice in self._by_bases(latent):
            code[rows] = choice.nearest(target[rows])
        return self._without(code, allowed, latent).view(latent.shape)

    def hold(self, latent: torch.Tensor, allowed: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the nearest code that fits and its weight."""
        code = self.project(latent, allowed)
        return code, self.decode(code)

    def draw(
        self, latent: torch.Tensor, allowed: torch.Tensor | None = None, generator: torch.Generator | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return one of the two neighbouring weights of each entry, right on average, and it; without a generator with
        error feedback along every row.
        """
        latent = self.hull(latent, allowed)
        wanted, mask = latent.to(torch.float64).flatten(1), aligned(allowed, latent)
        code = torch.empty(wanted.shape, dtype=torch.int32, device=latent.device)
        coin = None if generator is None else torch.rand(wanted.shape, generator=generator, dtype=torch.float64)
        for rows, choice in self._by_bases(latent):
            lower, upper, share = choice.neighbours(wanted[rows])
            share = settled(share)
            if coin is None:
                open_ = share if mask is None else share * mask.flatten(1)[rows]
                up = take(open_, torch.zeros_like(open_, dtype=torch.bool), offsets(len(open_), None, open_.device))
            else:
                up = coin.to(share.device)[rows] < share
            code[rows] = torch.where(up, upper, lower)
        code = self._without(code, mask, latent).view(latent.shape)
        return code, self.decode(code)

    def decode(self, code: torch.Tensor) -> torch.Tensor:
        """Return the float32 weight of a code, in its shape."""
        flat = code.flatten(1).long()
        weight = torch.empty(flat.shape, dtype=torch.float32, device=code.device)
        for rows, choice in self._by_bases(code):
            weight[rows] = choice.values[flat[rows]].to(torch.float32)
        return weight.view(code.shape)

    def levels_of(self, code: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Split a code into the levels of G₊ and G₋, long, in its shape."""
        code = code.long()
        return code // len(self.levels), code % len(self.levels)

    def slots_used(self, code: torch.Tensor) -> torch.Tensor:
        """Return the number of pairs of each row with a device above its lowest level, [N] long."""
        return (code != 0).flatten(1).sum(1)

    def violations(self, code: torch.Tensor, allowed: torch.Tensor | None = None) -> list[violation.Violation]:
        """Find codes that are no pair, and weights where no connection may be; [] means the array can hold it."""
        indices = violation.as_array(code)
        if found := violation.malformed(indices, (2, 3, 4)):
            return found
        count = len(self.levels)
        found = violation.out_of_range(indices, 0, count * count - 1)
        if found or allowed is None:
            return found
        plus, minus = np.divmod(indices, count)
        levels, both = np.array(self.levels), violation.as_array(self._both(self.bases))
        both = both.reshape(len(both), 2, *(1,) * (indices.ndim - 1))
        size = np.abs(both[:, 0] * levels[plus] - both[:, 1] * levels[minus])
        step = 2.0 ** (-FINE - 1) * both.max() if self.grid is None else violation.as_array(self.grid).max() / 2
        return found + violation.not_allowed(size > step, allowed)

    def base_gradient(self, code: torch.Tensor, grad_weight: torch.Tensor) -> torch.Tensor:
        """Return dL/dbases [N, K] from dL/dW (shape of the code): Σ (G₊ − a · G₋) · dL/dW, or Σ G₊ and −Σ G₋."""
        levels = torch.tensor(self.levels, dtype=torch.float64, device=code.device)
        plus, minus = (levels[index].flatten(1) for index in self.levels_of(code))
        grad = grad_weight.flatten(1)
        sides = [plus - self.gain * minus] if self.bases.shape[-1] == 1 else [plus, -minus]
        return torch.stack([fold_sum(side * grad) for side in sides], 1).to(grad_weight.dtype)

    def initial_bases(self, latent: torch.Tensor) -> torch.Tensor:
        """Suggest bases [K] of least squared error: the largest pair on a typical row's largest |w|, then alternate
        between nearest pairs and least squares. Latents of 0 give bases of 1 over the largest level.
        """
        target = finite(latent).to(torch.float64).flatten(1)
        largest = target.abs().amax(1) if target.numel() else target.new_zeros(0)
        top, width = max(self.levels), self.bases.shape[-1]
        bases = (median_or_one(largest[largest > 0]) / top).expand(width).clone()
        if not target.any():
            return bases
        wanted = target.reshape(1, -1)
        for _ in range(REFINEMENTS):
            scheme = replace(self, bases=bases, grid=None)
            plus, minus = (index.flatten() for index in scheme.levels_of(scheme.project(wanted)))
            levels = torch.tensor(self.levels, dtype=torch.float64, device=latent.device)
            sides = torch.stack([levels[plus], -levels[minus]], 1)
            if width == 1:
                sides = sides @ sides.new_tensor([[1.0], [self.gain]])
            power = sides.T @ sides
            if torch.linalg.matrix_rank(power) != width:
                break
            better = torch.linalg.solve(power, sides.T @ wanted[0])
            if not self._makes_both_signs(better):
                break
            bases = better
        return bases

    def hull(self, latent: torch.Tensor, allowed: torch.Tensor | None = None) -> torch.Tensor:
        """Return the latent within what pairs can weigh, 0 where no connection may be."""
        latent = finite(latent)
        allowed = aligned(allowed, latent)
        inside = latent.flatten(1).clone()
        for rows, choice in self._by_bases(latent):
            inside[rows] = inside[rows].clamp(choice.least, choice.most)
        inside = inside.view(latent.shape)
        return inside if allowed is None else inside.masked_fill(~allowed, 0.0)

    def word_values(self, latent: torch.Tensor) -> torch.Tensor:
        """Return the largest weight of each latent's sign, float64 in its shape and 1."""
        worth = torch.empty(latent.flatten(1).shape, dtype=torch.float64, device=latent.device)
        for rows, choice in self._by_bases(latent):
            worth[rows] = torch.where(latent.flatten(1)[rows] < 0, -choice.least, choice.most)
        return worth.view(*latent.shape, 1)

    def _both(self, bases: torch.Tensor) -> torch.Tensor:
        """Return b₊ and b₋ of every row of bases, [1 or N, 2]."""
        rows = bases[None] if bases.dim() == 1 else bases
        return torch.cat([rows, self.gain * rows], 1) if rows.shape[1] == 1 else rows

    def _makes_both_signs(self, bases: torch.Tensor) -> bool:
        plus, minus = self._both(bases)[0].tolist()
        low, high = self.levels[0], self.levels[-1]
        return min(plus, minus) > 0 and plus * high > minus * low and minus * high > plus * low

    @cached_property
    def _pairs(self) -> torch.Tensor:
        """All codes in the order in which equal weights are preferred: by i + j, then i; [L²] long."""
        count = torch.arange(len(self.levels), device=self.bases.device)
        total = (count[:, None] + count).flatten()
        return total.argsort(stable=True)

    @cached_property
    def _choices(self) -> tuple[torch.Tensor, list[Pairs]]:
        """Which choice each row of bases has, [1 or N] long, and the choices: one for all rows of equal bases."""
        both = self._both(self.bases)
        grid = torch.zeros(len(both), 1).to(both) if self.grid is None else self.grid.to(both)[:, None]
        rows = max(len(both), len(grid))
        kinds, of_row = torch.cat([both.expand(rows, 2), grid.expand(rows, 1)], 1).unique(dim=0, return_inverse=True)
        return of_row, [self._choice(*kind.tolist()) for kind in kinds]

    def _choice(self, plus: float, minus: float, grid: float) -> Pairs:
        levels = torch.tensor(self.levels, dtype=torch.float64, device=self.bases.device)
        exact = (plus * levels[:, None] - minus * levels).flatten()
        grid = grid or 2.0 ** (math.frexp(float(exact.abs().max()))[1] - FINE)
        values = torch.round(exact / grid) * grid
        variance = None
        if self.variance is not None:
            noise = torch.tensor(self.variance, dtype=torch.float64, device=self.bases.device)
            variance = (plus**2 * noise[:, None] + minus**2 * noise).flatten()
        return Pairs.of(values, self._pairs, variance)

    def _by_bases(self, rows: torch.Tensor) -> Iterator[tuple[torch.Tensor | slice, Pairs]]:
        """Give the rows that share bases and grid, with what they can hold."""
        of_row, choices = self._choices
        if len(of_row) == 1:
            yield slice(None), choices[0]
            return
        of_row = per_row("bases", of_row, rows)
        for number, choice in enumerate(choices):
            yield (of_row == number).nonzero()[:, 0], choice

    def _without(self, code: torch.Tensor, allowed: torch.Tensor | None, latent: torch.Tensor) -> torch.Tensor:
        """Put pairs that weigh 0 where no connection may be."""
        if allowed is None or bool(allowed.all()):
            return code
        mask = allowed.flatten(1)
        for rows, choice in self._by_bases(latent):
            here = mask[rows]
            if choice.zero is None and not bool(here.all()):
                raise FeasibilityError(
                    "no pair of conductances weighs 0 on this array, so no connection can be left out; allow every "
                    "connection (autapses too), or take an array with equal gains or devices that switch off"
                )
            code[rows] = code[rows].masked_fill(~here, choice.zero or 0)
        return code


def _at_least_1d(values) -> torch.Tensor:
    return torch.atleast_1d(torch.as_tensor(values, dtype=torch.float64))
