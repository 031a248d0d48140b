"""Words of defective boards: against every choice of physical words, held one by one."""

import itertools

import numpy as np
import pytest
import torch
import weights_oracles as oracle
from hypothesis import given, settings
from hypothesis import strategies as st

from neuro.errors import DescriptionError, FeasibilityError
from neuro.weights import LevelScheme, MaskScheme, NestedSlots

CHECKED = settings(deadline=None, max_examples=40)
EIGHTHS = st.integers(-24, 24).map(lambda n: n / 8)
WORDS = st.lists(st.tuples(st.booleans(), st.booleans()), max_size=5)  # of each word: good for low tags, for high tags


def can_hold(words, demand):
    """Whether every demand (True: a high tag) finds a word of its own that is good for it, by trying them all."""
    if not demand:
        return True
    free = [i for i, good in enumerate(words) if good[int(demand[0])]]
    return any(can_hold(words[:i] + words[i + 1 :], demand[1:]) for i in free)


def nested(words_of_rows, high):
    limits = [[sum(w[0] for w in words), sum(w[1] for w in words), sum(map(any, words))] for words in words_of_rows]
    return NestedSlots(torch.tensor(limits).view(-1, 3), torch.tensor(high))


@st.composite
def cases(draw, values=EIGHTHS, most=4, levels=False):
    """A scheme, its latent, the words of each row, and which columns have high tags in each row."""
    rows, columns = draw(st.integers(1, 3)), draw(st.integers(1, most))
    trailing = draw(st.sampled_from([(), (), (2,), (1, 2)])) if columns <= 2 else ()
    size = rows * columns * int(np.prod(trailing))
    latent = torch.tensor(draw(st.lists(values, min_size=size, max_size=size))).view(rows, columns, *trailing)
    words = [draw(WORDS) for _ in range(rows)]
    each = draw(st.sampled_from([1, rows]))
    half = st.lists(st.booleans(), min_size=columns, max_size=columns)
    high = draw(st.lists(half, min_size=each, max_size=each))
    slots = nested(words, high)
    kinds = {"free": LevelScheme([-1.5, -0.5, 0.75, 2.0], slots), "row": LevelScheme([0.5, 1.25], slots, sign="row")}
    scheme = kinds[draw(st.sampled_from(sorted(kinds)))] if levels else MaskScheme([0.5, 1.25], slots)
    return scheme, latent, words, np.broadcast_to(np.array(high), (rows, columns))


def demands(used, high, columns):
    """The tags' halves of the places in use; used [columns · each] of one row."""
    return list(np.repeat(high, len(used) // columns)[np.asarray(used).reshape(-1)])


@CHECKED
@given(cases())
def test_no_point_the_words_can_hold_is_nearer(case):
    scheme, latent, words, high = case
    code = scheme.project(latent)
    assert scheme.violations(code) == []
    have = oracle.squared_distance(scheme.decode(code), latent)
    flat = latent.double().flatten(1).numpy()
    for row, own in enumerate(words):
        assert can_hold(own, demands(code[row].flatten() != 0, high[row], latent.shape[1]))
        choices = itertools.product([0.0, 0.5, 1.25, 1.75, -0.5, -1.25, -1.75], repeat=flat.shape[1])
        used_of = {used: can_hold(own, demands(used, high[row], latent.shape[1])) for used in product_of(flat.shape[1])}
        points = np.array([p for p in choices if used_of[tuple(v != 0 for v in p)]])
        assert have[row] == ((points - flat[row]) ** 2).sum(1).min()


def product_of(width):
    return itertools.product([False, True], repeat=width)


@CHECKED
@given(cases(most=12))
def test_masks_take_the_best_words_in_order(case):
    scheme, latent, words, high = case
    every, code = scheme.project(latent).flatten(1), MaskScheme([0.5, 1.25], 99).project(latent).flatten(1)
    value = scheme.decode(code.view(latent.shape)).double().flatten(1).abs()
    size = latent.double().flatten(1).abs()
    gains = value * (2 * size - value)
    for row, own in enumerate(words):
        taken = []
        for place in sorted(range(code.shape[1]), key=lambda e: (-gains[row, e], e)):
            used = np.isin(np.arange(code.shape[1]), [*taken, place])
            if gains[row, place] > 0 and can_hold(own, demands(used, high[row], latent.shape[1])):
                taken.append(place)
        assert every[row].nonzero().flatten().tolist() == sorted(taken)
        assert (every[row, taken] == code[row, taken]).all()


@CHECKED
@given(cases(levels=True))
def test_levels_fit_and_take_no_less_than_any_other_choice(case):
    scheme, latent, words, high = case
    code = scheme.project(latent)
    assert scheme.violations(code) == []
    free = LevelScheme(scheme.levels, 99, sign=scheme.sign).project(latent)
    value = scheme.decode(free).double().flatten(1)
    gains = (value * (2 * latent.double().flatten(1) - value)).clamp(min=0).numpy()
    for row, own in enumerate(words):
        used = (code[row].flatten() >= 0).numpy()
        assert can_hold(own, demands(used, high[row], latent.shape[1]))
        best = max(
            (gains[row] * np.array(u)).sum()
            for u in product_of(gains.shape[1])
            if can_hold(own, demands(u, high[row], latent.shape[1]))
        )
        assert gains[row][used].sum() == best


@CHECKED
@given(cases(values=st.floats(-9, 9, width=32), most=4))
def test_the_hull_is_nearest_by_every_corner(case):
    scheme, latent, words, high = case
    pulled, flat = scheme.hull(latent).double().flatten(1).numpy(), latent.double().flatten(1).numpy()
    for row, own in enumerate(words):
        fits = [np.array(u) for u in product_of(flat.shape[1]) if can_hold(own, demands(u, high[row], latent.shape[1]))]
        signs = np.array(list(itertools.product([-1.75, 1.75], repeat=flat.shape[1])))
        corners = np.concatenate([u * signs for u in fits])
        assert ((corners - pulled[row]) @ (flat[row] - pulled[row])).max() <= 1e-4 * (1 + np.abs(flat[row]).max()) ** 2
        # inside: no direction in which it lies beyond all corners (a half-space each, by the sizes of either half)
        size, up = np.abs(pulled[row]) / 1.75, np.repeat(high[row], flat.shape[1] // latent.shape[1])
        limit = scheme.slots.limits[row].tolist()
        assert size[~up].sum() <= limit[0] + 1e-6 and size[up].sum() <= limit[1] + 1e-6
        assert size.sum() <= limit[2] + 1e-6 and size.max(initial=0) <= 1 + 1e-6


@CHECKED
@given(cases(values=st.floats(-9, 9, width=32), most=9), st.none() | st.integers(0, 2**31))
def test_draws_fit(case, seed):
    scheme, latent, words, high = case
    code, weight = scheme.draw(latent, None, None if seed is None else torch.Generator().manual_seed(seed))
    assert scheme.violations(code) == [] and torch.equal(scheme.decode(code), weight)
    for row, own in enumerate(words):
        assert can_hold(own, demands(code[row].flatten() != 0, high[row], latent.shape[1]))
    held = scheme.hold(latent)[1]
    assert torch.equal(scheme.draw(held, None, None)[1], held)


@pytest.mark.parametrize("limits", [(2, 5, 6), (0, 4, 4), (3, 3, 3)])
def test_draws_are_right_on_average(limits):
    generator = torch.Generator().manual_seed(5)
    latent = torch.randn(1, 12, generator=generator) * 0.6
    turns, high = 4096, torch.arange(12)[None] % 2 == 0
    scheme = MaskScheme([0.11, 0.2, 0.45, 1.0], NestedSlots(torch.tensor([limits]), high))
    copies = MaskScheme([0.11, 0.2, 0.45, 1.0], NestedSlots(torch.tensor([limits] * turns), high))
    weight = copies.draw(latent.repeat(turns, 1), None, generator)[1].double()
    off = (weight.mean(0) - scheme.hull(latent).double()[0]).abs()
    assert (off <= 5 * weight.std(0) / turns**0.5 + 1e-6).all()


def test_violations_count_each_half():
    slots = NestedSlots(torch.tensor([[1, 2, 2], [3, 3, 3]]), torch.tensor([[False, False, True, True, True]]))
    scheme = MaskScheme([1.0], slots)
    assert list(map(str, scheme.violations(torch.tensor([[1, 1, 0, 0, 0], [1, 1, 1, 0, 0]], dtype=torch.int8)))) == [
        "row 0: words with low tags: have 2, allowed 1 slots"
    ]
    found = scheme.violations(torch.tensor([[0, 0, 1, 1, 1], [1, 1, 1, 1, 0]], dtype=torch.int8))
    assert list(map(str, found)) == [
        "row 0: words with high tags: have 3, allowed 2 slots",
        "row 0: words in use: have 3, allowed 2 slots",
        "row 1: words in use: have 4, allowed 3 slots",
    ]


def test_entries_of_slot_storage_take_the_half_of_their_source():
    slots = NestedSlots(torch.tensor([[1, 1, 2], [0, 2, 2]]), torch.tensor([[False, True, False, True]]))
    assert slots.at(torch.tensor([[0, 3], [1, 2]])).high.tolist() == [[False, True], [True, False]]


def test_refusals():
    high = torch.zeros(1, 4, dtype=torch.bool)
    with pytest.raises(DescriptionError, match="row 1 has 2, 3, 1 words"):
        NestedSlots(torch.tensor([[1, 1, 2], [2, 3, 1]]), high)
    with pytest.raises(DescriptionError, match="row 0 has 1, 1, 3 words"):
        NestedSlots(torch.tensor([[1, 1, 3]]), high)
    with pytest.raises(DescriptionError, match="allowed: whole numbers"):
        NestedSlots(torch.ones(2, 3), high)
    with pytest.raises(FeasibilityError, match="2 rows and 4 columns, the latent or code has 2 and 5"):
        MaskScheme([1.0], NestedSlots(torch.ones(2, 3, dtype=torch.int64), high)).project(torch.zeros(2, 5))
