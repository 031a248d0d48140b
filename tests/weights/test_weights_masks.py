"""Masks: against exact fractions, every feasible point, and rows at the edge of what floats can say."""

from fractions import Fraction

import numpy as np
import pytest
import torch
import weights_oracles as oracle
from hypothesis import given, settings
from hypothesis import strategies as st

from neuro.errors import DescriptionError, FeasibilityError
from neuro.weights import MaskScheme

CHECKED = settings(deadline=None, max_examples=60)
EIGHTHS = st.integers(-40, 40).map(lambda n: n / 8)


@st.composite
def cases(draw, values=EIGHTHS, widest=16, bits=4):
    rows, columns, count = draw(st.integers(1, 3)), draw(st.integers(1, widest)), draw(st.integers(1, bits))
    shape = (rows, columns) + draw(st.sampled_from([(), (), (2,), (2, 2)]))
    size = int(np.prod(shape))
    latent = torch.tensor(draw(st.lists(values, min_size=size, max_size=size))).float().view(shape)
    own = draw(st.booleans())
    base = st.sampled_from([0.25, 0.5, 0.5, 1.0, 1.25, 2.0])
    bases = torch.tensor(draw(st.lists(base, min_size=rows * count, max_size=rows * count))).view(rows, count)
    slots = draw(st.one_of(st.integers(0, 7), st.lists(st.integers(0, 6), min_size=rows, max_size=rows)))
    slots = slots if isinstance(slots, int) else torch.tensor(slots)
    allowed = None
    if draw(st.booleans()):
        allowed = torch.tensor(draw(st.lists(st.booleans(), min_size=columns, max_size=columns)))[None]
    return MaskScheme(bases if own else bases[0], slots), latent, allowed


def values_of(bases):
    """List (value, mask) of every mask but the empty one."""
    return [(sum(b for i, b in enumerate(bases) if mask >> i & 1), mask) for mask in range(1, 2 ** len(bases))]


def greedy(scheme, latent, allowed):
    flat = latent.double().numpy().reshape(len(latent), -1)
    mask = oracle.full_mask(allowed, latent.shape).reshape(flat.shape)
    code = np.zeros(flat.shape, dtype=np.int64)
    rows = oracle.base_table(scheme.bases, len(flat)), oracle.limits(scheme.slots, len(flat))
    for row, (bases, limit) in enumerate(zip(*rows, strict=True)):
        nearest = [oracle.nearest_value(values_of(bases), abs(w)) for w in flat[row]]
        gains = [oracle.single_gain(q, abs(w)) for (q, _), w in zip(nearest, flat[row], strict=True)]
        taken = oracle.greedy_single([g if ok else Fraction(0) for g, ok in zip(gains, mask[row], strict=True)], limit)
        for place in taken:
            code[row, place] = nearest[place][1] * (1 if flat[row, place] > 0 else -1)
    return code.reshape(latent.shape)


@CHECKED
@given(cases())
def test_takes_the_best_words_in_order(case):
    scheme, latent, allowed = case
    code = scheme.project(latent, allowed)
    np.testing.assert_array_equal(code.numpy(), greedy(scheme, latent, allowed))
    assert scheme.violations(code, allowed) == [] and code.dtype == torch.int8
    assert (scheme.slots_used(code) <= torch.as_tensor(scheme.slots)).all()


@CHECKED
@given(cases(widest=4, bits=2))
def test_no_feasible_point_is_nearer(case):
    scheme, latent, _ = case
    latent = latent.reshape(len(latent), -1)[:, :4]
    have = oracle.squared_distance(scheme.decode(scheme.project(latent)), latent)
    rows = oracle.base_table(scheme.bases, len(latent)), oracle.limits(scheme.slots, len(latent))
    for row, (bases, limit) in enumerate(zip(*rows, strict=True)):
        signed = [sign * value for value, _ in values_of(bases) for sign in (1, -1)]
        points = np.array(oracle.word_points(signed, latent.shape[1], limit))
        assert have[row] == ((points - latent[row].double().numpy()) ** 2).sum(1).min()


@CHECKED
@given(cases(values=st.floats(-9, 9, width=32)), st.integers(0, 2**31))
def test_projection_is_idempotent_and_nearest_among_random_points(case, seed):
    scheme, latent, allowed = case
    weight = scheme.decode(scheme.project(latent, allowed))
    assert torch.equal(scheme.decode(scheme.project(weight, allowed)), weight)
    noise = torch.randn(latent.shape, generator=torch.Generator().manual_seed(seed))
    other = scheme.decode(scheme.project(latent + noise, allowed))
    assert (oracle.squared_distance(weight, latent) <= oracle.squared_distance(other, latent) + 1e-6).all()


def test_hand_computed_row():
    scheme = MaskScheme([1.0, 2.0, 4.0, 8.0], 3)
    latent = torch.tensor([[2.5, -6.9, 99.0, 0.5, 0.4, -3.0]])
    code = scheme.project(latent)
    assert code.tolist() == [[0, -7, 15, 0, 0, -3]]  # 2.5 would be 2: at equal distance the smaller value
    assert scheme.decode(code).tolist() == [[0.0, -7.0, 15.0, 0.0, 0.0, -3.0]]
    assert MaskScheme([1.0, 2.0, 4.0, 8.0], 6).project(latent).tolist() == [[2, -7, 15, 0, 0, -3]]


def test_equal_sums_take_the_smaller_mask():
    scheme = MaskScheme([1.0, 1.0, 2.0, 4.0], 9)
    assert scheme.project(torch.tensor([[1.0, 2.0, -3.0, 4.0, 8.0]])).tolist() == [[1, 3, -5, 7, 15]]


@pytest.mark.parametrize("columns", [10, 18, 19, 500])
def test_equal_weights_fill_the_first_columns(columns):
    code = MaskScheme([1.0, 2.0, 4.0, 8.0], 10).project(torch.full((2, columns), -5.0))
    assert (code[:, :10] == -5).all() and (code[:, 10:] == 0).all()


@pytest.mark.parametrize("value", [1e-45, 1e30, 3.4e38])
def test_extreme_sizes(value):
    latent = torch.tensor([[0.0, value, -value, 0.0, 1.0], [0.0] * 5, [value] * 5])
    scheme = MaskScheme([1.0, 2.0, 4.0, 8.0], torch.tensor([2, 2, 0]))
    assert scheme.project(latent).tolist() == ([[0, 15, -15, 0, 0]] if value > 1 else [[0, 0, 0, 0, 1]]) + [[0] * 5] * 2


def test_wide_rows_agree_with_narrow_ones():
    generator = torch.Generator().manual_seed(2)
    narrow = torch.randn(5, 40, generator=generator)
    wide = torch.zeros(5, 900)
    places = torch.arange(40) * 22
    wide[:, places] = narrow
    scheme = MaskScheme([0.1, 0.21, 0.4, 0.83], 16)
    assert torch.equal(scheme.project(wide)[:, places], scheme.project(narrow))
    np.testing.assert_array_equal(scheme.project(wide).numpy(), greedy(scheme, wide, None))


def test_threads_do_not_matter():
    latent = torch.randn(1, 80_000, generator=torch.Generator().manual_seed(1))
    scheme, before = MaskScheme([0.1, 0.2, 0.4, 0.8], 64), torch.get_num_threads()
    found = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        code = scheme.project(latent)
        found.append((code, scheme.hull(latent), scheme.base_gradient(code, latent), scheme.initial_bases(latent)))
    torch.set_num_threads(before)
    assert all(torch.equal(one, two) for one, two in zip(*found, strict=True))


@pytest.mark.parametrize(("bits", "dtype"), [(1, torch.int8), (7, torch.int8), (8, torch.int16)])
def test_other_numbers_of_bits(bits, dtype):
    scheme = MaskScheme([2.0**b for b in range(bits)], 4)
    code = scheme.project(torch.tensor([[-1000.0, 1.2]]))
    assert code.dtype == dtype and code.tolist() == [[1 - 2**bits, 1]] and scheme.violations(code) == []
    assert scheme.decode(code).tolist() == [[1.0 - 2**bits, 1.0]]


def test_refusals():
    latent = torch.zeros(2, 3)
    latent[1, 2] = torch.nan
    for refused in (MaskScheme([1.0], 2).project, MaskScheme([1.0], 2).hull):
        with pytest.raises(FeasibilityError, match="row 1, column 2 is nan"):
            refused(latent)
    with pytest.raises(DescriptionError, match="9 bits, allowed: 1 to 8"):
        MaskScheme([1.0] * 9, 2)
    with pytest.raises(DescriptionError, match="positive"):
        MaskScheme([1.0, -1.0], 2)
    with pytest.raises(FeasibilityError, match="base_currents has 3 rows"):
        MaskScheme([[1.0]] * 3, 2).project(torch.zeros(2, 2))


@pytest.mark.parametrize("shape", [(0, 5), (4, 0)])
def test_nothing_to_project(shape):
    scheme = MaskScheme([1.0, 2.0], 4)
    code = scheme.project(torch.zeros(shape))
    assert code.shape == shape and scheme.violations(code) == [] and scheme.hull(torch.zeros(shape)).shape == shape
    assert scheme.decode(code).shape == shape and scheme.initial_bases(torch.zeros(shape)).sum() == 1


@CHECKED
@given(cases())
def test_base_gradient_is_the_slope_of_the_decoded_weights(case):
    scheme, latent, allowed = case
    code = scheme.project(latent, allowed)
    grad = torch.randint(-4, 5, latent.shape, generator=torch.Generator().manual_seed(0)).float()
    have = scheme.base_gradient(code, grad)
    bases = torch.tensor(oracle.base_table(scheme.bases, len(latent)).copy())
    for bit in range(bases.shape[1]):
        moved = bases.clone()
        moved[:, bit] += 1.0
        change = scheme.with_bases(moved).decode(code) - scheme.with_bases(bases).decode(code)
        assert torch.equal((change * grad).flatten(1).sum(1), have[:, bit])


def test_initial_bases_double_from_bit_to_bit():
    scheme = MaskScheme([1.0] * 4, 64)
    latent = torch.zeros(5, 30)
    latent[:3, ::2], latent[0, 1] = -0.75, 30.0
    assert scheme.initial_bases(latent).tolist() == pytest.approx([0.05, 0.1, 0.2, 0.4])
    assert scheme.initial_bases(latent * 0).sum() == 1
    assert scheme.with_bases([1.0, 2.0]).bases.tolist() == [1.0, 2.0] and scheme.to("meta").bases.is_meta
