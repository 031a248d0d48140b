"""What all pairs of two devices can weigh, and which pair stands for a weight."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from neuro.weights.envelope import Envelope
from neuro.weights.palette import Palette


@dataclass(frozen=True, eq=False)
class Pairs:
    """What pairs of one array can weigh: `values` [L²] by code; the nearest is looked up among distinct ones."""

    values: torch.Tensor
    codes: torch.Tensor  # codes of the names in `palette`
    palette: Palette  # every distinct value
    envelope: Envelope | None
    zero: int | None

    @classmethod
    def of(cls, values: torch.Tensor, preferred: torch.Tensor, variance: torch.Tensor | None) -> Pairs:
        if variance is not None:
            preferred = preferred[variance[preferred].argsort(stable=True)]
        ordered = values[preferred]
        palette = Palette.of(ordered[None])
        names = torch.unique(palette.names[0])  # of equal values the most preferred
        names = names[ordered[names].argsort()]
        distinct = Palette(ordered[names][None].contiguous(), names[None].contiguous())
        envelope = None if variance is None else Envelope.of(ordered[names], variance[preferred][names])
        zero = (ordered == 0).nonzero()
        return cls(
            values,
            preferred.to(torch.int32),
            distinct,
            envelope,
            int(preferred[zero[0, 0]]) if len(zero) else None,
        )

    @property
    def least(self) -> torch.Tensor:
        return self.palette.values[0, 0]

    @property
    def most(self) -> torch.Tensor:
        return self.palette.values[0, -1]

    def nearest(self, target: torch.Tensor) -> torch.Tensor:
        """Return the code of least distance, or of least expected squared error, for each target [R, E]."""
        if self.envelope is None:
            return self.codes[self.palette.nearest(target)[1]]
        return self.codes[self.palette.names[0][self.envelope.least(target)]]

    def neighbours(self, target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return the codes just below and above each target within the hull, and how far it is between them, 0..1."""
        edges = self.palette.values[0]
        upper = torch.searchsorted(edges, target.contiguous()).clamp_(1, len(edges) - 1)
        low, high = edges[upper - 1], edges[upper]
        names = self.palette.names[0]
        return self.codes[names[upper - 1]], self.codes[names[upper]], ((target - low) / (high - low)).clamp_(0, 1)
