"""Words of defective boards: some are good for tags of the lower half only, some for the upper half, most for both.

A row can hold `l` words with low tags and `h` with high ones if and only if l <= low, h <= high and l + h <= all, where
low and high count the words good for either and all those good for any (Hall's theorem: any two demands on two sets are
met where each set, and both together, are large enough). The limits are nested, so the greedy stays exact: of each half
the best words within its own limit, of these the best within the limit of all.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from neuro.errors import DescriptionError, FeasibilityError

HALVES = (False, True)


@dataclass(frozen=True, eq=False)
class NestedSlots:
    """Slots of every row: limits [N, 3] for sources with low tags, with high tags, and all; high [1 or N, M] bool.

    high says which columns are heard by tags of the upper half. Raises DescriptionError for limits that cannot be.
    """

    limits: torch.Tensor
    high: torch.Tensor

    def __post_init__(self) -> None:
        limits, high = self.limits, self.high
        whole = limits.dtype == torch.int64 and limits.dim() == 2 and limits.shape[1] == 3
        if not whole or high.dtype != torch.bool or high.dim() != 2 or len(high) not in (1, len(limits)):
            raise DescriptionError(
                f"limits {limits.dtype} {list(limits.shape)} and high {high.dtype} {list(high.shape)}, allowed: whole "
                "numbers [N, 3] (int64) and truth values [1 or N, M]"
            )
        low, up, every = limits.unbind(1)
        wrong = (limits < 0).any(1) | (every < low.maximum(up)) | (every > low + up)
        if wrong.any():
            row = int(wrong.nonzero()[0])
            have = ", ".join(map(str, limits[row].tolist()))
            raise DescriptionError(
                f"row {row} has {have} words for low tags, for high tags and in all, allowed: in all at least as many as "
                "for either and at most the sum of both"
            )

    @property
    def total(self) -> torch.Tensor:
        """Words of every row in all, [N]."""
        return self.limits[:, 2]

    def to(self, device) -> NestedSlots:
        """Return a copy on a device."""
        return NestedSlots(self.limits.to(device), self.high.to(device))

    def at(self, source: torch.Tensor) -> NestedSlots:
        """Return the slots of rows whose entries listen to the columns source [N, E]."""
        high = self.high.to(source.device).expand(len(source), -1)
        return NestedSlots(self.limits, high.gather(1, source))

    def entries(self, latent: torch.Tensor) -> torch.Tensor:
        """Say of each place of a latent [N, M, …] whether it takes a word for high tags: bool [1 or N, M · …]."""
        if self.high.shape[1] != latent.shape[1] or len(self.limits) != len(latent):
            raise FeasibilityError(
                f"slots are of {len(self.limits)} rows and {self.high.shape[1]} columns, the latent or code has "
                f"{len(latent)} and {latent.shape[1]}; give nested slots of its size"
            )
        each = latent[0, :1].numel() if latent.numel() else 1
        return self.high.to(latent.device).repeat_interleave(each, 1)

    def by_half(self, latent: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Give each half's places [1 or N, M · …] and its limits [N], low first."""
        high = self.entries(latent)
        return [(high if up else ~high, self.limits[:, int(up)].to(latent.device)) for up in HALVES]


def halves_of(slots, latent: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Give the places and limits of each half; none where words are good for any tag."""
    return slots.by_half(latent) if isinstance(slots, NestedSlots) else []
