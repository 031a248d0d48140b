"""Levels: against exact fractions and every feasible point, for free signs and signs of rows and sources."""

from fractions import Fraction

import numpy as np
import pytest
import torch
import weights_oracles as oracle
from hypothesis import given, settings
from hypothesis import strategies as st

from neuro.errors import DescriptionError, FeasibilityError
from neuro.weights import LevelScheme

CHECKED = settings(deadline=None, max_examples=60)
EIGHTHS = st.integers(-32, 32).map(lambda n: n / 8)
FREE = [(-1.0, 1.0), (1.0,), (-2.0, -1.0, 1.0, 2.0), (-0.5, 1.0, 3.0), (-3.0, -1.0)]
SIZES = [(1.0,), (0.5, 1.0, 2.0), (1.0, 3.0)]


@st.composite
def cases(draw, values=EIGHTHS, widest=12, signs=("free", "row", "source"), plain=False):
    rows, columns = draw(st.integers(1, 4)), draw(st.integers(1, widest))
    shape = (rows, columns) + (() if plain else draw(st.sampled_from([(), (), (2,), (2, 2)])))
    size = int(np.prod(shape))
    latent = torch.tensor(draw(st.lists(values, min_size=size, max_size=size))).float().view(shape)
    sign = draw(st.sampled_from(signs))
    slots = draw(st.one_of(st.none(), st.integers(0, 7), st.lists(st.integers(0, 6), min_size=rows, max_size=rows)))
    scales = draw(st.lists(st.sampled_from([0.5, 1.0, 1.25]), min_size=rows, max_size=rows))
    groups = draw(st.none() if plain else st.lists(st.integers(0, 1), min_size=rows, max_size=rows))
    allowed = None
    if draw(st.booleans()):
        allowed = torch.tensor(draw(st.lists(st.booleans(), min_size=columns, max_size=columns)))[None]
    scheme = LevelScheme(
        draw(st.sampled_from(FREE if sign == "free" else SIZES)),
        torch.tensor(slots) if isinstance(slots, list) else slots,
        sign,
        scale=draw(st.sampled_from([1.0, torch.tensor([0.5]), torch.tensor(scales)[:, None]])),
        grid=draw(st.sampled_from([None, 0.25, torch.full((rows,), 0.5)])),
        groups=groups,
    )
    return scheme, latent, allowed


def values_of(scheme, row):
    """List the values a row of the scheme can take, from its documented formula."""
    scale = float(scheme.scale.reshape(-1)[row if scheme.scale.numel() > 1 else 0])
    values = [level * scale for level in scheme.levels]
    if scheme.grid is None:
        return values
    grid = float(scheme.grid[row if len(scheme.grid) > 1 else 0])
    return [round(value / grid) * grid for value in values]


def greedy(scheme, latent, allowed):
    flat = latent.double().numpy().reshape(len(latent), latent.shape[1], -1)
    mask = oracle.full_mask(allowed, latent.shape).reshape(flat.shape)
    gains = np.full(flat.shape, Fraction(0), dtype=object)
    code = np.full(flat.shape, -1)
    for place in np.ndindex(flat.shape):
        target = flat[place] if scheme.sign == "free" else abs(flat[place])
        named = list(zip(values_of(scheme, place[0]), range(len(scheme.levels)), strict=True))
        value, code[place] = oracle.nearest_value(named, target)
        gains[place] = max(oracle.single_gain(value, target), Fraction(0)) if mask[place] else Fraction(0)
    if scheme.sign != "free":
        for part in parts(scheme, flat):
            plus, minus = gains[part][flat[part] > 0].sum(), gains[part][flat[part] < 0].sum()
            wrong = (flat < 0) != (minus > plus)
            gains[part & wrong] = Fraction(0)
            code[part & (flat < 0)] += len(scheme.levels)
    limits = [flat[0].size] * len(flat) if scheme.slots is None else oracle.limits(scheme.slots, len(flat))
    for row, limit in enumerate(limits):
        taken = oracle.greedy_single(list(gains[row].ravel()), limit)
        code[row].flat[[p for p in range(flat[row].size) if p not in taken]] = -1
    return code.reshape(latent.shape)


def parts(scheme, flat):
    """List masks of the entries that must share a sign."""
    rows, columns = np.indices(flat.shape)[:2]
    if scheme.sign == "row":
        return [rows == row for row in range(len(flat))]
    groups = np.zeros(len(flat), int) if scheme.groups is None else scheme.groups.numpy()
    return [(groups[rows] == g) & (columns == c) for g in np.unique(groups) for c in range(flat.shape[1])]


@CHECKED
@given(cases())
def test_takes_the_best_words_in_order(case):
    scheme, latent, allowed = case
    code = scheme.project(latent, allowed)
    np.testing.assert_array_equal(code.numpy(), greedy(scheme, latent, allowed))
    assert scheme.violations(code, allowed) == [] and code.dtype == torch.int16
    assert scheme.decode(code).shape == latent.shape


@CHECKED
@given(cases(widest=4, plain=True))
def test_no_feasible_point_with_these_signs_is_nearer(case):
    scheme, latent, _ = case
    code = scheme.project(latent)
    have = oracle.squared_distance(scheme.decode(code), latent)
    _, sign = scheme.level_and_sign(code)
    for row in range(len(latent)):
        values = values_of(scheme, row)
        if scheme.sign == "row":
            values = [(-1 if -1 in sign[row] else 1) * value for value in values]
        limit = latent.shape[1] if scheme.slots is None else oracle.limits(scheme.slots, len(latent))[row]
        points = np.array(oracle.word_points(values, latent.shape[1], limit))
        if scheme.sign == "source":
            points = points * np.where((sign == -1).any(0), -1, 1)
        best = ((points - latent[row].double().numpy()) ** 2).sum(1).min()
        unchosen = scheme.sign != "free" and not sign.any()
        assert have[row] == best or unchosen or (scheme.sign == "source" and have[row] >= best)


@pytest.mark.parametrize("sign", ["row", "source"])
def test_without_a_budget_the_signs_chosen_are_the_best_too(sign):
    generator = torch.Generator().manual_seed(8)
    scheme = LevelScheme([0.5, 1.0], None, sign)
    for _ in range(20):
        latent = torch.randint(-12, 13, (3, 4), generator=generator) / 8
        have = oracle.squared_distance(scheme.decode(scheme.project(latent)), latent).sum()
        parts = latent if sign == "row" else latent.T
        best = 0.0
        for part in parts.double().numpy():
            ways = [np.minimum(part**2, ((part[:, None] - s * np.array([[0.5, 1.0]])) ** 2).min(1)) for s in (1, -1)]
            best += min(way.sum() for way in ways)
        assert have == best


@CHECKED
@given(cases(values=st.floats(-9, 9, width=32)), st.integers(0, 2**31))
def test_projection_is_idempotent_and_nearest_among_random_points(case, seed):
    scheme, latent, allowed = case
    weight = scheme.decode(scheme.project(latent, allowed))
    assert torch.equal(scheme.decode(scheme.project(weight, allowed)), weight)
    if scheme.sign == "free":
        noise = torch.randn(latent.shape, generator=torch.Generator().manual_seed(seed))
        other = scheme.decode(scheme.project(latent + noise, allowed))
        assert (oracle.squared_distance(weight, latent) <= oracle.squared_distance(other, latent) + 1e-6).all()


def test_ternary_binary_and_unsorted_levels():
    latent = torch.tensor([[0.4, -0.6, 0.5, 2.0, -0.9]])
    assert LevelScheme([1.0, -1.0]).project(latent).tolist() == [[-1, 0, -1, 1, 0]]
    assert LevelScheme([1.0, -1.0], 2).project(latent).tolist() == [[-1, -1, -1, 1, 0]]
    assert LevelScheme([1.0]).project(latent).tolist() == [[-1, -1, -1, 0, -1]]


def test_signs_of_rows_and_sources():
    latent = torch.tensor([[2.0, -1.0, -1.0], [1.0, -3.0, 1.0], [1.0, 1.0, -1.0]])
    rows, sources = LevelScheme([1.0], None, "row"), LevelScheme([1.0], None, "source")
    assert rows.decode(rows.project(latent)).tolist() == [[1, 0, 0], [0, -1, 0], [1, 1, 0]]
    assert sources.decode(sources.project(latent)).tolist() == [[1, -1, -1], [1, -1, 0], [1, 0, -1]]
    apart = LevelScheme([1.0], None, "source", groups=torch.tensor([5, 5, 2]))
    assert apart.decode(apart.project(latent)).tolist() == [[1, -1, 0], [1, -1, 1], [1, 1, -1]]
    assert rows.decode(rows.project(torch.tensor([[1.0, -1.0]]))).tolist() == [[1, 0]]  # + on ties
    assert [part.tolist() for part in sources.level_and_sign(torch.tensor([-1, 0, 1]))] == [[-1, 0, 0], [0, 1, -1]]


def test_signs_are_chosen_before_the_budget():
    scheme = LevelScheme([1.0], 1, "row")
    assert scheme.decode(scheme.project(torch.tensor([[1.5, -1.0, -1.0, -1.0]]))).tolist() == [[0, -1, 0, 0]]


def test_the_grid_rounds_half_to_even():
    scheme = LevelScheme([0.5, 1.5, 2.5, 3.25], None, scale=[[0.125], [1.0]], grid=torch.tensor([0.125, 1.0]))
    code = torch.arange(4, dtype=torch.int16).repeat(2, 1)
    assert scheme.decode(code).tolist() == [[0.0, 0.25, 0.25, 0.375], [0.0, 2.0, 2.0, 3.0]]
    wanted = torch.tensor([[0.25, 0.01], [2.0, 0.4]])
    assert scheme.project(wanted).tolist() == [[1, -1], [1, -1]]  # the smaller index; what is 0 is never taken


@pytest.mark.parametrize("value", [1e-45, 1e30, 3.4e38])
def test_extreme_sizes(value):
    latent = torch.tensor([[0.0, value, -value, 0.0, 2.0]])
    assert LevelScheme([-2.0, 2.0], 2).project(latent).tolist() == (
        [[-1, 1, 0, -1, -1]] if value > 1 else [[-1] * 4 + [1]]
    )
    assert LevelScheme([-2.0, 2.0], 0).project(latent).tolist() == [[-1] * 5]


@pytest.mark.parametrize("sign", ["free", "row", "source"])
def test_threads_do_not_matter(sign):
    latent = torch.randn(1, 80_000, generator=torch.Generator().manual_seed(1)).view(1, 40, 2, -1)
    scheme, before = LevelScheme([0.3, 1.0], 64, sign), torch.get_num_threads()
    found = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        code = scheme.project(latent)
        found.append((code, scheme.hull(latent), scheme.base_gradient(code, latent)))
    torch.set_num_threads(before)
    assert all(torch.equal(one, two) for one, two in zip(*found, strict=True))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([],), "different finite numbers"),
        (([1.0, 1.0],), "1 different"),
        (([1.0, float("inf")],), "finite"),
        (([0.0, 1.0],), "leave it out"),
        (([-1.0, 1.0], 4, "row"), "go down to -1"),
        (([1.0], 4, "type"), "'free', 'source' or 'row'"),
        (([1.0], 4, "free", 0.0), "positive"),
        (([1.0], 4, "free", [1.0, 2.0]), "shape"),
        (([1.0], 4, "free", 1.0, -1.0), "positive"),
        (([1.0], 4, "source", 1.0, None, [0.5]), "integers"),
        (([1.0], -4), "0 and above"),
    ],
)
def test_refuses_parameters_that_cannot_be(arguments, message):
    with pytest.raises(DescriptionError, match=message):
        LevelScheme(*arguments)


def test_refuses_latents_that_are_not_finite_or_of_other_rows():
    latent = torch.zeros(2, 3, 1, 2)
    latent[1, 2, 0, 1] = -torch.inf
    for refused in (LevelScheme([1.0]).project, LevelScheme([1.0]).hull):
        with pytest.raises(FeasibilityError, match="row 1, column 2, current 0, line 1 is -inf"):
            refused(latent)
    for scheme in (LevelScheme([1.0], sign="source", groups=[0, 1, 1]), LevelScheme([1.0], grid=[1.0, 1.0, 1.0])):
        with pytest.raises(FeasibilityError, match="has 3 rows"):
            scheme.project(torch.zeros(2, 3))


@pytest.mark.parametrize("shape", [(0, 5), (4, 0)])
@pytest.mark.parametrize("sign", ["free", "row", "source"])
@pytest.mark.parametrize("slots", [None, 3])
def test_nothing_to_project(shape, sign, slots):
    scheme = LevelScheme([1.0, 2.0], slots, sign)
    code = scheme.project(torch.zeros(shape))
    assert code.shape == shape and scheme.violations(code) == [] and scheme.hull(torch.zeros(shape)).shape == shape
    assert scheme.decode(code).shape == shape and scheme.initial_bases(torch.zeros(shape)).tolist() == [0.5]


@CHECKED
@given(cases())
def test_base_gradient_is_the_slope_of_the_decoded_weights(case):
    scheme, latent, _ = case
    scheme = LevelScheme(scheme.levels, scheme.slots, scheme.sign, scale=scheme.scale, groups=scheme.groups)
    code = scheme.project(latent)
    grad = torch.randint(-4, 5, latent.shape, generator=torch.Generator().manual_seed(0)).float()
    change = scheme.with_bases(scheme.scale + 1).decode(code) - scheme.decode(code)
    assert torch.equal((change * grad).flatten(1).sum(1, keepdim=True), scheme.base_gradient(code, grad))


@pytest.mark.parametrize("sign", ["free", "row"])
def test_initial_scale_fits_the_words_kept(sign):
    latent = torch.randn(40, 200, generator=torch.Generator().manual_seed(6))
    ternary = LevelScheme([-1.0, 1.0] if sign == "free" else [1.0], 20, sign)
    kept = latent.abs().topk(20, 1).values
    assert ternary.initial_bases(latent).item() == pytest.approx(kept.mean().item(), rel=1e-6)
    levels = [float(i) for i in range(-7, 8) if i]
    fine = LevelScheme(levels if sign == "free" else levels[7:], 20, sign)
    scale = fine.initial_bases(latent)
    assert 0.3 < scale.item() * 7 / kept.amax(1).median().item() < 1.3


def test_new_bases_and_devices_leave_the_rest():
    scheme = LevelScheme([1.0, 2.0], 3, "source", grid=0.5, groups=[0, 1])
    other = scheme.with_bases(torch.tensor([[2.0], [4.0]]))
    assert other.bases.tolist() == [[2.0], [4.0]] and other.sign == "source" and other.groups.tolist() == [0, 1]
    assert scheme.to("meta").grid.is_meta and scheme.bases.tolist() == [1.0]


@pytest.mark.parametrize(
    "lower, upper",
    [(-1.0, 1.0), (0.0, 1.0), (-1.0, -0.5), (1e10, 1e10 + 1e-3), (-1e-30, 1e30), (-3.0, 2.0), (0.1, 0.1 + 2**-56)],
)
def test_the_nearest_value_changes_at_a_number_found_to_the_last_bit(lower, upper):
    from neuro.weights import compiled_values

    def upper_is_nearest(wanted):
        up, down = upper - wanted, wanted - lower
        return up < down or (up == down and abs(upper) < abs(lower))

    switch = compiled_values._switch(lower, upper)
    assert upper_is_nearest(switch) and not upper_is_nearest(np.nextafter(switch, -np.inf))
