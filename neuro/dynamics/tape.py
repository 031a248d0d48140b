"""What running steps leaves behind, so that gradients find their way back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Tape:
    """What steps leave behind for the way back, [tiles, T, N · 16]: u, and where needed v from before, a, who rested.

    i [tiles, T, C, N · 16]: the currents from before, where constants learn, else T = 0.
    """

    u: np.ndarray
    v: np.ndarray
    a: np.ndarray
    busy: np.ndarray
    i: np.ndarray

    def part(self, first: int, last: int) -> Tape:
        """What steps first … last − 1 leave behind."""
        one = slice(0, 1)
        kept = slice(first, last)
        return Tape(
            self.u[:, kept if self.u.shape[1] > 1 else one],
            self.v[:, slice(first, last + 1) if self.v.shape[1] > 1 else one],
            self.a[:, kept if self.a.shape[1] > 1 else one],
            self.busy[:, kept if self.busy.shape[1] > 1 else one],
            self.i[:, kept],
        )
