"""Levels whose words are limited by source: in each core, each source has a budget of words, and rows have none.

Seen from the sources this is a memory of levels like any other, with a source for a row and its budget for slots; each
core (a group of rows) is projected on its own, so the nearest point stays exact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch

from neuro.errors import DescriptionError
from neuro.weights import violation
from neuro.weights.latents import aligned, finite, per_row
from neuro.weights.levels import LevelScheme
from neuro.weights.parameters import moved


@dataclass(frozen=True, eq=False)
class FanOutScheme:
    """Hold levels (sign free, no slots) with at most budgets[g, m] words of column m in the rows of group g.

    levels: a LevelScheme without slots, of sign "free", whose groups [N] number the rows of budgets, long [G, M].
    Codes, weights and scales are those of the LevelScheme. Raises DescriptionError.
    """

    levels: LevelScheme
    budgets: torch.Tensor

    empty = -1
    slots = None

    def __post_init__(self) -> None:
        levels, budgets = self.levels, torch.as_tensor(self.budgets)
        if levels.slots is not None or levels.sign != "free" or levels.groups is None:
            raise DescriptionError(
                "levels have slots, signs apart or no groups, allowed: sign 'free', groups, no slots"
            )
        if budgets.dim() != 2 or budgets.dtype != torch.int64 or (budgets < 0).any():
            raise DescriptionError(
                f"budgets has the shape {list(budgets.shape)} and type {budgets.dtype}, allowed: whole numbers from 0, "
                "[groups, columns]"
            )
        groups = levels.groups
        if len(groups) and not 0 <= int(groups.min()) <= int(groups.max()) < len(budgets):
            raise DescriptionError(f"groups go up to {int(groups.max())}, allowed: 0 to {len(budgets) - 1}, as budgets")
        object.__setattr__(self, "budgets", budgets)

    @property
    def scale(self) -> torch.Tensor:
        return self.levels.scale

    @property
    def bases(self) -> torch.Tensor:
        return self.levels.scale

    def with_bases(self, bases: torch.Tensor) -> FanOutScheme:
        """Return the same scheme with another scale [1] or [N, 1]."""
        return replace(self, levels=self.levels.with_bases(bases))

    def to(self, device) -> FanOutScheme:
        """Return a copy whose tensors are on the device."""
        return replace(moved(self, device), levels=self.levels.to(device))

    def project(self, latent: torch.Tensor, allowed: torch.Tensor | None = None) -> torch.Tensor:
        """Return the nearest code that fits, int16; equal gains in the order row, current, line of each column.

        latent [N, M(, C(, D))], allowed bool that broadcasts to it. Raises FeasibilityError for latents not finite.
        """
        return self._by_source(latent, allowed, torch.int16, lambda scheme, w, a: scheme.project(w, a))

    def hold(self, latent: torch.Tensor, allowed: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the nearest code that fits and its weight."""
        code = self.project(latent, allowed)
        return code, self.decode(code)

    def draw(
        self, latent: torch.Tensor, allowed: torch.Tensor | None = None, generator: torch.Generator | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return a random code that fits and is right on average, and its weight; see `LevelScheme.draw`."""
        code = self._by_source(latent, allowed, torch.int16, lambda scheme, w, a: scheme.draw(w, a, generator)[0])
        return code, self.decode(code)

    def hull(self, latent: torch.Tensor, allowed: torch.Tensor | None = None) -> torch.Tensor:
        """Return the nearest latent in the convex hull of all that fits."""
        return self._by_source(latent, allowed, latent.dtype, lambda scheme, w, a: scheme.hull(w, a))

    def decode(self, code: torch.Tensor) -> torch.Tensor:
        """Return the float32 weight of a code, in its shape."""
        return self.levels.decode(code)

    def slots_used(self, code: torch.Tensor) -> torch.Tensor:
        """Return the number of words each row uses, [N] long."""
        return self.levels.slots_used(code)

    def violations(self, code: torch.Tensor, allowed: torch.Tensor | None = None) -> list[violation.Violation]:
        """Find every limit a code breaks, by plain counting; [] means the chip can hold it."""
        found = self.levels.violations(code, allowed)
        used = violation.as_array(code) != -1
        if used.ndim not in (2, 3, 4):
            return found
        return found + violation.over_fan_out(used, violation.as_array(self.levels.groups), self.budgets)

    def base_gradient(self, code: torch.Tensor, grad_weight: torch.Tensor) -> torch.Tensor:
        """Return dL/dscale [N, 1] from dL/dW (shape of the code)."""
        return self.levels.base_gradient(code, grad_weight)

    def initial_bases(self, latent: torch.Tensor) -> torch.Tensor:
        """Suggest the scale [1] of least squared error."""
        return self.levels.initial_bases(latent)

    def word_values(self, latent: torch.Tensor) -> torch.Tensor:
        """Return what one word of each latent's sign is worth at most, float64 in its shape and 1; inf: none has it."""
        return self.levels.word_values(latent)

    def _by_source(self, latent, allowed, kind: torch.dtype, act: Callable) -> torch.Tensor:
        """Let the scheme of each group, a row a source, act on the group's rows turned round; put the results together."""
        latent = finite(latent)
        allowed = aligned(allowed, latent)
        result = torch.empty(latent.shape, dtype=kind, device=latent.device)
        for rows, scheme in self._groups(latent):
            turned = latent[rows].transpose(0, 1).contiguous()
            may = None if allowed is None else allowed[rows].transpose(0, 1).contiguous()
            result[rows] = act(scheme, turned, may).transpose(0, 1).to(kind)
        return result

    def _groups(self, latent: torch.Tensor) -> Iterator[tuple[torch.Tensor, LevelScheme]]:
        """The rows of each group, and the scheme of its sources; a group has one scale and one grid."""
        own = self.levels
        numbers = per_row("groups", own.groups, latent)
        for number in numbers.unique():
            rows = (numbers == number).nonzero()[:, 0]
            first = int(rows[0])
            scale = own.scale if own.scale.dim() == 1 else own.scale[first]
            grid = own.grid if own.grid is None or len(own.grid) == 1 else own.grid[first : first + 1]
            yield rows, LevelScheme(own.levels, self.budgets[number].to(latent.device), "free", scale, grid)
