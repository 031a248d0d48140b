"""Levels: a source connects by one word that holds a level (Loihi, Xylo, BrainScaleS-2, ODIN, ternary, binary).

weight = level[index] · scale, rounded to a grid where one is given; sign "free": levels as written, "row" and
"source": levels > 0 times one sign a row, or one a column within each group of rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
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
    per_row,
    row_budget,
    row_parts,
)
from neuro.weights.nested import NestedSlots, halves_of
from neuro.weights.palette import Palette, gain, look_up
from neuro.weights.parameters import base_tensor, median_or_one, most_slots, moved, slot_limit, typical_slots
from neuro.weights.selection import best_entries, within_halves
from neuro.weights.signs import minus_wins_row, minus_wins_source

MOST_LEVELS = 2**14
REFINEMENTS = 20


@dataclass(frozen=True, eq=False)
class LevelScheme:
    """Hold weights as indices of levels: code −1 = no connection, i = level i, and L + i = minus level i.

    levels: L different numbers, not 0, kept in rising order; slots an int, [N], nested, or None for no limit; sign "free"
    (codes below L only), "source" or "row"; scale a number, [1] or [N, 1], the trainable base; grid None, a number or
    [N]: values = round_half_even(level · scale / grid) · grid; groups [N] integers: rows that share the signs of
    their sources (None = all). Code and weight have the latent's shape. Raises DescriptionError.
    """

    levels: tuple[float, ...]
    slots: int | torch.Tensor | NestedSlots | None = None
    sign: str = "free"
    scale: torch.Tensor | float = 1.0
    grid: torch.Tensor | float | None = None
    groups: torch.Tensor | None = None

    def __post_init__(self) -> None:
        levels = tuple(sorted(float(level) for level in self.levels))
        _check_levels(levels, self.sign)
        object.__setattr__(self, "levels", levels)
        object.__setattr__(self, "slots", None if self.slots is None else slot_limit(self.slots))
        object.__setattr__(self, "scale", base_tensor("scale", _at_least_1d(self.scale), 1))
        object.__setattr__(self, "grid", None if self.grid is None else base_tensor("grid", _at_least_1d(self.grid)))
        object.__setattr__(self, "groups", None if self.groups is None else _group_numbers(self.groups))

    empty = -1

    @property
    def bases(self) -> torch.Tensor:
        return self.scale

    def with_bases(self, bases: torch.Tensor) -> LevelScheme:
        """Return the same scheme with another scale [1] or [N, 1]."""
        return replace(self, scale=bases)

    def to(self, device) -> LevelScheme:
        """Return a copy whose tensors are on the device."""
        return moved(self, device)

    def project(self, latent: torch.Tensor, allowed: torch.Tensor | None = None) -> torch.Tensor:
        """Return the nearest code that fits, int16; equal gains in the order column, current, line.

        latent [N, M(, C(, D))], allowed bool that broadcasts to it. At equal distance the value nearer to 0, of equal
        values the smaller index. Raises FeasibilityError for latents that are not finite.
        Source: design, exact projection, and weight kinds for the choice of signs.
        """
        return self.hold(latent, allowed)[0]

    def hold(self, latent: torch.Tensor, allowed: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the nearest code that fits, as `project` does, and its weight, as `decode` does."""
        latent = finite(latent)
        allowed = aligned(allowed, latent)
        if self.sign == "free" and is_compiled_for(latent):
            return self._by_rows(latent, allowed)
        code = self._by_tensors(latent, allowed)
        return code, self.decode(code)

    def _by_tensors(self, latent: torch.Tensor, allowed: torch.Tensor | None) -> torch.Tensor:
        target, negative = latent.to(torch.float64).flatten(1), (latent < 0).flatten(1)
        if self.sign != "free":
            target = target.abs()
        value, index = Palette.of(self._values(latent)).nearest(target)
        gains = gain(value, target).clamp_(min=0)
        if allowed is not None:
            gains.mul_(allowed.flatten(1))
        if self.sign != "free":
            gains.mul_(negative == self._minus_wins(gains, negative, latent))
            index = index + len(self.levels) * negative
        taken = gains > 0
        if self.slots is not None:
            most = most_slots(self.slots)
            gains = within_halves(gains, halves_of(self.slots, latent), most)
            taken = best_entries(gains, row_budget(self.slots, latent), most)
        return ((index + 1) * taken).sub_(1).view(latent.shape).to(torch.int16)

    def _by_rows(self, latent: torch.Tensor, allowed: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
        from neuro.weights.compiled_values import level_rows  # numba is imported where a projection needs it

        flat, values = latent.flatten(1), self._values(latent)
        palette, table = Palette.of(values), self._table(values).to(torch.float32)
        code, weight = torch.empty(flat.shape, dtype=torch.int16), torch.empty(flat.shape)
        limits, high = limits_of(flat.shape[1] if self.slots is None else self.slots, latent)
        allowed = torch.empty(0, 0, dtype=torch.bool) if allowed is None else allowed.flatten(1).contiguous()
        arrays = (palette.values, palette.names, table, allowed, limits, high, code, weight)
        jobs = row_parts(as_floats(flat), *(x.numpy() for x in arrays))
        in_parallel(torch.get_num_threads(), level_rows, jobs)
        return code.view(latent.shape), weight.view(latent.shape)

    def draw(
        self, latent: torch.Tensor, allowed: torch.Tensor | None = None, generator: torch.Generator | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return a random code that fits and is right on average, and its weight; no generator: with error feedback.

        The mean is the nearest point of the hull; `neuro.weights.drawing` says which words stand for it. Signs of rows
        and sources are those of the nearest code: entries of the other sign are left out.
        """
        latent = self.hull(latent, allowed)
        wanted, values = latent.to(torch.float64).flatten(1), self._values(latent)
        size, negative = wanted.abs(), wanted < 0
        up = Palette.of(values.masked_fill(values <= 0, torch.inf))
        down = up
        if self.sign == "free":
            down = Palette.of((-values).masked_fill(values >= 0, torch.inf))
        else:
            value, _ = Palette.of(values).nearest(size)
            gains = gain(value, size).clamp_(min=0)
            size = size * (negative == self._minus_wins(gains, negative, latent))
        budget = None if self.slots is None else row_budget(self.slots, latent)
        index = draw_values(size, negative, (up, down), budget, generator, halves_of(self.slots, latent))
        if self.sign != "free":
            index = index + len(self.levels) * (negative & (index >= 0))
        code = index.view(latent.shape).to(torch.int16)
        return code, self.decode(code)

    def decode(self, code: torch.Tensor) -> torch.Tensor:
        """Return the float32 weight of a code, in its shape."""
        return look_up(self._table(self._values(code)).to(torch.float32), code.flatten(1).long() + 1).view(code.shape)

    def level_and_sign(self, code: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Split a code into level index (−1 = none) and the sign its level is multiplied by (±1, 0 = none), long."""
        minus = code >= len(self.levels)
        sign = torch.where(minus, -1, 1).masked_fill(code < 0, 0)
        return code.long() - len(self.levels) * minus, sign

    def slots_used(self, code: torch.Tensor) -> torch.Tensor:
        """Return the number of words each row uses, [N] long."""
        return (code >= 0).flatten(1).sum(1)

    def violations(self, code: torch.Tensor, allowed: torch.Tensor | None = None) -> list[violation.Violation]:
        """Find every limit a code breaks, by plain counting; [] means the chip can hold it."""
        indices = violation.as_array(code)
        if found := violation.malformed(indices, (2, 3, 4)):
            return found
        count, used = len(self.levels), indices != -1
        found = violation.out_of_range(indices, -1, (count if self.sign == "free" else 2 * count) - 1)
        if self.slots is not None:
            found += violation.over_budget(used, self.slots)
        if self.sign != "free":
            plus, minus = (indices >= 0) & (indices < count), indices >= count
            found += violation.mixed_signs(plus, minus, self.sign == "source", self.groups)
        return found + violation.not_allowed(used, allowed)

    def base_gradient(self, code: torch.Tensor, grad_weight: torch.Tensor) -> torch.Tensor:
        """Return dL/dscale [N, 1] from dL/dW (shape of the code): Σ ± level · dL/dW; the grid passes it through."""
        table = self._table(torch.tensor([self.levels], dtype=torch.float64, device=code.device))
        return coded_sums(code, table, -1, grad_weight).to(grad_weight.dtype)

    def initial_bases(self, latent: torch.Tensor) -> torch.Tensor:
        """Suggest the scale [1] of least squared error over the `slots` largest |w| of each row.

        Starts with the largest level on the largest |w| of a typical (median) row, then alternates between nearest
        levels and least squares. Latents of 0 give a largest level of 1.
        """
        target = finite(latent).to(torch.float64).flatten(1)
        kept = target.shape[1] if self.slots is None else min(typical_slots(self.slots), target.shape[1])
        target = target.gather(1, target.abs().topk(kept, 1).indices)
        largest = target.abs().amax(1) if target.numel() else target.new_zeros(0)
        target = target if self.sign == "free" else target.abs()
        scale = median_or_one(largest[largest > 0]) / max(map(abs, self.levels))
        palette = Palette.of(torch.tensor([self.levels], dtype=torch.float64, device=latent.device))
        for _ in range(REFINEMENTS):
            value = palette.nearest(target / scale)[0]
            value = value * (gain(value, target / scale) > 0)
            power = value.square().sum()
            scale = torch.where(power > 0, (value * target).sum() / power, scale)
        return scale.reshape(1)

    def hull(self, latent: torch.Tensor, allowed: torch.Tensor | None = None) -> torch.Tensor:
        """Return the nearest latent in the convex hull of all that fits, whichever signs the sources or rows take.

        With q the outermost value of w's sign: |w| <= q and Σ |w| / q <= slots in every row, and in each half of nested
        ones.
        """
        latent = finite(latent)
        size, allowed = latent.to(torch.float64).abs(), aligned(allowed, latent)
        if allowed is not None:
            size = size.masked_fill(~allowed, 0.0)
        unit = self.word_values(latent).flatten(1)
        size = size.flatten(1).masked_fill(unit.isinf(), 0.0)
        budget = None if self.slots is None else row_budget(self.slots, latent)
        unit = unit.masked_fill(unit.isinf(), 1.0)
        inside = into_nested_ball(size, unit, budget, halves_of(self.slots, latent), each=1)
        return inside.view(latent.shape).to(latent.dtype).copysign(latent)

    def word_values(self, latent: torch.Tensor) -> torch.Tensor:
        """Return what one word of each latent's sign is worth at most, float64 in its shape and 1; inf: none has it."""
        values = self._table(self._values(latent))
        unit = torch.where((latent < 0).flatten(1), -values.amin(1, keepdim=True), values.amax(1, keepdim=True))
        return unit.masked_fill(unit == 0, torch.inf).view(*latent.shape, 1)

    def _values(self, rows: torch.Tensor) -> torch.Tensor:
        """Return the value of every level, [1 or N, L] float64."""
        levels = torch.tensor([self.levels], dtype=torch.float64, device=rows.device)
        values = levels * base_rows("scale", self.scale, rows)
        if self.grid is None:
            return values
        grid = (self.grid.to(rows.device) if len(self.grid) == 1 else per_row("grid", self.grid, rows))[:, None]
        return torch.round(values / grid) * grid

    def _table(self, values: torch.Tensor) -> torch.Tensor:
        """Return what each code stands for, from −1 on: 0, the values, and minus the values where codes have signs."""
        signed = [] if self.sign == "free" else [-values]
        return torch.cat([torch.zeros_like(values[:, :1]), values, *signed], 1)

    def _minus_wins(self, gains: torch.Tensor, negative: torch.Tensor, latent: torch.Tensor) -> torch.Tensor:
        """Say of each entry [N, E] whether its row or source takes the sign −."""
        minus = gains * negative
        plus = gains - minus
        if self.sign == "row":
            return minus_wins_row(plus, minus)
        groups = torch.zeros(len(latent), dtype=torch.int64) if self.groups is None else self.groups
        groups = per_row("groups", groups, latent)
        return minus_wins_source(plus, minus, latent.shape[1], groups)


def _at_least_1d(values) -> torch.Tensor:
    return torch.atleast_1d(torch.as_tensor(values, dtype=torch.float64))


def _group_numbers(groups) -> torch.Tensor:
    numbers = torch.as_tensor(groups)
    if numbers.dim() != 1 or numbers.dtype in (torch.float32, torch.float64, torch.bool):
        raise DescriptionError(
            f"groups has the shape {list(numbers.shape)} and type {numbers.dtype}, allowed: integers [N]; "
            "give the number of its group for every row"
        )
    return numbers.to(torch.int64)


def _check_levels(levels: tuple[float, ...], sign: str) -> None:
    """Refuse levels that are none, too many, not finite, 0, given twice, or negative where signs are apart."""
    if sign not in ("free", "source", "row"):
        raise DescriptionError(f"sign is {sign!r}, allowed: 'free', 'source' or 'row'; choose one of them")
    if not 1 <= len(levels) <= MOST_LEVELS or not all(np.isfinite(levels)) or len(set(levels)) < len(levels):
        raise DescriptionError(
            f"levels are {len(levels)}, of them {len(set(levels))} different, from {min(levels, default=None)} to "
            f"{max(levels, default=None)}, allowed: 1 to {MOST_LEVELS} different finite numbers; give each level once"
        )
    if 0.0 in levels:
        raise DescriptionError("levels hold 0, allowed: other numbers; leave it out: an empty slot is a weight of 0")
    if sign != "free" and levels[0] < 0:
        raise DescriptionError(
            f"levels go down to {levels[0]:g} with sign {sign!r}, allowed: above 0; give sizes only, or sign 'free'"
        )
