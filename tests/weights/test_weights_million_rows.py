"""A million random rows a kind against every point that fits: ties, zeros, huge and subnormal sizes, budgets of 0."""

import numpy as np
import pytest
import torch

from neuro.weights import CountScheme, LevelScheme, MaskScheme
from tests.weights.weights_oracles import ball_points, word_points

SHAPES = [(columns, slots) for columns in (1, 2, 3, 4) for slots in (0, 1, 2, 3, 5)]
BASE = 0.75
MASKS = (0.25, 0.625)
LEVELS = (-1.5, -0.25, 0.25, 0.375, 2.0)


def rows_of_all_kinds(rows, columns, rng):
    """A fifth each: gaussian, on half and whole words (ties), mostly zeros, within float32's ends, and mixtures."""
    kind = rng.integers(0, 5, rows)[:, None]
    plain = rng.standard_normal((rows, columns)) * 2
    ties = rng.integers(-8, 9, (rows, columns)) * BASE / 2
    sparse = plain * (rng.random((rows, columns)) < 0.2)
    ends = rng.choice([3.4e38, -3.4e38, 1e-45, -1e-40, 0.0, -0.0, 1e20], (rows, columns))
    mixed = np.where(rng.random((rows, columns)) < 0.5, ends, ties)
    return torch.from_numpy(np.choose(kind, [plain, ties, sparse, ends, mixed]).astype(np.float32))


def total_gain(weight, latent):
    """By how much a point is nearer than none, Σ w² − (w − v)², in a form that huge sizes do not cancel."""
    return (weight * (2 * latent - weight)).sum(-1)


CASES = {
    "counts": (
        lambda slots: CountScheme([BASE, BASE], (1, -1), slots),
        lambda columns, slots: BASE * np.array(ball_points(columns, slots), float),
    ),
    "masks": (
        lambda slots: MaskScheme(list(MASKS), slots),
        lambda columns, slots: np.array(
            word_points([s * v for s in (-1, 1) for v in (*MASKS, sum(MASKS))], columns, slots), float
        ),
    ),
    "levels": (
        lambda slots: LevelScheme(LEVELS, slots),
        lambda columns, slots: np.array(word_points(LEVELS, columns, slots), float),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", CASES)
def test_no_point_that_fits_is_nearer(kind, million=1_000_000, part=10_000):
    make, every_point = CASES[kind]
    rng = np.random.default_rng(0)
    for columns, slots in SHAPES:
        scheme, points = make(slots), every_point(columns, slots)
        for _ in range(million // len(SHAPES) // part):
            latent = rows_of_all_kinds(part, columns, rng)
            code, weight = scheme.hold(latent)
            assert scheme.violations(code) == []
            assert torch.equal(scheme.decode(code), weight)
            assert torch.equal(scheme.project(weight), code), "projecting what fits moves it"
            target = latent.double().numpy()
            ours = total_gain(weight.double().numpy(), target)
            best = np.full(part, -np.inf)
            for point in points:
                best = np.maximum(best, total_gain(point, target))
            assert (ours >= best - 1e-12 * np.abs(best)).all(), (columns, slots)
