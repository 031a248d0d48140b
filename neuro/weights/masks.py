"""Masks: a source connects by one word whose bits choose from a few base currents (DYNAP-SE2).

weight = sign · Σ_b bit_b · I_b,   one word a source, current and delay line, at most `slots` words in every row.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from neuro.errors import DescriptionError
from neuro.jit import in_parallel
from neuro.weights import violation
from neuro.weights.ball import into_nested_ball
from neuro.weights.drawing import draw_values
from neuro.weights.latents import (
    aligned,
    as_floats,
    base_rows,
    coded_sums,
    finite,
    is_compiled_for,
    limits_of,
    row_budget,
    row_parts,
)
from neuro.weights.nested import NestedSlots, halves_of
from neuro.weights.palette import Palette, gain, look_up
from neuro.weights.parameters import base_tensor, median_or_one, most_slots, moved, slot_limit
from neuro.weights.selection import best_entries, contenders, within_halves

MOST_BITS = 8


@dataclass(frozen=True, eq=False)
class MaskScheme:
    """Hold weights as signed bit masks: code sign · mask, −15..15 for four bits, 0 = no connection.

    base_currents [B] or [N, B] > 0, bit b of a mask switches base b, B = 1..8; slots an int, [N], or nested. Code and
    weight have the latent's shape. Raises DescriptionError for parameters that cannot be.
    """

    base_currents: torch.Tensor
    slots: int | torch.Tensor | NestedSlots

    def __post_init__(self) -> None:
        object.__setattr__(self, "base_currents", base_tensor("base_currents", self.base_currents))
        object.__setattr__(self, "slots", slot_limit(self.slots))
        if self._bits > MOST_BITS:
            raise DescriptionError(f"base_currents has {self._bits} bits, allowed: 1 to {MOST_BITS}; leave some out")

    empty = 0

    @property
    def bases(self) -> torch.Tensor:
        return self.base_currents

    def with_bases(self, bases: torch.Tensor) -> MaskScheme:
        """Return the same scheme with other base currents [B] or [N, B]."""
        return replace(self, base_currents=bases)

    def to(self, device) -> MaskScheme:
        """Return a copy whose tensors are on the device."""
        return moved(self, device)

    def project(self, latent: torch.Tensor, allowed: torch.Tensor | None = None) -> torch.Tensor:
        """Return the nearest code that fits; equal gains in the order column, current, line.

        latent [N, M(, C(, D))], allowed bool that broadcasts to it; the code is int8, int16 for eight bits. At equal
        distance the smaller value, of equal sums the smaller mask. Raises FeasibilityError for latents that are not
        finite. Source: design, exact projection, masks.
        """
        latent, allowed = finite(latent), aligned(allowed, latent)
        wanted = (latent if allowed is None else latent.masked_fill(~allowed, 0.0)).flatten(1)
        palette, budget = Palette.of(self._sums(latent)[:, 1:]), row_budget(self.slots, latent)
        code = torch.zeros(wanted.shape, dtype=self._code_type, device=latent.device)
        if is_compiled_for(latent):
            from neuro.weights.compiled_values import mask_rows  # numba is imported where a projection needs it

            sums, names = palette.values.numpy(), palette.names.numpy()
            limits = (x.numpy() for x in limits_of(self.slots, latent))
            jobs = row_parts(as_floats(wanted), sums, names, *limits, code.numpy())
            in_parallel(torch.get_num_threads(), mask_rows, jobs)
            return code.view(latent.shape)
        most = most_slots(self.slots)
        size = within_halves(wanted.to(torch.float64).abs(), halves_of(self.slots, latent), most)
        entry = contenders(size, most)  # a larger |w| gains more
        size = size.gather(1, entry)
        value, name = palette.nearest(size)
        taken = best_entries(size.masked_fill(gain(value, size) <= 0, 0.0), budget, most)
        masks = ((name + 1) * taken).to(self._code_type)
        code.scatter_(1, entry, masks)
        return torch.where(wanted < 0, -code, code).view(latent.shape)

    def hold(self, latent: torch.Tensor, allowed: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the nearest code that fits and its weight."""
        code = self.project(latent, allowed)
        return code, self.decode(code)

    def draw(
        self, latent: torch.Tensor, allowed: torch.Tensor | None = None, generator: torch.Generator | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return a random code that fits and is right on average, and its weight; no generator: with error feedback.

        The mean is the nearest point of the hull; `neuro.weights.drawing` says which words stand for it.
        """
        latent = self.hull(latent, allowed)
        wanted, palette = latent.to(torch.float64).flatten(1), Palette.of(self._sums(latent)[:, 1:])
        negative, budget = wanted < 0, row_budget(self.slots, latent)
        halves = halves_of(self.slots, latent)
        names = draw_values(wanted.abs(), negative, (palette, palette), budget, generator, halves)
        masks = (names + 1).to(self._code_type)
        code = torch.where(negative, -masks, masks).view(latent.shape)
        return code, self.decode(code)

    def decode(self, code: torch.Tensor) -> torch.Tensor:
        """Return the float32 weight of a code, in its shape."""
        sums = self._sums(code).to(torch.float32)
        signed = torch.cat([-sums[:, 1:].flip(1), sums], 1)
        return look_up(signed, code.flatten(1).long() + sums.shape[1] - 1).view(code.shape)

    def slots_used(self, code: torch.Tensor) -> torch.Tensor:
        """Return the number of words each row uses, [N] long."""
        return (code != 0).flatten(1).sum(1)

    def violations(self, code: torch.Tensor, allowed: torch.Tensor | None = None) -> list[violation.Violation]:
        """Find every limit a code breaks, by plain counting; [] means the chip can hold it."""
        masks = violation.as_array(code)
        if found := violation.malformed(masks, (2, 3, 4)):
            return found
        largest = 2 ** self.base_currents.shape[-1] - 1
        used = masks != 0
        found = violation.out_of_range(masks, -largest, largest)
        found += violation.over_budget(used, self.slots)
        return found + violation.not_allowed(used, allowed)

    def base_gradient(self, code: torch.Tensor, grad_weight: torch.Tensor) -> torch.Tensor:
        """Return dL/dI [N, B] from dL/dW (shape of the code): Σ sign · bit · dL/dW over a row."""
        largest = 2**self._bits - 1
        mask = torch.arange(-largest, largest + 1, device=code.device)
        bits = (mask.abs() >> torch.arange(self._bits, device=code.device)[:, None]) & 1
        return coded_sums(code, (bits * mask.sign()).double(), -largest, grad_weight).to(grad_weight.dtype)

    def initial_bases(self, latent: torch.Tensor) -> torch.Tensor:
        """Suggest base currents u, 2u, 4u, … [B] whose sum is the largest |w| of a typical row.

        Typical is the median over the rows that are not all 0; latents of 0 give a sum of 1.
        """
        largest = finite(latent).abs().to(torch.float64).flatten(1)
        largest = largest.amax(1) if largest.numel() else largest.new_zeros(0)
        powers = 2.0 ** torch.arange(self._bits, device=latent.device, dtype=torch.float64)
        return powers * median_or_one(largest[largest > 0]) / powers.sum()

    def hull(self, latent: torch.Tensor, allowed: torch.Tensor | None = None) -> torch.Tensor:
        """Return the nearest latent in the convex hull of all that fits.

        With q the largest value: |w| <= q and Σ |w| / q <= slots in every row, and in each half of nested ones.
        """
        latent = finite(latent)
        size, allowed = latent.to(torch.float64).abs(), aligned(allowed, latent)
        if allowed is not None:
            size = size.masked_fill(~allowed, 0.0)
        unit = self._sums(latent)[:, -1:]
        budget, halves = row_budget(self.slots, latent), halves_of(self.slots, latent)
        inside = into_nested_ball(size.flatten(1), unit, budget, halves, each=1)
        return inside.view(latent.shape).to(latent.dtype).copysign(latent)

    def word_values(self, latent: torch.Tensor) -> torch.Tensor:
        """Return what one word is worth at most, float64 in the latent's shape and 1."""
        return self._sums(latent)[:, -1:].expand_as(latent.flatten(1)).reshape(*latent.shape, 1)

    @property
    def _code_type(self) -> torch.dtype:
        return torch.int8 if self._bits < MOST_BITS else torch.int16

    @property
    def _bits(self) -> int:
        return self.base_currents.shape[-1]

    def _sums(self, rows: torch.Tensor) -> torch.Tensor:
        """Return the value of every mask, [1 or N, 2^B] float64, added in the order of the bits."""
        bases = base_rows("base_currents", self.base_currents, rows)
        sums = torch.zeros_like(bases[:, :1])
        for bit in range(self._bits):
            sums = torch.cat([sums, sums + bases[:, bit : bit + 1]], 1)
        return sums
