"""Several bases per current and sign: against every choice of words, and a gap that bounds what may be lost."""

import itertools

import numpy as np
import pytest
import torch
import weights_oracles as oracle
from hypothesis import given, settings
from hypothesis import strategies as st

from neuro.weights import CountScheme, several
from neuro.weights.split import larger_base, real_words

CHECKED = settings(deadline=None, max_examples=50)
VALUES = st.one_of(st.floats(-5, 5, width=32), st.integers(-12, 12).map(lambda n: n / 4), st.sampled_from([0.0, 1e-40]))
TYPES = {  # signs, currents
    "two a sign": ((1, 1, -1, -1), (0, 0, 0, 0)),
    "three and one": ((1, -1, 1, 1), (0, 0, 0, 0)),
    "two and none": ((1, 1), (0, 0)),
    "two currents": ((1, 1, 1, -1), (0, 1, 0, 1)),
}


@st.composite
def cases(draw, widest=4, most=4):
    signs, currents = TYPES[draw(st.sampled_from(sorted(TYPES)))]
    rows, columns, shared = draw(st.integers(1, 2)), draw(st.integers(1, widest)), draw(st.booleans())
    count = max(currents) + 1
    shape = (rows, columns) if count == 1 else (rows, columns, count)
    size = int(np.prod(shape))
    latent = torch.tensor(draw(st.lists(VALUES, min_size=size, max_size=size))).float().view(shape)
    bases = draw(st.lists(st.sampled_from([0.25, 0.3, 0.5, 0.7, 1.0, 2.0]), min_size=4 * rows, max_size=4 * rows))
    bases = torch.tensor(bases, dtype=torch.float64).view(rows, 4)[:, : len(signs)]
    slots = draw(st.integers(0, most))
    if draw(st.booleans()):
        slots = torch.tensor(draw(st.lists(st.integers(0, most), min_size=rows, max_size=rows)))
    allowed = draw(st.none() | st.lists(st.booleans(), min_size=columns, max_size=columns))
    allowed = None if allowed is None else torch.tensor(allowed).expand(rows, -1)
    return CountScheme(bases[0] if shared else bases, signs, slots, currents), latent, allowed


def least_distances(scheme, latent, allowed):
    """Try every choice of words: for each entry all sums by number of words, then all numbers within the budget."""
    mask = oracle.full_mask(allowed, latent.shape).reshape(len(latent), -1)
    table, found = oracle.base_table(scheme.bases, len(latent)), []
    flat = latent.double().flatten(1).numpy()
    count = max(scheme.currents) + 1
    for row, limit in enumerate(oracle.limits(scheme.slots, len(latent))):
        errors = []
        for e, w in enumerate(flat[row]):
            kinds = [
                k
                for k, (s, c) in enumerate(zip(scheme.signs, scheme.currents, strict=True))
                if s * w > 0 and c == e % count and mask[row, e]
            ]
            sums = {m: [sum(table[row, list(c)]) for c in itertools.combinations_with_replacement(kinds, m)]
                    for m in range(limit + 1)}  # fmt: skip
            errors.append({m: min((abs(w) - v) ** 2 for v in values) for m, values in sums.items() if values})
        choices = itertools.product(*(error.items() for error in errors))
        found.append(min(sum(d for _, d in c) for c in choices if sum(m for m, _ in c) <= limit))
    return np.array(found)


@CHECKED
@given(cases())
def test_programming_finds_the_nearest_of_all(case):
    scheme, latent, allowed = case
    code, gap = scheme.hold_with_gap(latent, allowed)
    assert scheme.violations(code, allowed) == [] and (gap == 0).all()
    have = oracle.squared_distance(scheme.decode(code), latent)
    np.testing.assert_allclose(have, least_distances(scheme, latent, allowed), atol=1e-5, rtol=1e-5)
    held, weight = scheme.hold(latent, allowed)
    assert torch.equal(held, code) and torch.equal(weight, scheme.decode(code))


@CHECKED
@given(cases())
def test_the_gap_of_the_multiplier_bounds_what_is_lost(case):
    scheme, latent, allowed = case
    before, several.SMALL = several.SMALL, -1
    try:
        code, gap = scheme.hold_with_gap(latent, allowed)
    finally:
        several.SMALL = before
    assert scheme.violations(code, allowed) == [] and (gap >= 0).all()
    lost = oracle.squared_distance(scheme.decode(code), latent) - least_distances(scheme, latent, allowed)
    assert (lost <= gap.numpy() + 1e-5).all() and (lost >= -1e-5).all()


def wide(seed, rows=20, columns=150, slots=24):
    latent = torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))
    return CountScheme([0.9, 0.23, 0.8, 0.31], [1, 1, -1, -1], slots), latent


@pytest.mark.parametrize("seed", range(3))
def test_both_ways_agree_within_the_gap_on_wide_rows(seed, monkeypatch):
    scheme, latent = wide(seed)
    exact, zero = scheme.hold_with_gap(latent)
    monkeypatch.setattr(several, "SMALL", -1)
    near, gap = scheme.hold_with_gap(latent)
    lost = oracle.squared_distance(scheme.decode(near), latent) - oracle.squared_distance(scheme.decode(exact), latent)
    assert (zero == 0).all() and (lost <= gap.numpy() + 1e-4).all() and (lost >= -1e-4).all()
    assert scheme.violations(near) == [] == scheme.violations(exact)
    assert float(gap.mean()) < 0.05 < float(latent.square().sum(1).mean())  # small beside what there is to lose
    single = CountScheme([0.9, 0.8], [1, -1], 24).hold(latent)[1]
    assert (oracle.squared_distance(scheme.decode(exact), latent) <= oracle.squared_distance(single, latent)).all()


def test_rows_at_a_time_do_not_matter(monkeypatch):
    scheme, latent = wide(7)
    whole = scheme.project(latent)
    monkeypatch.setattr(several, "AT_ONCE", 1)
    assert torch.equal(whole, scheme.project(latent))
    assert torch.equal(whole[4:5], scheme.project(latent[4:5]))


@pytest.mark.parametrize("value", [3e38, 1e20, 1e-45])
def test_extreme_latents(value):
    scheme = CountScheme([0.5, 0.2], [1, 1], 5)
    code = scheme.project(torch.tensor([[value, -value, value / 2, 0.05]]))
    assert scheme.violations(code) == []
    assert code[0].tolist() == ([[5, 0], [0, 0], [0, 0], [0, 0]] if value > 1 else [[0, 0]] * 4)


def test_by_hand():
    scheme = CountScheme([1.0, 0.25], [1, 1], 3)
    # 1.25 = 1 + ¼ (2 words), 0.5 = 2 · ¼ (2 words): three words go best to 1, ¼ and ¼ with 0.0625 left, not to 1.25
    code = scheme.project(torch.tensor([[1.25, 0.5]]))
    assert scheme.decode(code).tolist() in ([[1.25, 0.25]], [[1.0, 0.5]])
    assert scheme.slots_used(code).tolist() == [3]
    assert scheme.violations(torch.tensor([[[1, 2]]])) == []
    mixed = CountScheme([1.0, 0.25, 1.0], [1, 1, -1], 3)
    assert "+ and -" in str(mixed.violations(torch.tensor([[[0, 1, 1]]]))[0])


@CHECKED
@given(cases(widest=8, most=7), st.none() | st.integers(0, 2**31))
def test_every_draw_fits(case, seed):
    scheme, latent, allowed = case
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    code, weight = scheme.draw(latent, allowed, generator)
    assert scheme.violations(code, allowed) == []
    assert torch.equal(scheme.decode(code), weight) and code.dtype == torch.int16
    assert ((weight == 0) | (weight.sign() == latent.sign())).all()


@pytest.mark.parametrize("slots", [2, 5, 40])
def test_draws_are_right_on_average(slots):
    scheme = CountScheme([0.9, 0.23, 0.8, 0.31], [1, 1, -1, -1], slots)
    latent = torch.randn(2, 8, generator=torch.Generator().manual_seed(1))
    g, turns = torch.Generator().manual_seed(0), 4096
    weight = scheme.draw(latent.repeat(turns, 1), None, g)[1].double().view(turns, 2, 8)
    mean, spread = weight.mean(0), weight.std(0)
    assert ((mean - scheme.hull(latent).double()).abs() <= 5 * spread / turns**0.5 + 1e-6).all()
    if slots == 40:  # the budget allows every rest in small words: that is the published split
        assert (spread[latent > 0] <= 0.23 / 2 + 1e-3).all() and (spread[latent < 0] <= 0.31 / 2 + 1e-3).all()


def test_the_split_by_hand():
    units = torch.tensor([[1.0, 0.25], [1.0, 0.25], [0.5, torch.inf], [torch.inf, torch.inf]], dtype=torch.float64)
    counts = real_words(torch.tensor([2.6, 0.25, 1.3, 0.0], dtype=torch.float64), units)
    np.testing.assert_allclose(counts, [[2, 2.4], [0, 1], [2.6, 0], [0, 0]])


def test_the_larger_base_lowers_what_it_should():
    size = torch.rand(30, 40, generator=torch.Generator().manual_seed(0)).double()
    small = 0.05
    base = larger_base(size, small)

    def cost(b):
        many = (size / b).floor()
        few = ((size - many * b) / small).round()
        words = (many + few).sum(1) / (size / small).round().sum(1)
        return 0.5 * (many * b + few * small - size).abs().median() + 0.5 * words.mean()

    grid = torch.linspace(small, float(size.max()), 200)
    assert small < base < float(size.max())
    assert cost(base) <= min(cost(float(b)) for b in grid) * 1.1 and cost(base) < 0.6 * cost(small)
    assert larger_base(torch.zeros(2, 3), 0.1) == 0.1


def test_first_bases_of_several_types():
    latent = torch.randn(20, 30, generator=torch.Generator().manual_seed(0))
    bases = CountScheme([1.0] * 4, [1, 1, -1, -1], 16).initial_bases(latent)
    single = CountScheme([1.0] * 2, [1, -1], 16).initial_bases(latent)
    assert bases[0] == bases[2] > bases[1] == bases[3] == single[0] / 2
    three = CountScheme([1.0] * 3, [1, 1, 1], 16).initial_bases(latent.abs())
    assert three[0] > three[1] > three[2] and float(three[0] / three[1]) == pytest.approx(float(three[1] / three[2]))
