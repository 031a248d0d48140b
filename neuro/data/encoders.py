"""Values to events, on the fly; what a sample becomes depends on the seed and its number, never on its batch."""

from __future__ import annotations

import numpy as np
import torch

from neuro.errors import DataError
from neuro.task import Encoder


def encode(encoder: Encoder, x: np.ndarray, ids: np.ndarray, seed: int, tail_steps: int = 0) -> torch.Tensor:
    """Encode values [B, n] in 0..1 (or events [B, T, n]) as float32 events [T, B, channels], then empty steps."""
    wanted = 3 if encoder.kind == "events" else 2
    if x.ndim != wanted or 0 in x.shape:
        shape = "events [B, T, n]" if encoder.kind == "events" else "values [B, n]"
        raise DataError(f"encoder.kind is {encoder.kind} and the batch has shape {list(x.shape)}, allowed: {shape}")
    if not np.isfinite(x).all():
        raise DataError("the batch holds NaN or infinity; clean the data before encoding")
    if encoder.kind != "events" and (x.min() < 0 or x.max() > 1):
        raise DataError(f"values run from {x.min():g} to {x.max():g}, allowed: 0 to 1; scale them before encoding")
    events = ENCODERS[encoder.kind](encoder, x, ids, seed)
    if events.shape[0] != encoder.steps:
        raise DataError(f"the encoder made {events.shape[0]} steps, allowed: encoder.steps = {encoder.steps}")
    if tail_steps:
        events = np.concatenate([events, np.zeros((tail_steps, *events.shape[1:]), events.dtype)])
    return torch.from_numpy(np.ascontiguousarray(events, dtype=np.float32))


def _rate(encoder: Encoder, x, ids, seed):
    """Poisson-like: each step spikes with probability value · max_rate."""
    noise = _uniform(seed, ids, encoder.steps, x.shape[1])
    return noise < x[None] * encoder.max_rate


def _regular(encoder: Encoder, x, ids, seed):
    """Evenly spaced spikes, value · max_rate of the steps, each sample's channels with random phases."""
    return _evenly(x * encoder.max_rate, _uniform(seed, ids, 1, x.shape[1])[0], encoder.steps)


def _latency(encoder: Encoder, x, ids, seed):
    """One spike a channel at step (1 − value) · (steps − 1); values up to the threshold stay silent."""
    when = np.rint((1 - x) * (encoder.steps - 1))
    return (np.arange(encoder.steps)[:, None, None] == when) & (x > encoder.threshold)


def _rows(encoder: Encoder, x, ids, seed):
    """Rows of an image one after the other, each shown for steps / rows steps as evenly spaced spikes."""
    if not encoder.rows or encoder.steps % encoder.rows or x.shape[1] % encoder.rows:
        raise DataError(
            f"encoder.rows is {encoder.rows}, allowed: a number that divides steps {encoder.steps} and "
            f"the {x.shape[1]} values of a sample"
        )
    hold = encoder.steps // encoder.rows
    rows = x.reshape(len(x), encoder.rows, -1).transpose(1, 0, 2)
    phases = _uniform(seed, ids, encoder.rows, rows.shape[2])
    return np.concatenate([_evenly(row * encoder.max_rate, p, hold) for row, p in zip(rows, phases, strict=True)])


def _events(encoder: Encoder, x, ids, seed):
    return x.transpose(1, 0, 2)


ENCODERS = {"rate": _rate, "regular": _regular, "latency": _latency, "rows": _rows, "events": _events}


def _evenly(rate: np.ndarray, phase: np.ndarray, steps: int) -> np.ndarray:
    """Spike in step k where k · rate + phase passes a whole number: [steps, B, n] from [B, n]."""
    total = np.floor(np.arange(steps + 1)[:, None, None] * rate.astype(np.float64) + phase)
    return np.diff(total, axis=0) > 0


def _uniform(seed: int, ids: np.ndarray, steps: int, channels: int) -> np.ndarray:
    """Uniform numbers [T, B, n] that depend on seed, sample, step and channel only (SplitMix64, Steele et al. 2014)."""
    with np.errstate(over="ignore"):
        start = _mix(np.uint64(seed) * np.uint64(0x9E3779B97F4A7C15) + ids.astype(np.uint64))
        counter = np.arange(steps * channels, dtype=np.uint64).reshape(steps, 1, channels)
        mixed = _mix(start[None, :, None] + (counter + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15))
    return (mixed >> np.uint64(40)).astype(np.float32) * np.float32(2**-24)


def _mix(z: np.ndarray) -> np.ndarray:
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
