"""Conductance pairs: against every pair in exact fractions, for any spacing, ratio, gain and pair of bases."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from neuro.errors import DescriptionError, FeasibilityError
from neuro.weights import ConductanceScheme, spaced_levels

CHECKED = settings(deadline=None, max_examples=60, derandomize=True, database=None)
GRID = 2.0**-12


def random_scheme(seed, rows=3, **more):
    """Draw spacing, ratio, gain or two bases, shared or a row each, until both signs can be made."""
    rng = np.random.default_rng(seed)
    while True:
        ratio = float(rng.choice([2.0, 5.0, 100.0, math.inf]))
        levels = spaced_levels(int(rng.integers(2, 9)), ratio, float(rng.choice([0.0, 2.0, -3.0])))
        shape = (rows, 1 + int(rng.integers(2))) if rng.random() < 0.5 else (1 + int(rng.integers(2)),)
        bases = torch.from_numpy(rng.uniform(0.2, 2.0, shape))
        gain = float(rng.choice([1.0, 0.7, 0.5])) if shape[-1] == 1 else 1.0
        try:
            return ConductanceScheme(levels, bases, gain, GRID, **more), rng
        except DescriptionError:
            continue


def pairs_of(scheme, row):
    """Every pair (weight, i, j) of a row by the formula, rounded half to even to the grid, as fractions."""
    bases = scheme.bases if scheme.bases.dim() == 1 else scheme.bases[row]
    plus, minus = (bases[0], scheme.gain * bases[0]) if len(bases) == 1 else bases
    step = Fraction(float(scheme.grid[0]))
    return [
        (round(Fraction(float(plus * gi - minus * gj)) / step) * step, i, j)
        for i, gi in enumerate(scheme.levels)
        for j, gj in enumerate(scheme.levels)
    ]


@CHECKED
@given(seed=st.integers(0, 10**6))
def test_the_projection_is_the_best_of_all_pairs(seed):
    scheme, rng = random_scheme(seed)
    latent = torch.from_numpy(rng.normal(0, 1, (3, 7))).float()
    latent[0, 0], latent[1, 1] = 0.0, 50.0
    latent[2, :2] = (torch.tensor([float(v) for v, _, _ in pairs_of(scheme, 2)[:2]])).sum() / 2  # perhaps a tie
    code, weight = scheme.hold(latent)
    plus, minus = scheme.levels_of(code)
    for row in range(3):
        pairs = pairs_of(scheme, row)
        for column in range(7):
            target = Fraction(float(latent[row, column]))
            best = min(pairs, key=lambda p: (abs(p[0] - target), abs(p[0]), p[0], p[1] + p[2], p[1]))
            assert (plus[row, column], minus[row, column]) == best[1:]
            assert weight[row, column] == np.float32(float(best[0]))
    assert torch.equal(scheme.decode(code), weight)
    assert scheme.violations(code) == []


@CHECKED
@given(seed=st.integers(0, 10**6))
def test_with_variances_the_expected_squared_error_is_least(seed):
    scheme, rng = random_scheme(seed)
    noise = tuple(rng.uniform(0, 0.2, len(scheme.levels)).tolist())
    noisy = ConductanceScheme(scheme.levels, scheme.bases, scheme.gain, scheme.grid, noise)
    latent = torch.from_numpy(rng.normal(0, 1, (3, 9))).float()
    code = noisy.project(latent)
    both = noisy._both(noisy.bases)
    for row in range(3):
        plus, minus = both[row % len(both)].tolist()
        cost = {(i, j): (float(v), plus**2 * noise[i] + minus**2 * noise[j]) for v, i, j in pairs_of(scheme, row)}
        for column in range(9):
            target = float(latent[row, column])
            error = {k: (target - v) ** 2 + c for k, (v, c) in cost.items()}
            i, j = (int(x[row, column]) for x in noisy.levels_of(code))
            assert error[i, j] <= min(error.values()) + 1e-12
    equal = ConductanceScheme(scheme.levels, scheme.bases, scheme.gain, scheme.grid, (0.1,) * len(scheme.levels))
    assert torch.equal(equal.decode(equal.project(latent)), scheme.decode(scheme.project(latent)))


def test_variance_prefers_pairs_of_small_conductance():
    levels = spaced_levels(9)
    near = ConductanceScheme(levels, (8.0, 6.0), grid=GRID)  # 7 is 7 · 1; with noise 1 · p + … costs more than it saves
    calm = ConductanceScheme(levels, (8.0, 6.0), grid=GRID, variance=tuple(0.02 * g for g in levels))
    latent = torch.linspace(-5, 7, 200)[None]
    sums = [sum(x.sum() for x in s.levels_of(s.project(latent))) for s in (near, calm)]
    assert sums[1] < 0.8 * sums[0]


@pytest.mark.parametrize("ratio", [2.0, 5.0, math.inf])
@pytest.mark.parametrize("gain", [1.0, 0.7])
def test_zero_exists_only_where_a_pair_gives_it(ratio, gain):
    scheme = ConductanceScheme(spaced_levels(4, ratio), (1.0,), gain)
    code = scheme.project(torch.zeros(1, 2))
    values = {v for i in scheme.levels for j in scheme.levels for v in [i - gain * j]}
    has_zero = any(abs(v) < 1e-9 for v in values)
    assert has_zero == (gain == 1 or ratio == math.inf)
    assert (scheme.decode(code) == 0).all() == has_zero
    assert scheme.empty == (0 if has_zero else -1)
    allowed = torch.tensor([[True, False]])
    if has_zero:
        held = scheme.project(torch.ones(1, 2), allowed)
        assert scheme.decode(held).tolist() == [[pytest.approx(1 - 1 / ratio), 0.0]]
        assert scheme.violations(held, allowed) == []
    else:
        with pytest.raises(FeasibilityError, match="no pair of conductances weighs 0"):
            scheme.project(torch.ones(1, 2), allowed)


def test_published_pair_bases_have_n_squared_plus_two_n_levels_and_zero():
    for n in (1, 2, 3, 8):
        scheme = ConductanceScheme(tuple(range(n + 1)), (0.2300284672, 0.1790879573))
        codes = torch.arange((n + 1) ** 2)[None]
        assert len(set(scheme.decode(codes)[0].tolist())) == n * n + 2 * n + 1  # the published set leaves (0, 0) out


def test_equal_weights_take_the_smaller_sum_of_levels():
    scheme = ConductanceScheme(spaced_levels(6), (5.0,))
    plus, minus = scheme.levels_of(scheme.project(torch.tensor([[-3.0, 0.0, 4.0]])))
    assert (plus.tolist(), minus.tolist()) == ([[0, 0, 4]], [[3, 0, 0]])


def test_spaced_levels_by_hand():
    assert spaced_levels(3, 5.0) == pytest.approx((0.2, 0.6, 1.0))
    e = math.exp
    bent = [(1 - e(-2 * k / 3)) / (1 - e(-2)) for k in range(4)]
    assert spaced_levels(4, math.inf, 2.0) == pytest.approx(bent)
    assert spaced_levels(2, 10.0, 4.0) == pytest.approx((0.1, 1.0))


def test_rows_of_different_bases_and_more_dimensions():
    bases = torch.tensor([[1.0], [2.0], [1.0]])
    scheme = ConductanceScheme(spaced_levels(3), bases)
    latent = torch.full((3, 2, 1, 2), 0.9)
    weight = scheme.hold(latent)[1]
    assert weight.shape == latent.shape
    assert weight[:, 0, 0, 0].tolist() == [1.0, 1.0, 1.0]
    assert scheme.levels_of(scheme.project(latent))[0][:, 0, 0, 0].tolist() == [2, 1, 2]
    with pytest.raises(FeasibilityError, match="has 3 rows"):
        scheme.project(torch.ones(4, 2))


@CHECKED
@given(seed=st.integers(0, 10**6))
def test_drawn_codes_are_right_on_average(seed):
    scheme, rng = random_scheme(seed, rows=2)
    one = torch.from_numpy(rng.normal(0, 0.5, (2, 1))).float()
    latent = one.expand(2, 2000).contiguous()
    inside = scheme.hull(one)
    _, weight = scheme.draw(latent, generator=torch.Generator().manual_seed(seed))
    spread = float(scheme.word_values(one).max()) * 2
    assert torch.allclose(weight.double().mean(1), inside[:, 0].double(), atol=spread * 4 / math.sqrt(2000))
    _, fed = scheme.draw(latent)
    assert torch.allclose(fed.double().sum(1), 2000 * inside[:, 0].double(), atol=2 * spread)
    nearest = scheme.hold(inside.expand(2, 2000))[1].double()
    gap = (weight.double() - inside).abs()
    assert (gap + 1e-6 >= (nearest - inside).abs()).all()


@pytest.mark.parametrize("bases", [(0.8,), (0.8, 0.5)])
def test_the_gradient_of_bases_is_that_of_the_decoded_weight(bases):
    scheme = ConductanceScheme(spaced_levels(5, 10.0, 1.0), bases, 0.9 if len(bases) == 1 else 1.0)
    latent = torch.randn(3, 6, generator=torch.Generator().manual_seed(0))
    code, slope = scheme.project(latent), torch.randn(3, 6, generator=torch.Generator().manual_seed(1))
    grad = scheme.base_gradient(code, slope).sum(0)
    for k in range(len(bases)):
        step = torch.zeros(len(bases), dtype=torch.float64)
        step[k] = 1e-3
        up, down = (scheme.with_bases(scheme.bases + s * step).decode(code).double() for s in (1, -1))
        assert float(((up - down) * slope).sum() / 2e-3) == pytest.approx(float(grad[k]), abs=1e-3)


@pytest.mark.parametrize("width", [1, 2])
def test_first_bases_fit_better_than_full_scale(width):
    latent = torch.randn(20, 30, generator=torch.Generator().manual_seed(2)) + 0.2
    scheme = ConductanceScheme(spaced_levels(5), (1.0,) * width)
    full = scheme.with_bases(latent.abs().amax(1).median().double().expand(width))
    found = scheme.with_bases(scheme.initial_bases(latent))
    error = [float((s.hold(latent)[1] - latent).square().sum()) for s in (full, found)]
    assert error[1] < error[0]
    assert scheme.initial_bases(torch.zeros(2, 2)).tolist() == [1.0] * width


def test_hull_and_word_values():
    scheme = ConductanceScheme(spaced_levels(4, 4.0), (2.0,), 0.5)
    latent = torch.tensor([[5.0, -5.0, 0.1]])
    assert scheme.hull(latent).tolist() == [[1.75, -0.5, pytest.approx(0.1)]]
    assert scheme.word_values(latent)[..., 0].tolist() == [[1.75, 0.5, 1.75]]
    assert scheme.slots_used(scheme.project(latent)).tolist() == [3]


def test_violations_name_codes_and_places():
    scheme = ConductanceScheme(spaced_levels(2), (1.0,))
    wrong = scheme.violations(torch.tensor([[0, 4], [-1, 2]]))
    assert [str(v) for v in wrong] == [
        "row 0: code at column 1: have 4, allowed 0..3",
        "row 1: code at column 0: have -1, allowed 0..3",
    ]
    barred = scheme.violations(torch.tensor([[3, 2]]), torch.tensor([[False, False]]))
    assert [str(v) for v in barred] == ["row 0: connection at column 1: have in use, allowed no connection"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: spaced_levels(4, 1.0), "ratio is 1.0, allowed: above 1"),
        (lambda: spaced_levels(4, 0.5), "ratio is 0.5"),
        (lambda: spaced_levels(4, math.nan), "ratio is nan"),
        (lambda: spaced_levels(1), "states is 1, allowed: 2 to 1024"),
        (lambda: spaced_levels(4, 2.0, math.inf), "nonlinearity is inf"),
        (lambda: ConductanceScheme((0.0, 0.5, 0.4)), r"levels\[2\] is 0.4 after 0.5"),
        (lambda: ConductanceScheme((-0.1, 0.5)), r"levels\[0\] is -0.1, allowed: 0 and above"),
        (lambda: ConductanceScheme((0.0, math.inf)), r"levels\[1\] is inf"),
        (lambda: ConductanceScheme((0.5, 1.0), gain=0.5), "makes no negative weight"),
        (lambda: ConductanceScheme((0.5, 1.0), gain=2.0), "makes no positive weight"),
        (lambda: ConductanceScheme((0.5, 1.0), (1.0, 3.0)), "makes no positive weight"),
        (lambda: ConductanceScheme((0.0, 1.0), gain=-1.0), "gain is -1.0"),
        (lambda: ConductanceScheme((0.0, 1.0), (1.0, 1.0), 0.5), "beside two bases"),
        (lambda: ConductanceScheme((0.0, 1.0), (1.0, 1.0, 1.0)), "bases has 3 columns"),
        (lambda: ConductanceScheme((0.0, 1.0), (0.0,)), "bases"),
        (lambda: ConductanceScheme((0.0, 1.0), variance=(0.1,)), "variance has 1 entries"),
        (lambda: ConductanceScheme((0.0,)), "levels has 1 conductances"),
    ],
)
def test_what_cannot_be_is_refused(make, message):
    with pytest.raises(DescriptionError, match=message):
        make()


def test_latents_that_are_not_finite_are_refused():
    with pytest.raises(FeasibilityError, match="latent at row 0, column 1"):
        ConductanceScheme((0.0, 1.0)).project(torch.tensor([[0.0, math.nan]]))
