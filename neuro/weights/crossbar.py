"""Crossbars: one bit a crosspoint, one type an axon, one signed weight a neuron for each type (TrueNorth and kin).

weight[n, m] = c[n, m] · S[n, g[core, m]]: column m is an axon of type g in every neuron of a core, or absent there; a
core has so many axons for all its neurons.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from neuro.errors import DescriptionError, FeasibilityError
from neuro.weights import violation
from neuro.weights.crosspoints import fit, nearest_code
from neuro.weights.latents import aligned, finite, per_row
from neuro.weights.parameters import moved


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
        wanted, code = self._read(latent, allowed), torch.zeros_like(latent, dtype=torch.int64).flatten(1)
        for rows in self._cores():
            code[rows] = nearest_code(wanted[rows], self.values[rows], self._scale(latent)[rows], self.axons)[0]
        return code.view(latent.shape).to(torch.int16)

    def fitted(self, latent: torch.Tensor, allowed: torch.Tensor | None = None) -> CrossbarScheme:
        """Return the scheme whose values are re-fitted, in turns with the projection, until the error falls no more.

        A turn keeps the columns' types and gives each neuron the values of least squared error over its crosspoints,
        whichever of them are then closed; the error never rises. A scheme that was fitted to a latent stays as it is.
        """
        wanted, values = self._read(latent, allowed), self.values.clone()
        for rows in self._cores():
            values[rows] = fit(wanted[rows], values[rows], self._scale(latent)[rows], self.axons, self.most)
        return self if torch.equal(values, self.values) else replace(self, values=values)

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

    def word_values(self, latent: torch.Tensor) -> torch.Tensor:
        """Return what a crosspoint of each latent's sign is worth at most, float64 in its shape and 1; inf: none is."""
        weights = self.values.double() * per_row("grid", self.grid, latent)[:, None]
        unit = torch.where((latent < 0).flatten(1), -weights.amin(1, keepdim=True), weights.amax(1, keepdim=True))
        return unit.masked_fill(unit <= 0, torch.inf).view(*latent.shape, 1)

    def _read(self, latent: torch.Tensor, allowed: torch.Tensor | None) -> torch.Tensor:
        """Give the latent in grid units, [N, M] float64, 0 where a crosspoint must stay open."""
        latent = finite(latent)
        if latent.shape[2:].numel() != 1:
            raise FeasibilityError(
                f"latent has the shape {list(latent.shape)}, allowed: [N, M] or [N, M, 1, 1]; a crosspoint has one current "
                "and no delay of its own"
            )
        mask, grid = aligned(allowed, latent), per_row("grid", self.grid, latent)[:, None]
        wanted = latent.to(torch.float64).flatten(1) / grid
        return wanted if mask is None else wanted.masked_fill(~mask.flatten(1), 0.0)

    def _scale(self, latent: torch.Tensor) -> torch.Tensor:
        return per_row("grid", self.grid, latent).square()

    def _cores(self) -> list[torch.Tensor]:
        """List the rows of each core."""
        return [(self.groups == group).nonzero()[:, 0] for group in self.groups.unique()]
