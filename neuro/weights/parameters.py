"""Check what schemes are made of: base weights, slots, groups; move them to another device."""

from __future__ import annotations

from copy import copy
from dataclasses import fields

import torch

from neuro.errors import DescriptionError
from neuro.weights.nested import NestedSlots

SMALLEST_BASE, LARGEST_BASE = 1e-30, 1e30


def base_tensor(name: str, values, width: int | None = None) -> torch.Tensor:
    """Turn base weights into a detached float64 tensor [K] or [N, K]; refuse what is not positive and finite."""
    bases = torch.as_tensor(values, dtype=torch.float64).detach()
    if bases.dim() not in (1, 2) or bases.numel() == 0 or width not in (None, bases.shape[-1]):
        expected = "K" if width is None else width
        raise DescriptionError(
            f"{name} has the shape {list(bases.shape)}, allowed: [{expected}] or [neurons, {expected}]; "
            "give one base weight a type, or one row of them a neuron"
        )
    wrong = ~((bases >= SMALLEST_BASE) & (bases <= LARGEST_BASE))
    if wrong.any():
        place = wrong.nonzero()[0].tolist()
        raise DescriptionError(
            f"{name}{place} is {bases[tuple(place)].item():g}, allowed: {SMALLEST_BASE:g} to {LARGEST_BASE:g}; "
            "base weights are positive, signs are given apart"
        )
    return bases


def slot_limit(slots) -> int | torch.Tensor | NestedSlots:
    """Turn slots into an int or a LongTensor [N], nested ones as they are; refuse fractions and negative numbers."""
    if isinstance(slots, NestedSlots):
        return slots
    limit = torch.as_tensor(slots)
    if limit.is_floating_point() or limit.is_complex() or limit.dtype == torch.bool or limit.dim() > 1:
        raise DescriptionError(
            f"slots is {slots!r}, allowed: one whole number or one a neuron; give the words a neuron's memory holds"
        )
    if limit.numel() and int(limit.min()) < 0:
        raise DescriptionError(f"slots is {int(limit.min())} at the least, allowed: 0 and above; correct the slots")
    return int(limit) if limit.dim() == 0 else limit.to(torch.int64)


def most_slots(slots: int | torch.Tensor | NestedSlots) -> int:
    """Return the largest number of slots any row has."""
    if isinstance(slots, int):
        return slots
    each = in_all(slots)
    return int(each.max()) if each.numel() else 0


def typical_slots(slots: int | torch.Tensor | NestedSlots) -> int:
    """Return the median number of slots of a row, at least 1."""
    if isinstance(slots, int):
        return max(slots, 1)
    each = in_all(slots)
    return max(int(each.median()) if each.numel() else 1, 1)


def in_all(slots: torch.Tensor | NestedSlots) -> torch.Tensor:
    """Return the slots of every row [N], whatever the tags."""
    return slots.total if isinstance(slots, NestedSlots) else slots


def moved(scheme, device):
    """Copy a scheme with all its tensors on another device; what was checked once is not checked again."""
    other = copy(scheme)
    for field in fields(scheme):
        if isinstance(value := getattr(scheme, field.name), torch.Tensor | NestedSlots):
            object.__setattr__(other, field.name, value.to(device))
    return other


def typical_mean(size: torch.Tensor, share: int) -> torch.Tensor:
    """Return the median over rows of Σ / share of a row's `share` largest sizes [N, E]; rows of 0 do not count."""
    sums = size.topk(min(share, size.shape[1]), dim=1).values.sum(1) / share
    return median_or_one(sums[sums > 0])


def median_or_one(values: torch.Tensor) -> torch.Tensor:
    """Return the median of positive values, or 1 where there are none."""
    return values.median() if len(values) else values.new_ones(())
