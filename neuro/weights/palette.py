"""Find the nearest of a few values, for words that hold one value each (masks, levels)."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from neuro.weights.latents import is_compiled_for


def look_up(table: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """Read table [1, V] (shared) or [N, V] (per row) at index [N, E] long."""
    return table[0][index] if len(table) == 1 else table.gather(1, index)


@dataclass(frozen=True, eq=False)
class Palette:
    """Hold values in rising order [1 or N, V] and what each is called; equal values carry the smallest name."""

    values: torch.Tensor
    names: torch.Tensor

    @classmethod
    def of(cls, values: torch.Tensor) -> Palette:
        """Sort values [1 or N, V]; a value's name is its place in the order given."""
        ordered, order = values.sort(dim=1, stable=True)
        return cls(ordered, order.gather(1, torch.searchsorted(ordered, ordered)))

    def nearest(self, target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return value and name of the nearest value of each target [N, E] float64; at equal distance the smaller.

        Smaller means nearer to 0: the projection then never spends weight for nothing.
        """
        if is_compiled_for(target):
            from neuro.weights.compiled_values import nearest_values

            value, name = torch.empty_like(target), torch.empty(target.shape, dtype=torch.int64)
            arrays = (target, self.values, self.names, value, name)
            nearest_values(*(tensor.numpy() for tensor in arrays))
            return value, name
        count = self.values.shape[1]
        edges = self.values[0] if len(self.values) == 1 else self.values
        right = torch.searchsorted(edges, target.contiguous())
        upper, lower = right.clamp(max=count - 1), (right - 1).clamp_(min=0)
        above, below = look_up(self.values, upper), look_up(self.values, lower)
        up, down = above - target, target - below
        rise = (up < down) | ((up == down) & (above.abs() < below.abs()))
        return torch.where(rise, above, below), look_up(self.names, torch.where(rise, upper, lower))


def gain(value: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return target² − (target − value)², in a form that huge targets do not cancel (design: exact projection)."""
    return value * (2 * target - value)
