"""Encoders of signals, sound and event lists against plain loops written from their definitions."""

import math

import numpy as np
import pytest
import torch
from test_encoders_by_hand import uniform

from neuro.data import encode
from neuro.data.cochlea import mel_filters
from neuro.data.parts import Ragged
from neuro.errors import DataError
from neuro.task import Encoder

RNG = np.random.default_rng(5)
IDS = np.array([3, 0, 99])


def crossing_by_loops(x, count, low, high, hold):
    points, signals = x.shape
    out = np.zeros((points * hold, 2 * count * signals))
    for s in range(signals):
        for k in range(count):
            threshold = low + (high - low) * (k + 1) / (count + 1)
            for p in range(1, points):
                before, after = x[p - 1, s] > threshold, x[p, s] > threshold
                if after != before:
                    out[p * hold, 2 * (s * count + k) + int(before)] = 1
    return out


@pytest.mark.parametrize("hold", [1, 3])
def test_crossing_is_its_definition(hold):
    x = RNG.normal(size=(3, 11, 2)).astype(np.float32)
    encoder = Encoder(kind="crossing", steps=11 * hold, thresholds=5, low=-2.0, high=1.5, hold=hold)
    events = encode(encoder, x, IDS, 0)
    for b in range(3):
        assert np.array_equal(events[:, b].numpy(), crossing_by_loops(x[b].astype(float), 5, -2.0, 1.5, hold))


def test_sequential_mnist_as_published():
    """40 thresholds give 80 channels; the prompt is on during the last 56 of 784 steps; bytes are 255ths."""
    x = RNG.integers(0, 256, (2, 784)).astype(np.uint8)
    x[1, :700] = 0
    encoder = Encoder(kind="crossing", steps=784, thresholds=40, prompt=56)
    events = encode(encoder, x, IDS[:2], 0, tail_steps=2)
    assert events.shape == (786, 2, 81)
    for b in range(2):
        by_hand = crossing_by_loops((x[b].astype(np.float32) / np.float32(255))[:, None], 40, 0, 1, 1)
        assert np.array_equal(events[:784, b, :80].numpy(), by_hand)
    prompt = events[:, :, 80]
    assert prompt[:728].sum() == 0 and bool((prompt[728:784] == 1).all()) and not events[784:].any()
    assert torch.equal(events, encode(encoder, (x / np.float32(255)).astype(np.float32), IDS[:2], 0, tail_steps=2))


def test_delta_is_its_definition():
    x = np.cumsum(RNG.normal(size=(3, 40, 2)), 1).astype(np.float32)
    for hold in (1, 2):
        events = encode(Encoder(kind="delta", steps=40 * hold, delta=0.5, hold=hold), x, IDS, 0)
        for b in range(3):
            for s in range(2):
                told = float(x[b, 0, s])
                for t in range(40 * hold):
                    value = float(x[b, t // hold, s])
                    up, down = value - told >= 0.5, value - told <= -0.5
                    told += 0.5 * (up - down)
                    assert events[t, b, 2 * s : 2 * s + 2].tolist() == [up, down]


def test_delta_follows_a_slow_signal_to_within_one_step():
    t = np.linspace(0, 6, 2000)
    x = np.stack([np.sin(t), np.cos(1.3 * t)], -1)[None].astype(np.float32)
    events = encode(Encoder(kind="delta", steps=2000, delta=0.05), x, IDS[:1], 0)[:, 0].numpy()
    followed = x[0, 0] + 0.05 * np.cumsum(events[:, 0::2] - events[:, 1::2], 0)
    assert np.abs(followed - x[0]).max() < 0.05 + 1e-6


def test_sigma_delta_is_its_definition():
    x = RNG.uniform(-1, 1, (3, 30, 2)).astype(np.float32)
    events = encode(Encoder(kind="sigma_delta", steps=60, hold=2, max_rate=0.7), x, IDS, 11)
    for b in range(3):
        for s in range(2):
            for sign in (0, 1):
                total, spikes = uniform(11, int(IDS[b]), 2 * s + sign), []
                for t in range(60):
                    value = float(x[b, t // 2, s])
                    total += 0.7 * max(-value if sign else value, 0)
                    spikes.append(math.floor(total) > 0)
                    total -= spikes[-1]
                assert events[:, b, 2 * s + sign].tolist() == spikes
    with pytest.raises(DataError, match="-1 to 1"):
        encode(Encoder(kind="sigma_delta", steps=30), 2 * x, IDS, 0)


def tone(hertz, seconds=0.5, rate=8000):
    return (8000 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)).astype(np.int16)


def test_cochlea_hears_pitch():
    """A tone's spikes come from the band around it, higher tones from higher bands; after a short sound is silence."""
    hertz = [200, 500, 1200, 2600, 3600]
    sound = Ragged.of([tone(h) for h in hertz], rate_hz=8000.0)
    encoder = Encoder(kind="cochlea", steps=80, bin_s=0.01, bands=24)
    events = encode(encoder, sound, np.arange(5), 0).numpy()
    assert events.shape == (80, 5, 24) and not events[51:].any()
    loudest = events[:50].sum(0).argmax(-1)
    assert (np.diff(loudest) > 0).all()
    top = 2595 * np.log10(1 + 4000 / 700)
    low = 2595 * np.log10(1 + 60 / 700)
    for h, band in zip(hertz, loudest, strict=True):
        middle = low + (top - low) * (band + 1) / 25
        assert abs(2595 * np.log10(1 + h / 700) - middle) < (top - low) / 25
    quiet = Ragged.of([tone(500) // 100], rate_hz=8000.0)
    assert abs(encode(encoder, quiet, np.array([1]), 0).sum().item() - events[:, 1].sum()) < 0.1 * events[:, 1].sum()
    silent = Ragged.of([np.zeros(4000, np.int16)], rate_hz=8000.0)
    assert not encode(encoder, silent, np.array([0]), 0).any()


def test_mel_filters_cover_every_band():
    for bands, length in ((8, 160), (32, 160), (64, 128)):
        filters = mel_filters(bands, length, 8000.0)
        assert filters.shape == (bands, length // 2 + 1)
        assert (filters.sum(1) > 0).all() and filters.min() >= 0 and filters.max() <= 1
        assert (np.diff(filters.argmax(1)) >= 0).all()


def test_event_lists_are_binned_pooled_and_at_most_one():
    first = np.array([[0, 0], [999, 0], [1000, 3], [2500, 4], [9000, 1]])
    lists = Ragged.of([first, np.zeros((0, 2), np.int64)], channels=5)
    encoder = Encoder(kind="events", steps=4, bin_s=0.001, pool=2)
    events = encode(encoder, lists, IDS[:2], 0, tail_steps=1)
    assert events.shape == (5, 2, 3)
    assert events[:, 0].nonzero().tolist() == [[0, 0], [1, 1], [2, 2]]
    assert not events[:, 1].any()
    with pytest.raises(DataError, match="bin_s"):
        encode(Encoder(kind="events", steps=4), lists, IDS[:2], 0)


SIGNALS = [
    Encoder(kind="crossing", steps=20, thresholds=3, low=-1.0),
    Encoder(kind="delta", steps=20, delta=0.2),
    Encoder(kind="sigma_delta", steps=20, max_rate=0.5),
]


@pytest.mark.parametrize("encoder", SIGNALS, ids=lambda e: e.kind)
def test_a_sample_is_the_same_in_every_batch(encoder):
    x, ids = RNG.uniform(-1, 1, (6, 20, 2)).astype(np.float32), np.arange(50, 56)
    whole = encode(encoder, x, ids, 5)
    assert torch.equal(whole, encode(encoder, x, ids, 5))
    for b in range(6):
        assert torch.equal(whole[:, b : b + 1], encode(encoder, x[b : b + 1], ids[b : b + 1], 5))
    assert (encoder.kind == "sigma_delta") != torch.equal(whole, encode(encoder, x, ids, 6))


def test_sound_is_the_same_in_every_batch():
    sound = Ragged.of([tone(300, 0.2), tone(900, 0.4), tone(2000, 0.1)], rate_hz=8000.0)
    encoder, ids = Encoder(kind="cochlea", steps=40, bin_s=0.01, hold=2), np.array([7, 8, 9])
    whole = encode(encoder, sound, ids, 3)
    for b in range(3):
        assert torch.equal(whole[:, b : b + 1], encode(encoder, sound[np.array([b])], ids[b : b + 1], 3))


def test_a_batch_of_another_kind_is_refused():
    values, sound = np.zeros((2, 4), np.float32), Ragged.of([tone(300, 0.1)], rate_hz=8000.0)
    for encoder, batch, words in (
        (Encoder(kind="rate", steps=4), np.zeros((2, 3, 4), np.float32), "values"),
        (Encoder(kind="cochlea", steps=4, bin_s=0.01), values, "sound"),
        (Encoder(kind="crossing", steps=4), sound, "signals"),
        (Encoder(kind="events", steps=4, bin_s=0.1), sound, "event lists"),
        (Encoder(kind="crossing", steps=9), values, "steps"),
    ):
        with pytest.raises(DataError, match=words):
            encode(encoder, batch, np.arange(len(batch)), 0)
    with pytest.raises(DataError, match="NaN"):
        encode(Encoder(kind="crossing", steps=4), np.full((1, 4), np.nan, np.float32), IDS[:1], 0)
