"""Pull a row to the nearest point of a capped, weighted L1 ball: {0 <= u <= each · unit, Σ u / unit <= S}."""

from __future__ import annotations

import torch

from neuro.weights.latents import fold_sum

TOLERANCE = 1e-12
NEWTON_TURNS, TURNS = 30, 240


def into_nested_ball(size: torch.Tensor, unit: torch.Tensor, budget: torch.Tensor, halves, each: float):
    """Project sizes onto a ball whose halves have limits of their own, (places, limit) as `NestedSlots.by_half` gives.

    Exact: the multiplier of an entry is the larger of its half's and of the whole's, so that each half comes into its own
    ball first, and what it then has caps its entries in the ball of all.
    """
    if not halves:
        return into_ball(size, unit, budget, each)
    parts = [into_ball(size.masked_fill(~places, 0.0), unit, limit, each) for places, limit in halves]
    inside = parts[0] + parts[1]  # each is 0 where the other is not
    return into_ball(size, unit, budget, inside / unit)


def into_ball(
    size: torch.Tensor, unit: torch.Tensor, budget: torch.Tensor | None, each: float | torch.Tensor
) -> torch.Tensor:
    """Project sizes onto the ball; rows inside stay as they are.

    size [N, E] float64 >= 0, unit [N or 1, E or 1] > 0, budget [N] words a row (None = no limit), each = the most
    words one entry may have, or [N, E]; returns [N, E] float64.
    """
    inside = size if isinstance(each, float) and each == torch.inf else size.minimum(each * unit)
    if budget is None:
        return inside
    inside = inside.masked_fill((budget == 0)[:, None], 0.0)
    over = (fold_sum(inside / unit) > budget).nonzero()[:, 0]
    if len(over):
        unit = unit.expand_as(size)[over]
        each = each[over] if isinstance(each, torch.Tensor) else each
        inside[over] = unit * _on_the_face(size[over] / unit, unit.square().reciprocal_(), budget[over], each)
    return inside


def _on_the_face(words: torch.Tensor, rate: torch.Tensor, budget: torch.Tensor, each) -> torch.Tensor:
    """Solve Σ clip(words − τ · rate, 0, each) = S for the multiplier τ of the budget: Newton, bracketed, then halving.

    Solved for δ = top − τ, top the τ at which the last entry vanishes: near it huge sizes would lose all their digits.
    """
    top = (words / rate).amax(1)
    gap = (top[:, None] * rate - words).clamp_(min=0)
    low, high, delta = torch.zeros_like(top), top, top
    for turn in range(TURNS):
        point = _clipped(gap, rate, delta, each)
        excess = fold_sum(point) - budget
        far = excess.abs() > TOLERANCE * budget
        if not far.any():
            return point
        low, high = torch.where(excess > 0, low, delta), torch.where(excess > 0, delta, high)
        free = (point > 0) & (point < each)
        newton = (budget - fold_sum(point.masked_fill_(free, 0.0)) + fold_sum(gap * free)) / fold_sum(rate * free)
        safe = (newton > low) & (newton < high) & (turn < NEWTON_TURNS)
        delta = torch.where(far, torch.where(safe, newton, low + (high - low) / 2), delta)
    return _clipped(gap, rate, low, each)


def _clipped(gap: torch.Tensor, rate: torch.Tensor, delta: torch.Tensor, each: float | torch.Tensor) -> torch.Tensor:
    words = (rate * delta[:, None]).sub_(gap)
    return words.clamp_(min=0).clamp_(max=each)
