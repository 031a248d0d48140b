"""Sound to the levels of a mel filter bank, frame by frame."""

from __future__ import annotations

from functools import cache

import numpy as np

from neuro.data.parts import Ragged

LOWEST_HZ, RANGE_DB = 60.0, 50.0


def band_levels(sound: Ragged, frames: int, frame_s: float, bands: int) -> np.ndarray:
    """Give levels [B, frames, bands] in 0..1: decibels below the sample's loudest band, 0 from `RANGE_DB` below it.

    A frame begins every frame_s and looks at two frames' length under a Hann window; sound that is shorter is followed
    by silence, what is longer is left out. Mel scale: 2595 · log10(1 + f / 700).
    """
    hop = max(1, round(frame_s * sound.rate_hz))
    wave = _padded(sound, (frames + 1) * hop)
    seen = np.lib.stride_tricks.sliding_window_view(wave, 2 * hop, axis=1)[:, ::hop][:, :frames]
    power = np.abs(np.fft.rfft(seen * np.hanning(2 * hop).astype(np.float32), axis=2)) ** 2
    energy = power @ mel_filters(bands, 2 * hop, sound.rate_hz).T
    loudest = energy.max((1, 2), keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        decibels = 10 * np.log10(energy / loudest)
    return np.nan_to_num(1 + decibels / RANGE_DB, nan=0.0, neginf=0.0).clip(0, 1).astype(np.float32)


@cache
def mel_filters(bands: int, length: int, rate_hz: float) -> np.ndarray:
    """Triangles [bands, length // 2 + 1] over the bins of a Fourier transform, evenly spaced in mel."""
    top = 2595 * np.log10(1 + rate_hz / 2 / 700)
    corners = np.linspace(2595 * np.log10(1 + LOWEST_HZ / 700), top, bands + 2)
    mel = 2595 * np.log10(1 + np.fft.rfftfreq(length, 1 / rate_hz) / 700)
    left, middle, right = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    filters = np.minimum((mel - left) / (middle - left), (right - mel) / (right - middle)).clip(0)
    for band in np.flatnonzero(filters.sum(1) == 0):  # a band narrower than a bin listens to the nearest one
        filters[band, np.abs(mel - corners[band + 1]).argmin()] = 1
    return filters


def _padded(sound: Ragged, length: int) -> np.ndarray:
    """Sound as float32 [B, length], silence behind what is shorter."""
    wave = np.zeros((len(sound), length), np.float32)
    for b in range(len(sound)):
        piece = sound.flat[sound.start[b] : sound.start[b + 1]][:length]
        wave[b, : len(piece)] = piece
    return wave
