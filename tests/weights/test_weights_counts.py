"""Counts: against every word in Python, every feasible point, and rows at the edge of what floats can say."""

import numpy as np
import pytest
import torch
import weights_oracles as oracle
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from neuro.errors import DescriptionError, FeasibilityError
from neuro.weights import CountScheme

CHECKED = settings(deadline=None, max_examples=60)

EIGHTHS = st.integers(-24, 24).map(lambda n: n / 8)
FLOATS = st.floats(-8, 8, width=32)
ANY = st.one_of(EIGHTHS, FLOATS, st.sampled_from([0.0, 1e30, -1e30, 1e-40, -1e-45, 3e38, 2.0**60, 1e17, -1e17 - 64]))

TYPES = [((1,), (0,)), ((1, -1), (0, 0)), ((-1, 1, 1), (0, 0, 1)), ((1, 1, -1, -1), (1, 0, 1, 0))]  # signs, currents


@st.composite
def cases(draw, values=ANY, base_values=(0.25, 0.5, 1.0, 2.0, 0.3, 0.7), widest=20):
    """Draw a scheme, a latent that suits it, and a mask of allowed places."""
    rows, columns = draw(st.integers(1, 3)), draw(st.integers(1, widest))
    types = draw(
        st.sampled_from([((1,), (0,)), ((1, -1), (0, 0)), ((-1, 1, 1), (0, 0, 1)), ((1, 1, -1, -1), (1, 0, 1, 0))])
    )
    current_count = max(types[1]) + 1
    lines = draw(st.sampled_from([0, 0, 1, 2]))
    shape = (rows, columns) + ((current_count,) if current_count > 1 or lines else ()) + ((lines,) if lines else ())
    size = int(np.prod(shape))
    pool = draw(st.lists(values, min_size=1, max_size=8))
    latent = torch.tensor(
        [pool[i] for i in draw(st.lists(st.integers(0, len(pool) - 1), min_size=size, max_size=size))]
    )
    own = draw(st.booleans())
    bases = draw(st.lists(st.sampled_from(base_values), min_size=len(types[0]) * rows, max_size=len(types[0]) * rows))
    bases = torch.tensor(bases, dtype=torch.float64).view(rows, -1)
    slots = draw(st.integers(0, 9))
    if draw(st.booleans()):
        slots = torch.tensor(draw(st.lists(st.integers(0, 6), min_size=rows, max_size=rows)))
    allowed = None
    if draw(st.booleans()):
        mask_shape = shape[: draw(st.integers(2, len(shape)))]
        count = int(np.prod(mask_shape))
        allowed = torch.tensor(draw(st.lists(st.booleans(), min_size=count, max_size=count))).view(mask_shape)
    scheme = CountScheme(bases if own else bases[0], types[0], slots, types[1])
    return scheme, latent.float().view(shape), allowed


def greedy(scheme, latent, allowed=None):
    return oracle.greedy_counts(latent, scheme.bases, scheme.signs, scheme.slots, list(scheme.currents), allowed)


@CHECKED
@given(cases())
def test_takes_the_best_words_in_order(case):
    scheme, latent, allowed = case
    code = scheme.project(latent, allowed)
    np.testing.assert_array_equal(code.numpy(), greedy(scheme, latent, allowed))
    assert scheme.violations(code, allowed) == []
    assert code.dtype == torch.int16 and scheme.decode(code).shape == latent.shape
    assert (scheme.slots_used(code) <= torch.as_tensor(scheme.slots)).all()


@CHECKED
@given(cases(values=EIGHTHS, base_values=(0.25, 0.5, 1.0, 2.0), widest=3))
def test_no_feasible_point_is_nearer(case):
    scheme, latent, allowed = case
    entries = latent[0].numel()
    assume(entries <= 6 and int(torch.as_tensor(scheme.slots).max()) <= 5)
    have = oracle.squared_distance(scheme.decode(scheme.project(latent, allowed)), latent)
    mask = oracle.full_mask(allowed, latent.shape).reshape(len(latent), -1)
    current = np.broadcast_to(
        np.arange(max(scheme.currents) + 1)[:, None], (*latent.shape[1:2], *_tail(scheme, latent))
    )
    table = oracle.base_table(scheme.bases, len(latent))
    kind = {pair: k for k, pair in enumerate(zip(scheme.currents, scheme.signs, strict=True))}
    for row, limit in enumerate(oracle.limits(scheme.slots, len(latent))):
        points = np.array(oracle.ball_points(entries, limit)).reshape(-1, entries)
        units = np.zeros((2, entries))
        for side, sign in enumerate((1, -1)):
            kinds = [kind.get((c, sign)) for c in current.ravel()]
            units[side] = [0 if k is None else table[row, k] for k in kinds] * mask[row]
        weights = np.where(points > 0, points * units[0], points * units[1])
        best = ((weights - latent[row].double().numpy().ravel()) ** 2).sum(1).min()
        assert have[row] == best


def _tail(scheme, latent):
    return max(scheme.currents) + 1, latent.shape[3] if latent.dim() == 4 else 1


@CHECKED
@given(cases(values=FLOATS, widest=12), st.integers(0, 2**31))
def test_projection_is_idempotent_and_nearest_among_random_points(case, seed):
    scheme, latent, allowed = case
    weight = scheme.decode(scheme.project(latent, allowed))
    assert torch.equal(scheme.decode(scheme.project(weight, allowed)), weight)
    noise = torch.randn(latent.shape, generator=torch.Generator().manual_seed(seed))
    other = scheme.decode(scheme.project(latent + noise, allowed))
    assert (oracle.squared_distance(weight, latent) <= oracle.squared_distance(other, latent) + 1e-6).all()


@CHECKED
@given(cases(values=FLOATS))
def test_mirror_images_project_alike(case):
    scheme, latent, _ = case
    mirrored = CountScheme(scheme.bases, [-s for s in scheme.signs], scheme.slots, scheme.currents)
    assert torch.equal(scheme.project(latent), mirrored.project(-latent))


@pytest.mark.parametrize("shape", [(1, 70_000), (1, 300), (240, 64), (64, 700)])
def test_threads_do_not_matter(shape):
    latent = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    scheme, before = CountScheme([0.4, 0.1], [1, -1], 64), torch.get_num_threads()
    found = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        code = scheme.project(latent)
        found.append((code, scheme.hull(latent), scheme.base_gradient(code, latent), scheme.initial_bases(latent)))
    torch.set_num_threads(before)
    assert all(torch.equal(one, two) for one, two in zip(*found, strict=True))
    np.testing.assert_array_equal(found[0][0].numpy()[:3], greedy(scheme, latent[:3]))


def test_hand_computed_rows():
    scheme = CountScheme([0.5, 0.25], [1, -1], 4)
    latent = torch.tensor([[0.6, -0.3, 0.0, 0.2], [5.0, -5.0, 0.0, 0.0], [0.25, -0.125, 0.26, -0.13]])
    code = scheme.project(latent)
    assert code[0].tolist() == [[1, 0], [0, 1], [0, 0], [0, 0]]  # 0.2 is nearer to 0 than to 0.5
    assert code[1].tolist() == [[4, 0], [0, 0], [0, 0], [0, 0]]  # a word of 0.5 gains more
    assert code[2].tolist() == [[0, 0], [0, 0], [1, 0], [0, 1]]  # a word of gain 0 is not taken
    assert scheme.decode(code)[0].tolist() == [0.5, -0.25, 0.0, 0.0]


def test_ties_go_to_column_then_current_then_line():
    scheme = CountScheme([1.0, 1.0], [1, 1], 3, [0, 1])
    code = scheme.project(torch.ones(1, 2, 2, 2))
    assert code[0, 0].tolist() == [[1, 1], [1, 0]] and code[0, 1].sum() == 0


@pytest.mark.parametrize("columns", [64, 72, 73, 2000])
def test_equal_weights_fill_the_first_columns(columns):
    code = CountScheme([1.0, 1.0], [1, -1], 64).project(torch.full((3, columns), -0.75))
    assert (code[:, :64, 1] == 1).all() and code.sum() == 3 * 64


def test_a_tie_at_the_edge_of_the_contenders():
    latent = torch.full((2, 300), 0.75)
    latent[0, 250:253] = 5.0
    scheme = CountScheme([1.0], [1], 10)
    np.testing.assert_array_equal(scheme.project(latent).numpy(), greedy(scheme, latent))


@pytest.mark.parametrize("value", [1e-45, 1e-38, 1e10, 1e17, 1e30, 3.4e38])
@pytest.mark.parametrize("bases", [[1.0, 1.0], [1e-20, 1e20], [0.3, 0.1]])
def test_extreme_sizes(value, bases):
    latent = torch.tensor([[value, -value, 0.0, value, 1.0], [0.0, value, 0.5, -0.2, -value], [0.0] * 5])
    scheme = CountScheme(bases, [1, -1], 6)
    code = scheme.project(latent)
    np.testing.assert_array_equal(code.numpy(), greedy(scheme, latent))
    assert scheme.violations(code) == []


def test_collapsed_gains_beside_ordinary_rows():
    generator = torch.Generator().manual_seed(3)
    latent = torch.randn(6, 40, generator=generator) * torch.tensor([1, 1e17, 1, 1e30, 1e14, 0.0])[:, None]
    latent[0, 3], latent[2, ::2] = 1e25, 2.0**55
    for slots in (5, 30, 64):
        scheme = CountScheme([0.5, 0.125], [1, -1], slots)
        np.testing.assert_array_equal(scheme.project(latent).numpy(), greedy(scheme, latent))


def test_many_unequal_bases_per_row():
    generator = torch.Generator().manual_seed(4)
    latent = torch.randn(20, 100, 2, generator=generator)
    bases = torch.rand(20, 4, generator=generator, dtype=torch.float64) ** 4 + 1e-3
    scheme = CountScheme(bases, [1, -1, 1, -1], 50, [0, 0, 1, 1])
    np.testing.assert_array_equal(scheme.project(latent).numpy(), greedy(scheme, latent))


def test_many_slots_use_int32():
    scheme = CountScheme([1e-4], [1], 40_000)
    code = scheme.project(torch.tensor([[3.6, 0.1, 0.2], [1.0, 2.0, 3.0]]))
    assert code.dtype == torch.int32 and code[0, :, 0].tolist() == [36_000, 1_000, 2_000]
    assert code[1].sum() == 40_000 and scheme.violations(code) == []


@pytest.mark.parametrize("shape", [(0, 5), (4, 0), (0, 0)])
def test_nothing_to_project(shape):
    scheme = CountScheme([1.0, 1.0], [1, -1], 4)
    code = scheme.project(torch.zeros(shape))
    assert code.shape == (*shape, 2) and scheme.violations(code) == []
    assert scheme.hull(torch.zeros(shape)).shape == shape
    assert scheme.initial_bases(torch.zeros(shape)).tolist() == [1.0, 1.0]


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_refuses_what_is_not_finite(bad):
    latent = torch.zeros(3, 4, 2)
    latent[1, 2, 0] = bad
    scheme = CountScheme([1.0, 1.0], [1, 1], 4, [0, 1])
    for refused in (scheme.project, scheme.hull):
        with pytest.raises(FeasibilityError, match="row 1, column 2, current 0 is .*lower the learning rate"):
            refused(latent)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_float_types(dtype):
    latent = torch.tensor([[1.5, -2.25, 0.5]], dtype=dtype, requires_grad=True)
    scheme = CountScheme([0.5, 0.5], [1, -1], 4)
    assert scheme.project(latent)[0].tolist() == [[1, 0], [0, 3], [0, 0]]
    assert scheme.hull(latent).dtype == dtype


@pytest.mark.parametrize("shape", [(2,), (2, 3, 1), (2, 3, 2), (2, 3, 2, 1), (2, 3, 1, 1, 1)])
def test_refuses_latents_of_another_shape(shape):
    with pytest.raises(FeasibilityError, match="shape"):
        CountScheme([1.0], [1], 4).project(torch.zeros(shape))


def test_refuses_other_numbers_of_rows_and_masks():
    latent = torch.zeros(3, 4)
    with pytest.raises(FeasibilityError, match="slots has 2 rows"):
        CountScheme([1.0], [1], torch.tensor([4, 4])).project(latent)
    with pytest.raises(FeasibilityError, match="base_weights has 2 rows"):
        CountScheme([[1.0], [2.0]], [1], 4).project(latent)
    for mask in (torch.ones(4, 4, dtype=torch.bool), torch.ones(3, 4), torch.ones(3, 4, 1, dtype=torch.bool)):
        with pytest.raises(FeasibilityError, match=r"bool tensor that broadcasts to \[3, 4\]"):
            CountScheme([1.0], [1], 4).project(latent, mask)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0], [2], 4), "each \\+1 or -1"),
        (([1.0], [1, -1], 4), "shape"),
        (([1.0, 1.0], [1, -1], 4, [0]), "as many signs"),
        (([1.0, 1.0], [1, -1], 4, [0, 2]), "without gaps"),
        (([0.0], [1], 4), "positive"),
        (([float("nan")], [1], 4), "positive"),
        (([1.0], [1], -1), "0 and above"),
        (([1.0], [1], 1.5), "whole number"),
        (([], [], 4), "signs"),
    ],
)
def test_refuses_parameters_that_cannot_be(arguments, message):
    with pytest.raises(DescriptionError, match=message):
        CountScheme(*arguments)


def test_new_bases_and_devices_leave_the_rest():
    scheme = CountScheme([0.1, 0.2], [1, -1], torch.tensor([3, 4]))
    other = scheme.with_bases(torch.tensor([[0.5, 0.25], [1.0, 2.0]], requires_grad=True))
    assert scheme.bases.tolist() == [0.1, 0.2] and other.bases.tolist() == [[0.5, 0.25], [1.0, 2.0]]
    assert not other.bases.requires_grad and other.slots.tolist() == [3, 4] and other.signs == (1, -1)
    assert other.project(torch.full((2, 2), 1.0))[..., 0].tolist() == [[2, 1], [1, 1]]
    assert scheme.to("meta").slots.device.type == "meta" and scheme.to("cpu").bases.tolist() == [0.1, 0.2]


@CHECKED
@given(cases(values=EIGHTHS, base_values=(0.25, 0.5, 1.0)))
def test_base_gradient_is_the_slope_of_the_decoded_weights(case):
    scheme, latent, allowed = case
    code = scheme.project(latent, allowed)
    grad = torch.randint(-4, 5, latent.shape, generator=torch.Generator().manual_seed(0)).float()
    have = scheme.base_gradient(code, grad)
    bases = torch.tensor(oracle.base_table(scheme.bases, len(latent)).copy())
    for kind in range(len(scheme.signs)):
        moved = bases.clone()
        moved[:, kind] += 1.0
        change = scheme.with_bases(moved).decode(code) - scheme.with_bases(bases).decode(code)
        assert torch.equal((change * grad).flatten(1).sum(1), have[:, kind])


@pytest.mark.parametrize("columns", [20, 64, 100, 400, 1724])
@pytest.mark.parametrize("current_count", [1, 2])
def test_initial_bases_use_about_all_slots(columns, current_count):
    shape = (60, columns) if current_count == 1 else (60, columns, 2)
    latent = 0.03 * torch.randn(shape, generator=torch.Generator().manual_seed(5))
    signs, currents = [1, -1] * current_count, [0, 0, 1, 1][: 2 * current_count]
    scheme = CountScheme([1.0] * len(signs), signs, 64, currents)
    bases = scheme.initial_bases(latent)
    assert bases.shape == (len(signs),) and bases.dtype == torch.float64 and (bases <= latent.abs().max()).all()
    used = scheme.with_bases(bases).slots_used(scheme.with_bases(bases).project(latent)).double()
    assert 0.8 * 64 <= used.median() <= 64


def test_initial_bases_pass_over_rows_of_zeros():
    latent = torch.cat([torch.zeros(9, 8), torch.full((3, 8), 2.0)])
    assert CountScheme([1.0], [1], 4).initial_bases(latent).tolist() == [2.0]


@pytest.mark.parametrize("lines", range(1, 8))
@pytest.mark.parametrize("columns", [1, 7, 16, 30, 61])
def test_any_number_of_delay_lines_gives_what_tensors_give(lines, columns):
    """Rows are gone through by sixteens, which lines need not divide, and near the threshold of the row before."""
    g = torch.Generator().manual_seed(lines)
    scheme = CountScheme(torch.ones(2), (1, -1), 3, (0, 0))
    for size in (0.5, 2.0):
        latent = torch.randn(9, columns, 1, lines, generator=g) * size
        code, weight = scheme.hold(latent)
        assert torch.equal(code, scheme._by_tensors(latent)) and torch.equal(weight, scheme.decode(code))
