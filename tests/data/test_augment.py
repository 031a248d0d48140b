"""Altered training samples: against scipy and plain loops, and never where something is measured."""

import numpy as np
import pytest
import torch
from scipy.ndimage import affine_transform

from neuro.data import load_dataset, make_batch
from neuro.data.augment import altered_events, altered_values
from neuro.errors import NeuroError
from neuro.task import Augment, load_task

SIDE = 9


def task_with(**augment):
    return load_task("digits", [f"training.augment.{k}={str(v).lower()}" for k, v in augment.items()])


def pictures(count=6, seed=0):
    return np.random.default_rng(seed).random((count, SIDE * SIDE), np.float32)


def test_null_alters_nothing():
    assert load_task("mnist").training.augment.moves_pictures
    assert load_task("mnist", ["training.augment=null"]).training.augment == load_task("digits").training.augment


def altered(x, seed=3, ids=None, order=None, **augment):
    ids = np.arange(len(x)) + 10 if ids is None else ids
    return altered_values(task_with(**augment), x, ids, seed, order)


def test_shifts_are_whole_pixels_within_the_limit_and_all_occur():
    x = pictures(400)
    moved = altered(x, shift=2).reshape(-1, SIDE, SIDE)
    padded = np.pad(x.reshape(-1, SIDE, SIDE), ((0, 0), (2, 2), (2, 2)))
    found = set()
    for before, after in zip(padded, moved, strict=True):
        hits = [
            (2 - i, 2 - j)
            for i in range(5)
            for j in range(5)
            if np.array_equal(before[i : i + SIDE, j : j + SIDE], after)
        ]
        assert len(hits) == 1
        found.add(hits[0])
    assert len(found) == 25


@pytest.mark.parametrize("augment", [{"rotate_deg": 40}, {"zoom": 0.4}, {"rotate_deg": 20, "zoom": 0.2, "shift": 2}])
def test_turning_and_scaling_is_an_affine_map_as_scipy_draws_it(augment):
    """A blob's centre tells the map that was drawn; scipy's map with the same numbers gives the same picture."""
    points = [(2, 2), (2, 6), (6, 2)]
    x = np.zeros((3, SIDE * SIDE), np.float32)
    for k, (i, j) in enumerate(points):
        x[k, i * SIDE + j] = 1
    whole = pictures(1)
    same = np.full(1, 77)
    one = [altered(x[k : k + 1], ids=same, **augment).reshape(SIDE, SIDE) for k in range(3)]
    grid = np.mgrid[:SIDE, :SIDE]
    centres = np.array([[(g * p).sum() / p.sum() for g in grid] for p in one])
    inverse = solved(np.array(points, float), centres)
    wanted = affine_transform(
        whole.reshape(SIDE, SIDE), inverse[:, :2], inverse[:, 2], order=1, mode="grid-constant", cval=0
    )
    got = altered(whole, ids=same, **augment).reshape(SIDE, SIDE)
    np.testing.assert_allclose(got[2:-2, 2:-2], wanted[2:-2, 2:-2], atol=0.25)  # a blob's centre is known to a tenth
    assert np.abs(got - whole.reshape(SIDE, SIDE)).max() > 0.1


def solved(inputs, outputs):
    """The affine map that takes three points of the new picture to three of the old one."""
    return np.linalg.solve(np.c_[outputs, np.ones(3)], inputs).T


def test_half_of_the_pictures_are_mirrored():
    x = pictures(400)
    moved = altered(x, mirror=True).reshape(-1, SIDE, SIDE)
    mirrored = [np.array_equal(m, p[:, ::-1]) for m, p in zip(moved, x.reshape(-1, SIDE, SIDE), strict=True)]
    same = [np.array_equal(m, p) for m, p in zip(moved, x.reshape(-1, SIDE, SIDE), strict=True)]
    assert 150 < sum(mirrored) < 250 and sum(mirrored) + sum(same) == 400


def test_reordered_values_are_moved_as_the_picture_they_were():
    x, order = pictures(), np.random.default_rng(1).permutation(SIDE * SIDE)
    how = {"shift": 2, "rotate_deg": 10}
    np.testing.assert_array_equal(altered(x[:, order], order=order, **how), altered(x, **how)[:, order])


def test_a_sample_is_altered_alike_in_any_batch_and_anew_with_another_seed():
    x, ids = pictures(), np.arange(6)
    how = {"shift": 3, "zoom": 0.1, "noise": 0.1}
    whole = altered(x, ids=ids, **how)
    np.testing.assert_array_equal(altered(x[4:], ids=ids[4:], **how), whole[4:])
    assert not np.array_equal(altered(x, ids=ids, seed=4, **how), whole)


def test_noise_has_its_spread_and_ends_at_the_encoders_range():
    x = np.full((50, 100), 0.5, np.float32)
    noisy = altered(x, noise=0.05)
    assert abs(noisy.std() - 0.05) < 0.003
    assert altered(x, noise=2.0).min() == 0 and altered(x, noise=2.0).max() == 1


def test_events_are_dropped_by_chance_and_moved_as_a_whole():
    events = torch.ones(40, 30, 20)
    altered_events(Augment(drop=0.25), events, np.arange(30), 0)
    assert abs(events.mean() - 0.75) < 0.01

    events = torch.zeros(20, 200, 5)
    rng = np.random.default_rng(0)
    events[6:14] = torch.from_numpy(rng.integers(0, 2, (8, 200, 5)).astype(np.float32))
    before = events.clone()
    altered_events(Augment(move_steps=4), events, np.arange(200), 0)
    shifts = []
    for b in range(200):
        shifts.append([s for s in range(-4, 5) if torch.equal(events[:, b], before[:, b].roll(s, 0))])
    assert all(len(s) >= 1 for s in shifts) and {s[0] for s in shifts} == set(range(-4, 5))


def test_only_training_batches_are_altered():
    task = task_with(shift=2, drop=0.2)
    plain, part = load_task("digits"), load_dataset(task.data).train
    rows = np.arange(8)
    x, _ = make_batch(task, part, rows, 1)
    assert torch.equal(x, make_batch(plain, part, rows, 1)[0])
    y, _ = make_batch(task, part, rows, 1, augment=True)
    assert not torch.equal(x, y) and torch.equal(y, make_batch(task, part, rows, 1, augment=True)[0])


@pytest.mark.parametrize(
    ("task", "sets", "message"),
    [
        ("ecg", ["move_steps=2"], "moves events away from the labels"),
        ("braille", ["noise=0.1"], "no whole numbers"),
        ("digits", ["drop=1.0"], ">= 0 and < 1"),
        ("digits", ["shfit=1"], "shift"),
    ],
)
def test_what_cannot_be_is_refused(task, sets, message):
    with pytest.raises(NeuroError, match=message):
        load_task(task, [f"training.augment.{s}" for s in sets])


def test_signals_are_no_pictures():
    with pytest.raises(NeuroError, match="square pictures"):
        altered(np.zeros((2, 12), np.float32), shift=1)
