"""The hull: inside, and proved nearest by every corner of the region (w − p)·(corner − p) <= 0."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from neuro.weights import CountScheme, LevelScheme, MaskScheme

CHECKED = settings(deadline=None, max_examples=60)
VALUES = st.one_of(st.floats(-9, 9, width=32), st.integers(-8, 8).map(lambda n: n / 4))


def corners(largest, smallest, slots):
    """List the corners of {at most `slots` entries (counts: `slots` words) at their outermost values}."""
    choices = [sorted({0.0, high, low}) for high, low in zip(largest, smallest, strict=True)]
    return np.array([p for p in itertools.product(*choices) if sum(v != 0 for v in p) <= slots])


def assert_nearest(latent, point, corner, tolerance=1e-4):
    steps = (corner - point) @ (latent - point)
    assert steps.max() <= tolerance * (1 + np.abs(latent).max()) ** 2


def latents(draw, rows, columns):
    values = draw(st.lists(VALUES, min_size=rows * columns, max_size=rows * columns))
    return torch.tensor(values, dtype=torch.float64).view(rows, columns)


@CHECKED
@given(st.data())
def test_counts(data):
    columns, slots = data.draw(st.integers(1, 5)), data.draw(st.integers(0, 6))
    up, down = data.draw(st.tuples(st.sampled_from([0.25, 1.0, 1.5]), st.sampled_from([0.5, 1.0, 3.0])))
    latent, scheme = latents(data.draw, 3, columns), CountScheme([up, down], [1, -1], slots)
    pulled = scheme.hull(latent).numpy()
    words = np.where(pulled > 0, pulled / up, -pulled / down).sum(1)
    assert (words <= slots * (1 + 1e-9)).all()
    corner = np.concatenate([np.zeros((1, columns)), slots * up * np.eye(columns), -slots * down * np.eye(columns)])
    for w, p in zip(latent.numpy(), pulled, strict=True):
        assert_nearest(w, p, corner, 1e-9)
        inside = np.where(w > 0, w / up, -w / down).sum() <= slots
        assert not inside or np.array_equal(w, p)


@CHECKED
@given(st.data())
def test_masks(data):
    columns, slots = data.draw(st.integers(1, 5)), data.draw(st.integers(0, 6))
    latent, scheme = latents(data.draw, 3, columns), MaskScheme([0.5, 1.0], slots)
    pulled = scheme.hull(latent).numpy()
    assert (np.abs(pulled) <= 1.5).all() and (np.abs(pulled).sum(1) <= 1.5 * slots * (1 + 1e-9)).all()
    for w, p in zip(latent.numpy(), pulled, strict=True):
        assert_nearest(w, p, corners([1.5] * columns, [-1.5] * columns, slots), 1e-9)


@CHECKED
@given(st.data())
def test_levels(data):
    columns, slots = data.draw(st.integers(1, 5)), data.draw(st.one_of(st.none(), st.integers(0, 6)))
    levels = data.draw(st.sampled_from([(-1.0, 1.0), (-0.5, 1.0, 3.0), (1.0, 2.0)]))
    latent, scheme = latents(data.draw, 3, columns), LevelScheme(levels, slots, scale=0.5)
    pulled = scheme.hull(latent).numpy()
    high, low = max(0.0, *levels) / 2, min(0.0, *levels) / 2
    for w, p in zip(latent.numpy(), pulled, strict=True):
        assert_nearest(w, p, corners([high] * columns, [low] * columns, columns if slots is None else slots), 1e-9)
        assert (p <= high).all() and (p >= low).all()


@pytest.mark.parametrize("sign", ["row", "source"])
def test_levels_with_signs_reach_both_ways(sign):
    scheme = LevelScheme([1.0, 2.0], 1, sign)
    assert scheme.hull(torch.tensor([[-5.0, 0.5], [1.0, 0.25]])).tolist() == [[-2.0, 0.0], [1.0, 0.25]]


def test_places_without_permission_or_type_are_pulled_to_zero():
    latent, allowed = torch.tensor([[3.0, -2.0, 1.0]]), torch.tensor([[True, True, False]])
    assert CountScheme([1.0], [1], 9).hull(latent, allowed).tolist() == [[3.0, 0.0, 0.0]]
    assert MaskScheme([4.0], 9).hull(latent, allowed).tolist() == [[3.0, -2.0, 0.0]]
    assert LevelScheme([4.0], 9).hull(latent, allowed).tolist() == [[3.0, 0.0, 0.0]]


def test_currents_and_lines_share_one_ball():
    latent = torch.ones(1, 2, 2, 2)
    pulled = CountScheme([1.0, 1.0], [1, 1], 4, [0, 1]).hull(latent)
    assert torch.equal(pulled, latent / 2)


@pytest.mark.parametrize("size", [1e-30, 1e3, 1e20, 3e38])
def test_wide_rows_of_any_size_end_on_the_face(size):
    latent = size * torch.rand(4, 500, generator=torch.Generator().manual_seed(7))
    for scheme, unit in ((CountScheme([0.5], [1], 64), 0.5), (MaskScheme([0.5], 64), 0.5)):
        words = scheme.hull(latent).double().sum(1) / unit
        assert (words <= 64 * (1 + 1e-6)).all() and (size < 1 or (words >= 63.99).all())
    assert (CountScheme([0.5], [1], torch.tensor([0, 1, 2, 0])).hull(latent)[[0, 3]] == 0).all()


def test_sizes_whose_digits_are_lost_stay_inside():
    latent = torch.tensor([[3.4e38] * 5 + [3e38] * 20 + [1.0] * 5])
    pulled = MaskScheme([0.5], 15).hull(latent)
    assert 0.5 * 5 <= pulled.sum() <= 0.5 * 15 * (1 + 1e-6)
