"""Two bases for all weights, w = i · p − j · n, chosen for weights that are trained already (arXiv 2310.00337).

The published search minimises the summed rounding error by simulated annealing, 15 proposals long. Bases and codes that
are trained instead come from `neuro.constrain(…, bases=…)` with a `ConductanceScheme` of two bases.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neuro.errors import DataError

COOLING, PROPOSALS = 0.95, 15


@dataclass(frozen=True)
class PairBases:
    """Bases p and n, and the summed distance of the weights to their nearest levels."""

    p: float
    n: float
    error: float


def published_levels(p: float, n: float, states: int) -> np.ndarray:
    """Give the published level set, rising: i · p, −j · n and i · p − j · n for i, j = 1 … N; 0 is none of them."""
    count = np.arange(1, states + 1)
    return np.unique(np.concatenate([count * p, -count * n, (count[:, None] * p - count * n).ravel()]))


def nearest_levels(weights: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Round weights to the nearest of rising levels, in their shape; halfway to the lower one."""
    right = np.searchsorted(levels, weights).clip(1, len(levels) - 1)
    low, high = levels[right - 1], levels[right]
    return np.where(weights - low <= high - weights, low, high)


def published_codes(weights: np.ndarray, p: float, n: float, states: int) -> np.ndarray:
    """Give the pairs i · (N + 1) + j of the nearest published levels, as `ConductanceScheme` counts them."""
    i, j = (index.ravel() for index in np.indices((states + 1, states + 1)))
    i, j = i[1:], j[1:]
    value = i * p - j * n
    order = np.argsort(value, kind="stable")
    right = np.searchsorted(value[order], weights).clip(1, len(value) - 1)
    nearer = weights - value[order][right - 1] <= value[order][right] - weights
    found = order[np.where(nearer, right - 1, right)]
    return i[found] * (states + 1) + j[found]


def anneal(weights: np.ndarray, states: int, seed: int, proposals: int = PROPOSALS) -> PairBases:
    """Search p and n as published for weights of any shape; the best of all proposals.

    Starts with the largest weight over N and the smallest over −N; each proposal moves both bases by up to T hundredths of
    the largest weights, in random directions, and is taken if it lowers the error or with probability exp(−ΔE / T), T
    falling by 5 % before each. Raises DataError for weights that lack a sign.
    """
    flat = np.asarray(weights, dtype=np.float64).ravel()
    top, bottom = flat.max(initial=0.0), -flat.min(initial=0.0)
    if not (top > 0 and bottom > 0 and np.isfinite([top, bottom]).all()):
        raise DataError(f"weights reach from {-bottom:g} to {top:g}, allowed: finite ones of both signs")
    random, temperature = np.random.default_rng(seed), 1.0

    def made(p: float, n: float) -> PairBases:
        levels = published_levels(p, n, states)
        return PairBases(float(p), float(n), float(np.abs(flat - nearest_levels(flat, levels)).sum()))

    present = best = made(top / states, bottom / states)
    for _ in range(proposals):
        temperature *= COOLING
        signs, sizes = random.choice([-1, 1], 2), random.random(2)
        move = signs * temperature * sizes * (top, bottom) / 100
        proposal = made(*np.maximum((present.p, present.n) + move, 1e-12).tolist())
        worse = proposal.error - present.error
        if worse < 0 or random.random() < np.exp(-worse / temperature):
            present = proposal
        best = min(best, present, key=lambda found: found.error)
    return best
