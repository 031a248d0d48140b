"""Slot storage: a neuron keeps entries, each with a source of its own, in place of a column for everyone it could hear.

Entries of a neuron are sorted by source. Those whose code is 0 are its reserve: they keep latent and optimizer moments,
so that a connection can grow over many steps, and may be given another source (`redraw`).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from neuro.errors import FitError
from neuro.placement import Plan

TURNS = 64  # tries to find a source that a neuron does not listen to yet


def number_of_entries(plan: Plan, name: str, reserve: int | None) -> int:
    """How many entries a neuron of a population gets: its slots and the reserve (default: as many again)."""
    weights, width = plan.chip.weights, plan.width(name)
    if weights.slots is None or weights.kind == "float" or weights.sign == "source":
        have = (
            "float" if weights.kind == "float" else "no slots a neuron" if weights.slots is None else "signs by source"
        )
        raise FitError(
            f"storage slots needs a chip whose neurons have a memory of their own; {plan.chip.label} has {have}; use "
            "storage dense"
        )
    return min(weights.slots + (weights.slots if reserve is None else reserve), width - bool(len(plan.itself(name))))


def draw_sources(plan: Plan, name: str, entries: int, generator: torch.Generator) -> torch.Tensor:
    """Draw distinct columns for each neuron's entries, ascending: long [n, E]. With room for all, all are taken."""
    itself, size, width = torch.from_numpy(plan.itself(name)), plan.spec.size_of(name), plan.width(name)
    if entries >= width - bool(len(itself)):
        columns = torch.arange(width - bool(len(itself))).repeat(size, 1)
        return columns + (columns >= itself[:, None]) if len(itself) else columns
    source = torch.randint(width, (size, entries), generator=generator)
    return _made_distinct(source, torch.ones_like(source, dtype=torch.bool), itself, width, generator)[0]


def redraw(
    memory, latent: torch.Tensor, moments: Sequence[torch.Tensor], plan: Plan, name: str, share: float, generator
) -> None:
    """Give the `share` of a memory's empty entries with the smallest latents new sources, in place.

    Latent and moments start again at 0 there; everything stays sorted by source. moments: what an optimizer keeps in
    the latent's shape.
    """
    empty = (memory.code == memory.scheme.empty).flatten(2).all(2)
    size = latent.detach().abs().flatten(2).amax(2).masked_fill(~empty, torch.inf)
    rank = size.argsort(dim=1, stable=True).argsort(1)
    new = rank < (share * empty.sum(1, keepdim=True)).floor()
    itself, width = torch.from_numpy(plan.itself(name)), plan.width(name)
    if not new.any() or new.shape[1] >= width - bool(len(itself)):  # nothing empty, or nobody else to listen to
        return
    drawn = torch.where(new, torch.randint(width, new.shape, generator=generator), memory.source)
    source, order = _made_distinct(drawn, new, itself, width, generator)
    new = new.gather(1, order)
    crowded = _unfit(source, itself).any(1, keepdim=True)  # hardly a source is left that such a neuron does not hear
    source = torch.where(crowded, memory.source, source)
    order = torch.where(crowded, torch.arange(new.shape[1]), order)
    new &= ~crowded
    with torch.no_grad():
        for tensor in (latent, *moments):
            moved = tensor.gather(1, order[:, :, None, None].expand_as(tensor))
            tensor.copy_(moved.masked_fill_(new[:, :, None, None], 0.0))
    memory.listen(source)


def _unfit(source: torch.Tensor, itself: torch.Tensor) -> torch.Tensor:
    """Mark entries, sorted, whose source the neuron has already, or is."""
    unfit = torch.zeros_like(source, dtype=torch.bool)
    unfit[:, 1:] = source[:, 1:] == source[:, :-1]
    return unfit | (source == itself[:, None]) if len(itself) else unfit


def _made_distinct(source: torch.Tensor, new: torch.Tensor, itself: torch.Tensor, width: int, generator):
    """Sort sources and draw those of `new` again that a neuron has twice or may not hear; gives also where each was."""
    order = torch.arange(source.shape[1]).repeat(len(source), 1)
    for _ in range(TURNS):
        # of equal sources the one that is kept comes first, so that the new one is drawn again
        key = (source * 2 + new).argsort(dim=1, stable=True)
        source, new, order = (x.gather(1, key) for x in (source, new, order))
        unfit = _unfit(source, itself) & new
        if not unfit.any():
            break
        source[unfit] = torch.randint(width, (int(unfit.sum()),), generator=generator)
    return source, order
