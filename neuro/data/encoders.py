"""Samples to events, on the fly; what a sample becomes depends on the seed and its number, never on its batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch

from neuro.data.cochlea import band_levels
from neuro.data.parts import Ragged
from neuro.errors import DataError
from neuro.task import Encoder

VALUES, SIGNALS = ("rate", "regular", "latency", "rows"), ("crossing", "delta", "sigma_delta")


class Drawing(NamedTuple):
    """What an encoder is about to write: how many steps and channels, and what writes them into zeros."""

    steps: int
    channels: int
    write: Callable[[np.ndarray], object]


def encode(encoder: Encoder, x, ids: np.ndarray, seed: int, tail_steps: int = 0) -> torch.Tensor:
    """Encode a batch as float32 events [T, B, channels], then empty steps.

    x: values [B, n], signals [B, T, n], events [B, T, n], or `Ragged` sound or event lists, as the encoder's kind
    takes; bytes stand for 0..1 in 255ths. Raises DataError on a batch of another kind, NaN, or values out of range.
    """
    batch = _checked(encoder, x)
    steps, channels, write = ENCODERS[encoder.kind](encoder, batch, ids.astype(np.uint64), np.uint64(seed))
    if steps != encoder.steps:
        raise DataError(f"the encoder made {steps} steps, allowed: encoder.steps = {encoder.steps}")
    events = np.zeros((steps + tail_steps, len(ids), channels + bool(encoder.prompt)), np.float32)
    write(events)
    if encoder.prompt:
        events[steps - encoder.prompt : steps, :, channels] = 1
    return torch.from_numpy(events)


def _checked(encoder: Encoder, x):
    """Hold a batch against what the kind of encoder takes."""
    kind, ragged = encoder.kind, isinstance(x, Ragged)
    if ragged and len(x) and ((kind == "cochlea" and x.rate_hz) or (kind == "events" and x.channels)):
        if kind == "events" and encoder.bin_s is None:
            raise DataError("the data are lists of event times: give encoder.bin_s, the seconds of recording a step")
        return x
    allowed = {"cochlea": (), "events": (3,)}.get(kind, (2,) if kind in VALUES else (2, 3))
    if ragged or x.ndim not in allowed or 0 in x.shape:
        takes = {"cochlea": "sound", "events": "events [B, T, n] or event lists"}
        shape = takes.get(kind, "values [B, n]" if kind in VALUES else "signals [B, T, n] or values [B, n]")
        have = "samples of different lengths" if ragged else f"shape {list(x.shape)}"
        raise DataError(f"encoder.kind is {kind} and the batch has {have}, allowed: {shape}")
    if kind in SIGNALS and x.ndim == 2:
        x = x[:, :, None]
    return x if kind == "events" else _in_range(kind, x)


def value_range(kind: str) -> tuple[float, float]:
    """Give the least and the largest value that a kind of encoder takes."""
    if kind in ("crossing", "delta"):
        return -np.inf, np.inf
    return -1.0 if kind == "sigma_delta" else 0.0, 1.0


def _in_range(kind: str, x: np.ndarray) -> np.ndarray:
    """Give values as float32, bytes in 255ths; crossing takes bytes as they are, since it only looks up levels."""
    if x.dtype == np.uint8:
        return x if kind == "crossing" else x.astype(np.float32) / np.float32(255)
    low, high = float(x.min()), float(x.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise DataError("the batch holds NaN or infinity; clean the data before encoding")
    least, most = value_range(kind)
    if low < least or high > most:
        raise DataError(
            f"values run from {low:g} to {high:g}, allowed: {least:g} to {most:g}; scale them before encoding"
        )
    return x


def _rate(encoder: Encoder, x, ids, seed) -> Drawing:
    """Poisson-like: each step spikes with probability value · max_rate."""
    from neuro.data import loops

    chance = x * np.float32(encoder.max_rate)
    return Drawing(encoder.steps, x.shape[1], lambda out: loops.rate(out, chance, ids, seed, encoder.steps))


def _regular(encoder: Encoder, x, ids, seed) -> Drawing:
    """Evenly spaced spikes, value · max_rate of the steps, each sample's channels with random phases."""
    from neuro.data import loops

    density = x * np.float32(encoder.max_rate)
    return Drawing(encoder.steps, x.shape[1], lambda out: loops.evenly(out, density, ids, seed, 1, encoder.steps))


def _latency(encoder: Encoder, x, ids, seed) -> Drawing:
    """One spike a channel at step (1 − value) · (steps − 1); values up to the threshold stay silent."""
    b, c = np.nonzero(x > encoder.threshold)
    when = np.rint((1 - x[b, c]) * (encoder.steps - 1)).astype(np.int64)
    return Drawing(encoder.steps, x.shape[1], lambda out: out.__setitem__((when, b, c), 1))


def _rows(encoder: Encoder, x, ids, seed) -> Drawing:
    """Rows of an image one after the other, each shown for steps / rows steps as evenly spaced spikes."""
    from neuro.data import loops

    rows = encoder.rows
    if not rows or encoder.steps % rows or x.shape[1] % rows:
        raise DataError(
            f"encoder.rows is {rows}, allowed: a number that divides steps {encoder.steps} and "
            f"the {x.shape[1]} values of a sample"
        )
    density, hold = x * np.float32(encoder.max_rate), encoder.steps // rows
    return Drawing(encoder.steps, x.shape[1] // rows, lambda out: loops.evenly(out, density, ids, seed, rows, hold))


def _crossing(encoder: Encoder, x, ids, seed) -> Drawing:
    """Events where a signal passes one of K thresholds; channel 2k + (0 up, 1 down), 2K channels a signal.

    Threshold k lies at low + (high − low) · (k + 1) / (K + 1). A point is compared with the one before it, so the first
    step is empty. As in the code published with Petschenig & Legenstein 2023 (doi 10.1088/2634-4386/accd8f) for
    sequential MNIST, K = 40, where an event stands one step earlier.
    """
    from neuro.data import loops

    count = encoder.thresholds
    above = np.linspace(encoder.low, encoder.high, count + 2)[1:-1]
    if x.dtype == np.uint8:
        level = np.searchsorted(above, np.arange(256) / 255).astype(np.int16)[x]
    else:
        level = np.searchsorted(above, x).astype(np.int16)
    points, signals = x.shape[1:]
    return Drawing(
        points * encoder.hold, 2 * count * signals, lambda out: loops.crossing(out, level, encoder.hold, count)
    )


def _delta(encoder: Encoder, x, ids, seed) -> Drawing:
    """Send-on-delta: an event up or down each time a signal moved by `delta` from what the events told so far."""
    from neuro.data import loops

    x = np.ascontiguousarray(x, np.float32)
    return Drawing(
        x.shape[1] * encoder.hold, 2 * x.shape[2], lambda out: loops.delta(out, x, encoder.hold, encoder.delta)
    )


def _sigma_delta(encoder: Encoder, x, ids, seed) -> Drawing:
    """Integrate and fire: spikes of channel 2s tell the positive part of signal s, those of 2s + 1 the negative."""
    return _integrated(encoder, x, ids, seed, 2)


def _integrated(encoder: Encoder, x, ids, seed, signs: int) -> Drawing:
    from neuro.data import loops

    x, hold, most = np.ascontiguousarray(x, np.float32), encoder.hold, encoder.max_rate
    return Drawing(
        x.shape[1] * hold,
        signs * x.shape[2],
        lambda out: loops.sigma_delta(out, x, ids, seed, hold, most, signs),
    )


def _cochlea(encoder: Encoder, x: Ragged, ids, seed) -> Drawing:
    """Levels of a mel filter bank as rates of spikes, a channel a band."""
    return _integrated(
        encoder, band_levels(x, encoder.steps // encoder.hold, encoder.bin_s, encoder.bands), ids, seed, 1
    )


def _events(encoder: Encoder, x, ids, seed) -> Drawing:
    """Events as they are; lists of times are binned, neighbouring channels pooled, at most one event a step."""
    from neuro.data import loops

    if not isinstance(x, Ragged):
        return Drawing(x.shape[1], x.shape[2], lambda out: np.copyto(out[: x.shape[1], :, : x.shape[2]], _in_time(x)))
    channels, bin_us = -(-x.channels // encoder.pool), encoder.bin_s * 1e6
    return Drawing(
        encoder.steps,
        channels,
        lambda out: loops.binned(out, x.flat, x.start, bin_us, encoder.pool, encoder.steps),
    )


def _in_time(x: np.ndarray) -> np.ndarray:
    return x.transpose(1, 0, 2)


ENCODERS = {
    "rate": _rate,
    "regular": _regular,
    "latency": _latency,
    "rows": _rows,
    "crossing": _crossing,
    "delta": _delta,
    "sigma_delta": _sigma_delta,
    "cochlea": _cochlea,
    "events": _events,
}
