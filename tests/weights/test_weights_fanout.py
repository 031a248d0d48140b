"""Levels limited by source: the nearest point by brute force, the limit by counting, draws that are right on average."""

from itertools import product

import numpy as np
import pytest
import torch

from neuro.errors import DescriptionError
from neuro.weights import FanOutScheme, LevelScheme

LEVELS = (-2.0, -1.0, 1.0, 3.0)


def scheme(budgets, groups, scale=1.0, grid=None):
    levels = LevelScheme(LEVELS, scale=scale, grid=grid, groups=torch.tensor(groups))
    return FanOutScheme(levels, torch.tensor(budgets))


def brute_force(latent, budget, values):
    """The least squared error of one column of one group: every choice of values, 0 among them."""
    entries = latent.flatten().tolist()
    best = min(
        sum((w - v) ** 2 for w, v in zip(entries, chosen, strict=True))
        for chosen in product((0.0, *values), repeat=len(entries))
        if sum(v != 0 for v in chosen) <= budget
    )
    return best


@pytest.mark.parametrize("seed", range(6))
def test_no_point_that_fits_is_nearer(seed):
    g = torch.Generator().manual_seed(seed)
    rows, columns = 5, 3
    groups = [0, 1, 0, 1, 1]
    budgets = torch.randint(0, 4, (2, columns), generator=g).tolist()
    latent = torch.randn(rows, columns, 1, 2 if seed % 2 else 1, generator=g) * 2
    held = scheme(budgets, groups, scale=torch.tensor([0.75]))
    code, weight = held.hold(latent)
    assert held.violations(code) == []
    for group, column in product(range(2), range(columns)):
        members = [row for row in range(rows) if groups[row] == group]
        error = float((latent[members, column] - weight[members, column]).double().square().sum())
        least = brute_force(latent[members, column].double(), budgets[group][column], [0.75 * v for v in LEVELS])
        assert error == pytest.approx(least, rel=1e-6, abs=1e-9)


def test_a_source_over_its_budget_is_found_by_counting():
    held = scheme([[1, 2], [5, 0]], [0, 0, 1])
    code = torch.tensor([[0, 1], [2, -1], [3, 2]], dtype=torch.int16)[:, :, None, None]
    assert [str(v) for v in held.violations(code)] == [
        "row 0: words of column 0 in group 0: have 2, allowed 1 words",
        "row 2: words of column 1 in group 1: have 1, allowed 0 words",
    ]


def test_ties_go_to_the_first_row_and_none_is_allowed_where_it_may_not():
    held = scheme([[1]], [0, 0, 0])
    latent = torch.ones(3, 1)
    assert held.project(latent).tolist() == [[2], [-1], [-1]]
    allowed = torch.tensor([[False], [True], [True]])
    assert held.project(latent, allowed).tolist() == [[-1], [2], [-1]]


def test_each_group_has_its_own_scale_and_grid():
    scale, grid = torch.tensor([[0.5], [2.0]]), torch.tensor([0.25, 1.0])
    held = scheme([[1], [1]], [0, 1], scale, grid)
    code, weight = held.hold(torch.tensor([[1.4], [5.5]]))
    assert weight.tolist() == [[1.5], [6.0]] and code.tolist() == [[3], [3]]
    assert held.with_bases(torch.tensor([[0.25], [1.0]])).decode(code).tolist() == [[0.75], [3.0]]


def test_draws_fit_and_are_right_on_average_within_the_hull():
    g = torch.Generator().manual_seed(1)
    held = scheme([[2, 3]], [0] * 6)
    latent = torch.randn(6, 2, 1, 1, generator=g)
    hull = held.hull(latent)
    total = torch.zeros_like(latent)
    for _ in range(3000):
        code, weight = held.draw(latent, generator=g)
        assert held.violations(code) == []
        total += weight
    assert (total / 3000 - hull).abs().max() < 0.12
    assert torch.allclose(held.hull(hull), hull, atol=1e-6)


def test_what_does_not_go_together_is_refused():
    groups = torch.tensor([0, 1])
    for levels in (LevelScheme((1.0,), 3, groups=groups), LevelScheme((1.0,), sign="row", groups=groups)):
        with pytest.raises(DescriptionError, match="no slots"):
            FanOutScheme(levels, torch.ones(2, 1, dtype=torch.int64))
    for budgets in (torch.ones(2), torch.full((2, 1), -1), np.ones((2, 1))):
        with pytest.raises(DescriptionError, match="whole numbers"):
            FanOutScheme(LevelScheme((1.0,), groups=groups), budgets)
    with pytest.raises(DescriptionError, match="groups go up to 1"):
        FanOutScheme(LevelScheme((1.0,), groups=groups), torch.ones(1, 1, dtype=torch.int64))
