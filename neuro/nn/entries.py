"""Slot storage: a neuron keeps entries, each with a source of its own, in place of a column for everyone it could hear.

Entries of a neuron are sorted by source. Those whose code is 0 are its reserve: they keep latent and optimizer moments,
so that a connection can grow over many steps, and may be given another source (`redraw`).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from neuro.errors import DescriptionError, FitError
from neuro.placement import Plan

TURNS = 16  # of drawing at random before the sources left are counted


def number_of_entries(plan: Plan, name: str, reserve: int | None) -> int:
    """How many entries a neuron of a population gets: its slots and the reserve (default: as many again)."""
    weights = plan.chip.weights
    if reserve is not None and (not isinstance(reserve, int) or reserve < 0):
        raise DescriptionError(f"reserve is {reserve!r}, allowed: a whole number of entries from 0, or None")
    have = None
    if weights.kind == "float":
        have = "float weights"
    elif weights.slots is None:
        have = "no slots a neuron"
    elif weights.sign in ("source", "row"):
        have = f"signs by {weights.sign}, which entries without a word would change"
    if have:
        raise FitError(
            f"storage slots needs a chip whose neurons have a memory of their own; {plan.chip.label} has {have}; use "
            "storage dense"
        )
    return min(weights.slots + (weights.slots if reserve is None else reserve), int(_others(plan, name).min()))


def _others(plan: Plan, name: str) -> torch.Tensor:
    """How many sources each neuron may listen to: long [n]."""
    heard, itself = _heard(plan, name), torch.from_numpy(plan.itself(name))
    if heard is None:
        return torch.full((plan.spec.size_of(name),), plan.width(name) - bool(len(itself)))
    return heard.sum(1) - (heard.gather(1, itself[:, None])[:, 0].long() if len(itself) else 0)


def _heard(plan: Plan, name: str) -> torch.Tensor | None:
    heard = plan.heard(name)
    return None if heard is None else torch.from_numpy(heard)


def draw_sources(plan: Plan, name: str, entries: int, generator: torch.Generator) -> torch.Tensor:
    """Draw distinct columns for each neuron's entries, ascending: long [n, E]. With room for all, all are taken."""
    itself, size, width = torch.from_numpy(plan.itself(name)), plan.spec.size_of(name), plan.width(name)
    heard = _heard(plan, name)
    if heard is None and entries >= width - bool(len(itself)):
        columns = torch.arange(width - bool(len(itself))).repeat(size, 1)
        return columns + (columns >= itself[:, None]) if len(itself) else columns
    source = torch.randint(width, (size, entries), generator=generator)
    return _made_distinct(source, torch.ones_like(source, dtype=torch.bool), itself, heard, width, generator)[0]


def redraw(
    memory, latent: torch.Tensor, moments: Sequence[torch.Tensor], plan: Plan, name: str, share: float, generator
) -> None:
    """Give the `share` of a memory's empty entries with the smallest latents new sources, in place; then project.

    Latent and moments start again at 0 there; everything stays sorted by source. moments: what an optimizer keeps in
    the latent's shape. Candidates the memory has tried come first, by their gradient; else sources are drawn at random, on
    the CPU: the same on every device.
    """
    empty = (memory.code == memory.scheme.empty).flatten(2).all(2).cpu()
    size = latent.detach().abs().flatten(2).amax(2).cpu().masked_fill(~empty, torch.inf)
    rank = size.argsort(dim=1, stable=True).argsort(dim=1)
    new = rank < (share * empty.sum(1, keepdim=True)).floor()
    itself, width = torch.from_numpy(plan.itself(name)), plan.width(name)
    new &= (_others(plan, name) > new.shape[1])[:, None]
    if not new.any():  # nothing empty, or nobody else to listen to
        return
    drawn = torch.where(new, torch.randint(width, new.shape, generator=generator), memory.source.cpu())
    if memory.candidates is not None:
        best, place = memory.candidates.best_first().cpu(), new.cumsum(1) - 1
        tried = new & (place < best.shape[1])
        drawn[tried] = best[tried.nonzero()[:, 0], place[tried]]
        memory.candidates = None
    source, order = _made_distinct(drawn, new, itself, _heard(plan, name), width, generator)
    new, order = new.gather(1, order).to(latent.device), order.to(latent.device)
    with torch.no_grad():
        for tensor in (latent, *moments):
            moved = tensor.gather(1, order[:, :, None, None].expand_as(tensor))
            tensor.copy_(moved.masked_fill_(new[:, :, None, None], 0.0))
    memory.listen(source.to(latent.device))


def draw_candidates(source: torch.Tensor, plan: Plan, name: str, count: int, generator: torch.Generator):
    """Draw distinct columns that neurons with these sources [n, E] do not hear, as many as all have: [n, K], ascending."""
    itself, width, heard = torch.from_numpy(plan.itself(name)), plan.width(name), _heard(plan, name)
    count = min(count, int(_others(plan, name).min()) - source.shape[1])
    drawn = torch.randint(width, (len(source), max(count, 0)), generator=generator)
    new = torch.cat([torch.zeros_like(source, dtype=torch.bool), torch.ones_like(drawn, dtype=torch.bool)], 1)
    both, order = _made_distinct(torch.cat([source, drawn], 1), new, itself, heard, width, generator)
    return both[new.gather(1, order)].view(drawn.shape)


def _made_distinct(source: torch.Tensor, new: torch.Tensor, itself: torch.Tensor, heard, width: int, generator):
    """Sort sources, and draw those of `new` again that a neuron has twice or may not hear; gives also where each was.

    heard: which columns reach each neuron, bool [n, M], or None where all do.
    """
    order = torch.arange(source.shape[1]).repeat(len(source), 1)
    for turn in range(TURNS + 1):
        # of equal sources the one that is kept comes first, so that the new one is drawn again
        key = (source * 2 + new).argsort(dim=1, stable=True)
        source, new, order = (x.gather(1, key) for x in (source, new, order))
        unfit = torch.zeros_like(new)
        unfit[:, 1:] = source[:, 1:] == source[:, :-1]
        unfit = unfit | (source == itself[:, None]) if len(itself) else unfit
        unfit = (unfit if heard is None else unfit | ~heard.gather(1, source)) & new
        if not unfit.any():
            break
        if turn < TURNS - 1:
            source[unfit] = torch.randint(width, (int(unfit.sum()),), generator=generator)
        else:  # few are left that a neuron does not hear yet: choose among them
            for n in unfit.any(1).nonzero()[:, 0]:
                free = torch.ones(width, dtype=torch.bool) if heard is None else heard[n].clone()
                free[source[n, ~unfit[n]]] = False
                if len(itself):
                    free[itself[n]] = False
                places = free.nonzero()[:, 0]
                chosen = torch.randperm(len(places), generator=generator)[: int(unfit[n].sum())]
                source[n, unfit[n]] = places[chosen]
    return source, order
