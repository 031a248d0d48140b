"""Pull a row to the nearest point of a capped, weighted L1 ball: {0 <= u <= each · unit, Σ u / unit <= S}."""

from __future__ import annotations

import torch

from neuro.weights.latents import fold_sum

TOLERANCE = 1e-12
NEWTON_TURNS, TURNS = 20, 120


def into_ball(size: torch.Tensor, unit: torch.Tensor, budget: torch.Tensor | None, each: float) -> torch.Tensor:
    """Project sizes onto the ball; rows inside stay as they are.

    size [N, E] float64 >= 0, unit [N or 1, E or 1] > 0, budget [N] words a row (None = no limit), each = the most
    words one entry may have; returns [N, E] float64.
    """
    inside = size if each == torch.inf else size.minimum(each * unit)
    if budget is None:
        return inside
    inside = inside.masked_fill((budget == 0)[:, None], 0.0)
    over = (fold_sum(inside / unit) > budget).nonzero()[:, 0]
    if len(over):
        unit = unit.expand_as(size)[over]
        inside[over] = unit * _on_the_face(size[over] / unit, unit.square().reciprocal_(), budget[over], each)
    return inside


def _on_the_face(words: torch.Tensor, rate: torch.Tensor, budget: torch.Tensor, each: float) -> torch.Tensor:
    """Solve Σ clip(words − τ · rate, 0, each) = S for the multiplier τ of the budget: Newton, bracketed, then halving.

    Solved for δ = top − τ, top the τ at which the last entry vanishes: near it huge sizes would lose all their digits.
    """
    top = (words / rate).amax(1)
    gap = (top[:, None] * rate - words).clamp_(min=0)
    low, high = torch.zeros_like(top), top
    delta = top
    for turn in range(TURNS):
        point = torch.addcmul(gap, rate, delta[:, None], value=-1).neg_().clamp_(0, each)
        excess = fold_sum(point) - budget
        far = excess.abs() > TOLERANCE * budget
        if not far.any():
            break
        low, high = torch.where(excess > 0, low, delta), torch.where(excess > 0, delta, high)
        newton = delta - excess / fold_sum(rate * ((point > 0) & (point < each)))
        safe = (newton > low) & (newton < high) & (turn < NEWTON_TURNS)
        delta = torch.where(far, torch.where(safe, newton, low + (high - low) / 2), delta)
    return point
