"""Drawn codes: never over budget, right on average, and still where nothing is left to chance."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from neuro.weights import CountScheme, LevelScheme, MaskScheme

CHECKED = settings(deadline=None, max_examples=60)
VALUES = st.one_of(st.floats(-6, 6, width=32), st.sampled_from([0.0, 1.0, -0.5, 1e-40, 1e30, -3e38, 0.25]))

SCHEMES = {
    "counts": lambda slots, rows: CountScheme([0.5, 0.3], [1, -1], slots),
    "counts of one sign": lambda slots, rows: CountScheme([0.7], [1], slots),
    "counts, a base a row": lambda slots, rows: CountScheme(torch.linspace(0.2, 1, 2 * rows).view(rows, 2), [1, -1], slots),
    "masks": lambda slots, rows: MaskScheme([0.11, 0.2, 0.45, 1.0], slots),
    "masks, equal sums": lambda slots, rows: MaskScheme([0.5, 0.5], slots),
    "levels": lambda slots, rows: LevelScheme([-2.0, -0.3, 0.1, 0.4, 1.5], slots),
    "levels, no minus": lambda slots, rows: LevelScheme([0.5, 1.5], slots),
    "levels on a grid": lambda slots, rows: LevelScheme([0.1, 0.2, 1.0], slots, scale=0.7, grid=0.25),
    "ternary, no limit": lambda slots, rows: LevelScheme([-1.0, 1.0]),
    "binary by source": lambda slots, rows: LevelScheme([0.5], slots, sign="source"),
    "levels by row": lambda slots, rows: LevelScheme([0.5, 1.0], slots, sign="row"),
}  # fmt: skip


@st.composite
def cases(draw):
    name, rows, columns = draw(st.sampled_from(sorted(SCHEMES))), draw(st.integers(1, 3)), draw(st.integers(1, 12))
    values = draw(st.lists(VALUES, min_size=rows * columns, max_size=rows * columns))
    latent = torch.tensor(values).float().view(rows, columns)
    slots = draw(st.integers(0, 7))
    if draw(st.booleans()):
        slots = torch.tensor(draw(st.lists(st.integers(0, 7), min_size=rows, max_size=rows)))
    mask = draw(st.none() | st.lists(st.booleans(), min_size=columns, max_size=columns))
    allowed = None if mask is None else torch.tensor(mask).expand(rows, -1)
    return SCHEMES[name](slots, rows), latent, allowed, draw(st.none() | st.integers(0, 2**31))


def generator(seed):
    return None if seed is None else torch.Generator().manual_seed(seed)


@CHECKED
@given(cases())
def test_every_draw_fits(case):
    scheme, latent, allowed, seed = case
    code, weight = scheme.draw(latent, allowed, generator(seed))
    assert scheme.violations(code, allowed) == []
    assert torch.equal(scheme.decode(code), weight) and weight.shape == latent.shape
    assert code.dtype == scheme.project(latent, allowed).dtype
    assert ((weight == 0) | (weight.sign() == latent.sign())).all()


@CHECKED
@given(cases())
def test_a_point_that_fits_is_drawn_as_it_is(case):
    scheme, latent, allowed, seed = case
    weight = scheme.hold(latent, allowed)[1]
    assert torch.equal(scheme.draw(weight, allowed, generator(seed))[1], weight)


def mean_of_draws(scheme, latent, turns=4096):
    """Draw for many copies of the rows; give the mean weight and its standard error."""
    weight = scheme.draw(latent.repeat(turns, 1), None, generator(7))[1].double().view(turns, *latent.shape)
    return weight.mean(0), weight.std(0) / turns**0.5


@pytest.mark.parametrize("name", sorted(set(SCHEMES) - {"binary by source", "levels by row", "counts, a base a row"}))
@pytest.mark.parametrize("slots", [3, 40])
def test_draws_are_right_on_average(name, slots):
    latent = torch.randn(2, 9, generator=torch.Generator().manual_seed(slots)) * 0.6
    scheme = SCHEMES[name](slots, 2)
    mean, error = mean_of_draws(scheme, latent)
    off = (mean - scheme.hull(latent).double()).abs()
    assert (off <= 5 * error + 1e-6).all(), (mean, scheme.hull(latent))


def test_a_sign_a_source_is_kept_and_right_on_average():
    latent = torch.tensor([[0.3, -0.4, 0.05], [-0.1, -0.2, 0.4]])
    scheme = LevelScheme([0.5], 2, sign="source")
    wanted = torch.tensor([[0.3, -0.4, 0.05], [0.0, -0.2, 0.4]]).double()  # source 0 is +, as 0.3 gains more
    mean, error = mean_of_draws(scheme, latent)
    assert ((mean - wanted).abs() <= 5 * error + 1e-6).all()


def test_the_comb_by_hand():
    from neuro.weights.drawing import ONE, take

    share = torch.tensor([[0.5, 0.25, 0.75, 0.5]], dtype=torch.float64)  # ends at 0.5, 0.75, 1.5, 2
    plus = torch.zeros(1, 4, dtype=torch.bool)
    at = {u: take(share, plus, torch.tensor([[int(u * ONE)]]))[0].tolist() for u in (0.0, 0.25, 0.5, 0.75)}
    assert at[0.0] == [False, False, True, True]
    assert at[0.25] == [False, True, False, True]
    assert at[0.5] == [True, False, True, False]
    assert at[0.75] == [True, False, True, False]
    last = take(share, torch.tensor([[False, True, False, True]]), torch.tensor([[0]]))[0]  # 0.5, 1.25 | 1.5, 2.0
    assert last.tolist() == [False, False, True, True]
    room = take(share, plus, torch.tensor([[0]]), torch.tensor([1]))[0]
    assert room.tolist() == [False, False, True, False]


@pytest.mark.parametrize("seed", range(5))
def test_feedback_leaves_less_than_one_word_over(seed):
    """Sums over any first entries of one sign stay within half a word; plain rounding drifts away."""
    latent = torch.rand(1, 300, generator=torch.Generator().manual_seed(seed)) * 0.4
    scheme = CountScheme([1.0, 1.0], [1, -1], 300)
    rest = (scheme.draw(latent)[1] - latent).cumsum(1)
    assert rest.abs().max() <= 0.5 + 1e-4
    assert (scheme.hold(latent)[1] - latent).cumsum(1).abs().max() > 10


def test_masks_use_every_word_where_the_budget_binds():
    """Under a binding budget the drawn words number ⌊S⌋ or S: the smallest variance the budget allows."""
    latent = torch.randn(5, 60, generator=torch.Generator().manual_seed(0))
    scheme = MaskScheme([0.1, 0.2, 0.4, 0.8], 24)
    g = generator(1)
    used = scheme.slots_used(scheme.draw(latent.repeat(50, 1), None, g)[0])
    assert ((used == 24) | (used == 23)).all()


def test_the_threshold_is_the_least_that_fits():
    """Σ min(1, size / t) = S by hand: sizes 0.4, 0.4, 0.4 on values 0.1 … 0.8 with one slot and a half."""
    from neuro.weights.drawing import _threshold

    size = torch.tensor([[0.4, 0.4, 0.4]], dtype=torch.float64)
    least, largest = torch.full_like(size, 0.1), torch.full_like(size, 0.8)
    t = _threshold(size, least, largest, torch.tensor([2]))
    np.testing.assert_allclose(t.numpy(), 0.6, rtol=1e-9)  # 3 · 0.4 / 0.6 = 2


def test_many_rows_never_exceed_their_budget():
    g = torch.Generator().manual_seed(5)
    for scheme, width in ((CountScheme([0.3, 0.5], [1, -1], 4), 12), (MaskScheme([0.2, 0.3], 3), 12)):
        latent = torch.randn(50_000, width, generator=g) * 10 ** (4 * torch.rand(50_000, 1, generator=g) - 3)
        code, _ = scheme.draw(latent, None, g)
        assert scheme.slots_used(code).max() <= scheme.slots
