"""Encoders against plain loops written from their definitions; splits against what a split must be."""

import math

import numpy as np
import pytest
import torch

from neuro.data import encode, load_dataset
from neuro.errors import DataError
from neuro.task import Data, Encoder

MASK = 2**64 - 1


def uniform(seed, sample, counter):
    """SplitMix64 (Steele et al. 2014) as a plain function of seed, sample and counter, as 24 bits in 0..1."""

    def mix(z):
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return z ^ (z >> 31)

    start = mix((seed * 0x9E3779B97F4A7C15 + sample) & MASK)
    return (mix((start + (counter + 1) * 0x9E3779B97F4A7C15) & MASK) >> 40) / 2**24


def evenly(rate, phase, steps):
    passed = [math.floor(k * rate + phase) for k in range(steps + 1)]
    return [int(b > a) for a, b in zip(passed, passed[1:], strict=False)]


def by_loops(encoder, x, ids, seed):
    steps, n = encoder.steps, x.shape[1]
    out = np.zeros((steps, len(x), n), np.float32)
    for b, sample in enumerate(ids.tolist()):
        for c in range(n):
            value = float(np.float32(x[b, c]))
            rate = float(np.float32(x[b, c]) * np.float32(encoder.max_rate))
            match encoder.kind:
                case "rate":
                    for t in range(steps):
                        out[t, b, c] = uniform(seed, sample, t * n + c) < rate
                case "regular":
                    out[:, b, c] = evenly(rate, uniform(seed, sample, c), steps)
                case "latency":
                    if value > encoder.threshold:
                        out[round(float((1 - np.float32(value)) * np.float32(steps - 1))), b, c] = 1
        if encoder.kind == "rows":
            hold, width = steps // encoder.rows, n // encoder.rows
            out_rows = np.zeros((steps, width), np.float32)
            for row in range(encoder.rows):
                for k in range(width):
                    rate = float(np.float32(x[b, row * width + k]) * np.float32(encoder.max_rate))
                    phase = uniform(seed, sample, row * width + k)
                    out_rows[row * hold : (row + 1) * hold, k] = evenly(rate, phase, hold)
            out[:, b, :width] = out_rows
    return out[:, :, : x.shape[1] // encoder.rows] if encoder.kind == "rows" else out


ENCODERS = [
    Encoder(kind="rate", steps=13, max_rate=0.7),
    Encoder(kind="rate", steps=5, max_rate=1.0),
    Encoder(kind="regular", steps=17, max_rate=0.5),
    Encoder(kind="regular", steps=9, max_rate=1.0),
    Encoder(kind="latency", steps=11, threshold=0.25),
    Encoder(kind="rows", rows=3, steps=12, max_rate=0.9),
]


@pytest.mark.parametrize("encoder", ENCODERS, ids=lambda e: f"{e.kind}-{e.steps}")
@pytest.mark.parametrize("seed", [0, 7, 2_147_483_647 * 1_000_003])
def test_every_encoder_is_its_definition(encoder, seed):
    rng = np.random.default_rng(3)
    x = rng.random((5, 12)).astype(np.float32)
    x[0, :4], x[1, :4] = 0, 1
    ids = np.array([0, 1, 17, 1796, 10**6])
    events = encode(encoder, x, ids, seed)
    assert events.dtype == torch.float32 and events.is_contiguous()
    assert np.array_equal(events.numpy(), by_loops(encoder, x, ids, seed))


@pytest.mark.parametrize("encoder", ENCODERS, ids=lambda e: f"{e.kind}-{e.steps}")
def test_a_sample_is_the_same_in_every_batch_and_again(encoder):
    rng = np.random.default_rng(0)
    x, ids = rng.random((7, 12)).astype(np.float32), np.arange(100, 107)
    whole = encode(encoder, x, ids, 5)
    assert torch.equal(whole, encode(encoder, x, ids, 5))
    order = rng.permutation(7)
    assert torch.equal(whole[:, order], encode(encoder, x[order], ids[order], 5))
    for b in range(7):
        assert torch.equal(whole[:, b : b + 1], encode(encoder, x[b : b + 1], ids[b : b + 1], 5))
    random = encoder.kind != "latency"
    assert random != torch.equal(whole, encode(encoder, x, ids, 6))
    assert random != torch.equal(whole, encode(encoder, x, ids + 1, 5))


def test_rates_are_what_they_say():
    x = np.full((400, 8), 0.3, np.float32)
    ids = np.arange(400)
    rate = encode(Encoder(kind="rate", steps=50, max_rate=0.5), x, ids, 1)
    assert abs(float(rate.mean()) - 0.15) < 0.005
    assert abs(float(rate.sum(0).var()) - 50 * 0.15 * 0.85) < 0.6  # binomial: independent steps
    regular = encode(Encoder(kind="regular", steps=50, max_rate=0.5), x, ids, 1)
    assert abs(float(regular.mean()) - 0.15) < 0.005
    assert set(regular.sum(0).flatten().tolist()) <= {7.0, 8.0}  # never more than one away
    certain = encode(Encoder(kind="rate", steps=20), np.ones((3, 2), np.float32), np.arange(3), 0)
    assert bool((certain == 1).all())
    silent = encode(Encoder(kind="rate", steps=20), np.zeros((3, 2), np.float32), np.arange(3), 0)
    assert not silent.any()


def test_latency_by_hand():
    encoder = Encoder(kind="latency", steps=5, threshold=0.1)
    x = np.array([[1.0, 0.5, 0.11, 0.1, 0.0]], np.float32)
    events = encode(encoder, x, np.array([0]), 0)[:, 0].numpy()
    assert events.argmax(0)[:3].tolist() == [0, 2, 4]
    assert events.sum(0).tolist() == [1, 1, 1, 0, 0]


def test_events_pass_through_and_the_tail_is_empty():
    encoder = Encoder(kind="events", steps=3)
    x = np.arange(12, dtype=np.float32).reshape(2, 3, 2)
    events = encode(encoder, x, np.array([0, 1]), 0, tail_steps=2)
    assert events.shape == (5, 2, 2)
    assert np.array_equal(events[:3].numpy(), x.transpose(1, 0, 2))
    assert not events[3:].any()


@pytest.mark.parametrize(
    ("value", "word"), [(np.nan, "NaN"), (np.inf, "infinity"), (-0.1, "-0.1"), (1.1, "1.1"), (255.0, "255")]
)
@pytest.mark.parametrize("encoder", ENCODERS[::2], ids=lambda e: e.kind)
def test_values_that_are_none_are_refused(encoder, value, word):
    x = np.full((2, 12), 0.5, np.float32)
    x[1, 3] = value
    with pytest.raises(DataError, match=word):
        encode(encoder, x, np.array([0, 1]), 0)


def test_shapes_that_do_not_suit_an_encoder_are_refused():
    flat, ids = np.full((2, 12), 0.5, np.float32), np.array([0, 1])
    with pytest.raises(DataError, match="rows"):
        encode(Encoder(kind="rows", rows=5, steps=10), flat, ids, 0)
    with pytest.raises(DataError, match="rows"):
        encode(Encoder(kind="rows", rows=3, steps=10), flat, ids, 0)
    with pytest.raises(DataError, match="steps"):
        encode(Encoder(kind="events", steps=4), np.zeros((2, 3, 5), np.float32), ids, 0)
    with pytest.raises(DataError):
        encode(Encoder(kind="events", steps=4), flat, ids, 0)
    with pytest.raises(DataError):
        encode(Encoder(kind="rate", steps=4), flat[:0], ids[:0], 0)


DATA = {"dataset": "sklearn_digits", "test": 0.2, "validation": 0.15}


def ids_of(data):
    return [part.ids.tolist() for part in (data.train, data.validation, data.test)]


def test_a_split_is_disjoint_complete_and_stratified():
    from sklearn.datasets import load_digits

    digits = load_digits()
    data = load_dataset(Data(**DATA))
    train, validation, test = ids_of(data)
    assert sorted(train + validation + test) == list(range(1797))
    for part in (data.train, data.validation, data.test):
        assert np.array_equal(part.y, digits.target[part.ids])
        assert np.array_equal(part.x, (digits.data / 16).astype(np.float32)[part.ids])
        assert len(part) == len(part.x) == len(part.ids)
    for label in range(10):
        total = int((digits.target == label).sum())
        tested = int((data.test.y == label).sum())
        assert tested == round(0.2 * total)
        assert int((data.validation.y == label).sum()) == round(0.15 * (total - tested))
    assert data.classes == 10


def test_a_split_depends_on_its_own_seed_alone():
    np.random.seed(0)  # noqa: NPY002
    first = ids_of(load_dataset(Data(**DATA)))
    np.random.seed(1)  # noqa: NPY002
    assert ids_of(load_dataset(Data(**DATA))) == first
    other = ids_of(load_dataset(Data(**DATA, split_seed=1)))
    assert other[2] != first[2] and len(other[2]) == len(first[2])
    less = ids_of(load_dataset(Data(**DATA | {"validation": 0.3})))
    assert less[2] == first[2]


def test_no_share_may_leave_a_part_empty():
    for test, validation in ((0.999, 0.15), (0.2, 0.9999), (0.0001, 0.0001)):
        try:
            data = load_dataset(Data(**DATA | {"test": test, "validation": validation}))
        except DataError as error:
            assert "data." in str(error)
        else:
            assert all(len(part) for part in (data.train, data.validation, data.test))
    with pytest.raises(DataError, match="sklearn_digits"):
        load_dataset(Data(dataset="poems"))
    with pytest.raises(DataError, match="data.test"):
        load_dataset(Data(dataset="sklearn_digits"))
