"""Crossbars: one bit a crosspoint, one type an axon, one signed weight a neuron for each type (TrueNorth and kin).

weight[n, m] = c[n, m] · S[n, g[core, m]]: column m is an axon of type g in every neuron of a core, or absent there; a
core has so many axons for all its neurons.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from neuro.errors import DescriptionError, FeasibilityError
from neuro.weights import violation
from neuro.weights.latents import aligned, finite, fold_sum, per_row
from neuro.weights.palette import gain
from neuro.weights.parameters import moved
from neuro.weights.selection import best_entries


@dataclass(frozen=True, eq=False)
class CrossbarScheme:
    """Hold weights as crosspoints: code 0 = open, 1 + g = closed, on an axon of type g.

    values: whole numbers [N, G], a neuron's weight for each type of axon, within ±(2^(bits − 1) − 1), times grid (a number
    or [N]); axons: budget of a core; groups [N] integers: rows that share a core (None = all). Code and weight have the
    latent's shape, [N, M] or [N, M, 1, 1]. Raises DescriptionError.
    """

    values: torch.Tensor
    axons: int
    bits: int = 9
    grid: torch.Tensor | float = 1.0
    groups: torch.Tensor | None = None

    def __post_init__(self) -> None:
        values = torch.as_tensor(self.values)
        if values.dim() != 2 or values.is_floating_point() or not values.shape[1] or self.axons < 0:
            raise DescriptionError(
                f"values has the shape {list(values.shape)} and type {values.dtype}, axons is {self.axons}; allowed: whole "
                "numbers [neurons, types of axons], axons from 0"
            )
        largest = int(values.abs().max()) if values.numel() else 0
        if largest > self.most:
            raise DescriptionError(f"values go to ±{largest}, allowed: ±{self.most} of {self.bits} bits with sign")
        groups = torch.zeros(len(values)) if self.groups is None else torch.as_tensor(self.groups)
        object.__setattr__(self, "values", values.to(torch.int64))
        object.__setattr__(self, "grid", torch.as_tensor(self.grid, dtype=torch.float64).expand(len(values)))
        object.__setattr__(self, "groups", groups.to(torch.int64))

    empty = 0
    slots = None

    @property
    def most(self) -> int:
        """The largest weight, in grid units."""
        return 2 ** (self.bits - 1) - 1

    @property
    def types(self) -> int:
        return self.values.shape[1]

    def with_bases(self, bases: torch.Tensor) -> CrossbarScheme:
        """Return the scheme as it is: crossbars have no base weights."""
        return self

    def to(self, device) -> CrossbarScheme:
        """Return a copy whose tensors are on the device."""
        return moved(self, device)

    def project(self, latent: torch.Tensor, allowed: torch.Tensor | None = None) -> torch.Tensor:
        """Return the nearest code that fits for the present values, int16.

        In each core a column takes the type with the largest summed gain, the core keeps its best columns, and a
        crosspoint is closed where its gain is positive: exact, as columns meet in nothing but their number. Equal gains
        in the order of types, then columns. Raises FeasibilityError. Source: design, exact projection, crossbar.
        """
        target, mask = self._read(latent, allowed)
        return self._nearest(target, mask)[0].view(latent.shape).to(torch.int16)

    def fitted(self, latent: torch.Tensor, allowed: torch.Tensor | None = None) -> CrossbarScheme:
        """Return the scheme whose values are re-fitted, in turns with the projection, until the error falls no more.

        A turn keeps the columns' types and gives each neuron the values of least squared error over its crosspoints,
        whichever of them are then closed; the error never rises. A scheme that was fitted to a latent stays as it is.
        """
        target, mask = self._read(latent, allowed)
        scheme, (code, total) = self, self._nearest(target, mask)
        while True:
            other = replace(scheme, values=scheme._refit(target, mask, code))
            code, better = other._nearest(target, mask)
            if not better > total:
                return scheme
            scheme, total = other, better

    def hold(self, latent: torch.Tensor, allowed: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the nearest code that fits and its weight."""
        code = self.project(latent, allowed)
        return code, self.decode(code)

    def decode(self, code: torch.Tensor) -> torch.Tensor:
        """Return the float32 weight of a code, in its shape."""
        weights = self.values * self.grid.to(self.values.device)[:, None]
        table = torch.cat([torch.zeros_like(weights[:, :1]), weights], 1)
        return table.gather(1, code.flatten(1).long()).float().view(code.shape)

    def slots_used(self, code: torch.Tensor) -> torch.Tensor:
        """Return the number of closed crosspoints of each row, [N] long."""
        return (code > 0).flatten(1).sum(1)

    def violations(self, code: torch.Tensor, allowed: torch.Tensor | None = None) -> list[violation.Violation]:
        """Find every limit a code breaks, by plain counting; [] means the chip can hold it."""
        codes = violation.as_array(code)
        if found := violation.malformed(codes, (2, 4)):
            return found
        if found := violation.out_of_range(codes, 0, self.types):
            return found
        flat, values = codes.reshape(len(codes), -1), violation.as_array(self.values)
        found = violation.out_of_range(values, -self.most, self.most, ("type",))
        found += violation.axons(flat, violation.as_array(self.groups), self.axons)
        return found + violation.not_allowed(codes > 0, allowed)

    def base_gradient(self, code: torch.Tensor, grad_weight: torch.Tensor) -> torch.Tensor:
        """Return nothing, [N, 0]: crossbars have no base weights."""
        return grad_weight.new_zeros(len(code), 0)

    def initial_bases(self, latent: torch.Tensor) -> torch.Tensor:
        """Return nothing, [0]: crossbars have no base weights."""
        return latent.new_zeros(0)

    def hull(self, latent: torch.Tensor, allowed: torch.Tensor | None = None) -> torch.Tensor:
        """Refuse: what fits depends on values that are fitted to the latent, so that no one hull holds it."""
        raise FeasibilityError("latent hull is not there for crossbars; train with latent free")

    def word_values(self, latent: torch.Tensor) -> torch.Tensor:
        """Return what a crosspoint of each latent's sign is worth at most, float64 in its shape and 1; inf: none is."""
        weights = self.values.double() * per_row("grid", self.grid, latent)[:, None]
        unit = torch.where((latent < 0).flatten(1), -weights.amin(1, keepdim=True), weights.amax(1, keepdim=True))
        return unit.masked_fill(unit <= 0, torch.inf).view(*latent.shape, 1)

    def _read(self, latent: torch.Tensor, allowed: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
        """Give the latent in grid units, [N, M] float64, and which crosspoints may be closed."""
        latent = finite(latent)
        if latent.shape[2:].numel() != 1:
            raise FeasibilityError(
                f"latent has the shape {list(latent.shape)}, allowed: [N, M] or [N, M, 1, 1]; a crosspoint has one current "
                "and no delay of its own"
            )
        mask = aligned(allowed, latent)
        mask = torch.ones_like(latent, dtype=torch.bool) if mask is None else mask
        grid = per_row("grid", self.grid, latent)[:, None]
        return latent.to(torch.float64).flatten(1) / grid, mask.flatten(1)

    def _nearest(self, target: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, float]:
        """Give the nearest code [N, M] long, and by how much it lowers the squared error of an empty one."""
        code, total = torch.zeros_like(target, dtype=torch.int64), 0.0
        grid = per_row("grid", self.grid, target)[:, None]
        values = per_row("values", self.values, target).double()
        for rows in self._cores():
            scale = grid[rows].square()
            gains = torch.stack(
                [gain(u[:, None], target[rows]).clamp_(min=0) * mask[rows] * scale for u in values[rows].unbind(1)]
            )
            best, kind = _first_best(fold_sum(gains.transpose(1, 2)))
            kept = best_entries(best[None], torch.tensor([self.axons], device=best.device), self.axons)[0]
            gains = gains.gather(0, kind[None, None].expand(1, len(rows), -1))[0]
            code[rows] = (kind + 1) * (kept & (gains > 0))
            total += float(fold_sum(best * kept))
        return code, total

    def _refit(self, target: torch.Tensor, mask: torch.Tensor, code: torch.Tensor) -> torch.Tensor:
        """Give the values [N, G] of least squared error for the columns' present types.

        A type no column of a core has takes what one of its columns wants, first those that are farthest off.
        """
        values = self.values.to(target.device).clone()
        table = torch.cat([torch.zeros_like(values[:, :1]), values], 1)
        off = (target * mask - table.gather(1, code)).square()
        for rows in self._cores():
            kind, wanted = code[rows].amax(0) - 1, (target * mask)[rows]
            farthest = fold_sum(off[rows].T).argsort(descending=True, stable=True).split(1)
            served = [(kind == g).nonzero()[:, 0] for g in range(self.types)]
            unserved = [g for g, columns in enumerate(served) if not len(columns)]
            served = {g: columns for g, columns in enumerate(served) if len(columns)}
            for g, columns in (served | dict(zip(unserved, farthest, strict=False))).items():
                values[rows, g] = best_unit(wanted[:, columns], values[rows, g], self.most)
        return values

    def _cores(self) -> list[torch.Tensor]:
        """List the rows of each core."""
        return [(self.groups == group).nonzero()[:, 0] for group in self.groups.unique()]


def best_unit(wanted: torch.Tensor, present: torch.Tensor, most: int) -> torch.Tensor:
    """Give each row the whole number u, |u| <= most, of largest Σ max(0, w² − (w − u)²) over its entries [R, E].

    The entries closed under the best u are the k largest of its sign for some k, and u is then the whole number nearest to
    their mean: both signs and every k are tried. Rows that gain nothing, or no more than now, keep the present one [R].
    """
    ordered = wanted.sort(dim=1, descending=True).values
    count = torch.arange(1, wanted.shape[1] + 1, dtype=torch.float64, device=wanted.device)
    candidates = []
    for side in (ordered, -ordered.flip(1)):
        total = side.clamp(min=0).cumsum(1)
        unit = torch.round(total / count).clamp_(max=most)
        value, place = (unit * (2 * total - count * unit)).max(1)
        candidates.append((value, unit.gather(1, place[:, None])[:, 0]))
    (plus, up), (minus, down) = candidates
    best, unit = torch.where(minus > plus, minus, plus), torch.where(minus > plus, -down, up)
    now = fold_sum(gain(present.double()[:, None], wanted).clamp_(min=0))
    return torch.where(best > now, unit.to(torch.int64), present)


def _first_best(sums: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Give the largest of the sums [G, M] over types, and the first type that has it."""
    best = sums.amax(0)
    return best, torch.from_numpy(np.argmax((sums == best).cpu().numpy(), 0)).to(sums.device)
