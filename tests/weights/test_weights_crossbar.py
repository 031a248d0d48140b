"""Crossbars: against every feasible code, every weight, and hand-computed cases."""

import itertools

import numpy as np
import pytest
import torch
import weights_oracles as oracle
from hypothesis import given, settings
from hypothesis import strategies as st

from neuro.errors import DescriptionError, FeasibilityError
from neuro.weights import CrossbarScheme, crosspoints
from neuro.weights.crosspoints import best_value

CHECKED = settings(deadline=None, max_examples=60)
HALVES = st.integers(-12, 12).map(lambda n: n / 2)


def matrix(draw, values, rows, columns):
    flat = draw(st.lists(values, min_size=rows * columns, max_size=rows * columns))
    return torch.tensor(flat).view(rows, columns)


@st.composite
def cases(draw, rows=3, columns=4, groups=True):
    rows, columns = draw(st.integers(1, rows)), draw(st.integers(1, columns))
    latent = matrix(draw, HALVES, rows, columns).float()
    allowed = matrix(draw, st.booleans(), rows, columns) if draw(st.booleans()) else None
    scheme = CrossbarScheme(
        matrix(draw, st.integers(-7, 7), rows, draw(st.integers(1, 2))),
        axons=draw(st.integers(0, columns)),
        bits=4,
        grid=draw(st.sampled_from([1.0, 0.5, 0.25])),
        groups=torch.tensor(draw(st.lists(st.integers(0, 1), min_size=rows, max_size=rows))) if groups else None,
    )
    return scheme, latent, allowed


def columns_of_a_core(types, rows):
    """List all that one column of a core can hold: closed nowhere, or on an axon of some type in some rows."""
    closed = [bits for bits in itertools.product((0, 1), repeat=rows) if any(bits)]
    return [(0,) * rows, *(tuple(b * (g + 1) for b in bits) for g in range(types) for bits in closed)]


def smallest_error(scheme, latent, allowed):
    """Try every code of every core and give the least squared distance."""
    mask = oracle.full_mask(allowed, latent.shape)
    total = 0.0
    for group in scheme.groups.unique().tolist():
        rows = [n for n, g in enumerate(scheme.groups.tolist()) if g == group]
        errors = []
        for code in itertools.product(columns_of_a_core(scheme.types, len(rows)), repeat=latent.shape[1]):
            fits = sum(any(column) for column in code) <= scheme.axons
            if fits and all(mask[n, m] or not column[i] for m, column in enumerate(code) for i, n in enumerate(rows)):
                errors.append(
                    sum(distance(scheme, latent, n, m, c[i]) for m, c in enumerate(code) for i, n in enumerate(rows))
                )
        total += min(errors)
    return total


def distance(scheme, latent, n, m, word):
    value = float(scheme.values[n, word - 1] * scheme.grid[n]) if word else 0.0
    return (float(latent[n, m]) - value) ** 2


def error(scheme, latent, allowed=None):
    return float((scheme.hold(latent, allowed)[1].double() - latent.double()).square().sum())


@CHECKED
@given(case=cases())
def test_projection_is_the_nearest_of_all_codes(case):
    scheme, latent, allowed = case
    code, weight = scheme.hold(latent, allowed)
    assert scheme.violations(code, allowed) == []
    assert torch.equal(weight, scheme.decode(code))
    assert error(scheme, latent, allowed) == smallest_error(scheme, latent, allowed)


@CHECKED
@given(case=cases(rows=6, columns=9))
def test_refitting_never_raises_the_error_and_ends_where_nothing_changes(case):
    scheme, latent, allowed = case
    fitted = scheme.fitted(latent, allowed)
    assert error(fitted, latent, allowed) <= error(scheme, latent, allowed)
    assert fitted.violations(fitted.project(latent, allowed), allowed) == []
    assert int(fitted.values.abs().max()) <= fitted.most
    assert fitted.fitted(latent, allowed) is fitted


@CHECKED
@given(case=cases(rows=5, columns=8, groups=False))
def test_after_refitting_no_neuron_has_a_better_weight_for_a_type(case):
    scheme, latent, _ = case
    fitted = scheme.fitted(latent)
    kinds = fitted.project(latent).amax(0) - 1
    for n, g in np.ndindex(tuple(fitted.values.shape)):
        wanted = latent[n, kinds == g].double() / fitted.grid[n]
        assert summed_gain(int(fitted.values[n, g]), wanted) == max(summed_gain(u, wanted) for u in range(-7, 8))


def summed_gain(unit, wanted):
    return sum(max(0.0, unit * (2 * w - unit)) for w in wanted.tolist())


@CHECKED
@given(data=st.data(), most=st.integers(1, 9))
def test_the_best_weight_of_a_row_is_the_best_of_all(data, most):
    wanted = matrix(data.draw, HALVES, 3, data.draw(st.integers(1, 7))).double()
    unit = best_value(wanted, torch.zeros(3, dtype=torch.int64), most)
    for u, row in zip(unit.tolist(), wanted, strict=True):
        assert abs(u) <= most
        assert summed_gain(u, row) == max(summed_gain(v, row) for v in range(-most, most + 1))


def test_by_hand():
    scheme = CrossbarScheme(torch.tensor([[4, -4], [4, 4]]), axons=2, grid=0.25)
    latent = torch.tensor([[0.9, -0.9, 0.4, 0.0], [0.1, 0.8, 2.0, 0.6]])
    # gains of types 0 and 1, weights ±1: column 0: 0.8, 0; column 1: 0.6, 0.8 + 0.6; column 2: 3, 3; column 3: 0.2, 0.2
    assert scheme.project(latent).tolist() == [[0, 2, 0, 0], [0, 2, 1, 0]]
    assert scheme.decode(scheme.project(latent)).tolist() == [[0, -1, 0, 0], [0, 1, 1, 0]]
    assert scheme.slots_used(scheme.project(latent)).tolist() == [1, 2]


def test_equal_gains_go_to_the_first_type_and_the_first_columns():
    scheme = CrossbarScheme(torch.tensor([[2, 2]]), axons=2)
    assert scheme.project(torch.tensor([[2.0, 2.0, 2.0]])).tolist() == [[1, 1, 0]]
    assert scheme.project(torch.tensor([[1.0, 1.0, 1.0]])).tolist() == [[0, 0, 0]], "a gain of 0 closes nothing"


def test_a_weight_changes_its_sign_where_that_is_better():
    latent = torch.tensor([[1.0, -3.0, -3.0], [8.0, 8.0, 8.0]])
    scheme = CrossbarScheme(torch.tensor([[1], [9]]), axons=3)
    assert scheme.hold(latent)[1].tolist() == [[1.0, 0.0, 0.0], [9.0, 9.0, 9.0]]
    assert scheme.fitted(latent).hold(latent)[1].tolist() == [[0.0, -3.0, -3.0], [8.0, 8.0, 8.0]]


def test_a_type_nobody_has_serves_the_column_that_is_farthest_off():
    latent = torch.tensor([[1.0, 2.0, 6.0], [1.0, 2.0, -5.0]])
    fitted = CrossbarScheme(torch.zeros(2, 2, dtype=torch.int64), axons=3).fitted(latent)
    assert fitted.values.tolist() == [[6, 2], [-5, 2]]
    assert fitted.hold(latent)[1].tolist() == [[0.0, 2.0, 6.0], [0.0, 2.0, -5.0]]


def test_currents_and_lines_of_one_are_taken_as_they_are():
    scheme = CrossbarScheme(torch.tensor([[3], [-3]]), axons=2)
    latent = torch.tensor([[2.0, 3.0], [-3.0, 4.0]])
    assert scheme.project(latent[:, :, None, None]).shape == (2, 2, 1, 1)
    assert torch.equal(scheme.project(latent[:, :, None, None])[:, :, 0, 0], scheme.project(latent))


def mutations():
    return [
        ([[1, 1, 1], [0, 1, 1]], "axons of group 0: have 3, allowed 2 axons"),
        ([[1, 0, 0], [2, 0, 0]], "types of column 0 in group 0: have [0, 1], allowed one type"),
        ([[3, 0, 0], [0, 0, 0]], "code at column 0: have 3, allowed 0..2"),
        ([[-1, 0, 0], [0, 0, 0]], "code at column 0: have -1, allowed 0..2"),
    ]


@pytest.mark.parametrize(("code", "message"), mutations(), ids=[m for _, m in mutations()])
def test_broken_limits_are_found(code, message):
    scheme = CrossbarScheme(torch.tensor([[1, 2], [3, 4]]), axons=2)
    assert any(message in str(v) for v in scheme.violations(torch.tensor(code)))


def test_rows_of_other_cores_are_apart():
    code = torch.tensor([[1, 1, 0], [2, 0, 2]])
    values = torch.tensor([[1, 2], [3, 4]])
    assert CrossbarScheme(values, axons=2, groups=torch.tensor([0, 1])).violations(code) == []
    assert len(CrossbarScheme(values, axons=2).violations(code)) == 2


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: CrossbarScheme(torch.tensor([[1.5]]), 4), "whole numbers"),
        (lambda: CrossbarScheme(torch.tensor([1]), 4), "whole numbers"),
        (lambda: CrossbarScheme(torch.tensor([[8]]), 4, bits=4), "allowed: ±7"),
        (lambda: CrossbarScheme(torch.tensor([[1]]), -1), "axons from 0"),
    ],
)
def test_schemes_that_cannot_be(make, words):
    with pytest.raises(DescriptionError, match=words):
        make()


@pytest.mark.parametrize(
    "latent", [torch.ones(1, 2, 2), torch.ones(1, 2, 1, 3), torch.full((1, 2), float("nan")), torch.ones(2, 2)]
)
def test_latents_that_are_refused(latent):
    with pytest.raises(FeasibilityError):
        CrossbarScheme(torch.tensor([[1]]), 4).project(latent)


@settings(deadline=None, max_examples=80)
@given(case=cases(rows=7, columns=12), seed=st.integers(0, 2**31), spread=st.sampled_from([0.0, 0.3, 1e-6]))
def test_machine_code_and_tensors_give_the_same_bits(case, seed, spread):
    scheme, latent, allowed = case
    latent = latent + spread * torch.randn(latent.shape, generator=torch.Generator().manual_seed(seed))
    wanted = scheme._read(latent, allowed)
    scale = scheme.grid.square()
    with pytest.MonkeyPatch.context() as patch:
        found = {}
        for way in (True, False):
            patch.setattr(crosspoints, "is_compiled_for", lambda _, way=way: way)
            code, total = crosspoints.nearest_code(wanted, scheme.values, scale, scheme.axons)
            found[way] = code, total, crosspoints.fit(wanted, scheme.values, scale, scheme.axons, scheme.most)
    assert torch.equal(found[True][0], found[False][0]) and found[True][1] == found[False][1]
    assert torch.equal(found[True][2], found[False][2])
