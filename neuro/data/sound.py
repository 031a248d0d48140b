"""Recorded sound as samples of different lengths: the Free Spoken Digit Dataset."""

from __future__ import annotations

import io
import re
import wave
import zipfile
import zlib

import numpy as np

from neuro.data.locate import Official, locate
from neuro.data.parts import Ragged, Samples
from neuro.errors import DataError

FSDD = Official("https://github.com/Jakobovski/free-spoken-digit-dataset, its folder recordings as one ZIP")
FSDD_RATE_HZ = 8000
NAME = re.compile(r"(?:^|/)recordings/(\d)_([a-z]+)_(\d+)\.wav$")


def _fsdd() -> Samples:
    """3,000 recordings of ten digits by six speakers at 8 kHz; of each digit and speaker the first five are the test part.

    Any ZIP with files recordings/DIGIT_SPEAKER_INDEX.wav, so the repository's own archive too.
    """
    path = locate("FSDD/recordings.zip", FSDD)
    sounds, labels, index = [], [], []
    try:
        with zipfile.ZipFile(path) as held:
            for name in sorted(held.namelist()):
                if found := NAME.search(name):
                    sounds.append(read_wav(held.read(name), f"{path}, {name}", FSDD_RATE_HZ))
                    labels.append(int(found[1]))
                    index.append(int(found[3]))
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        raise DataError(f"{path}: damaged archive ({error}); fetch it again") from None
    if not sounds:
        raise DataError(f"{path}: holds no recordings/DIGIT_SPEAKER_INDEX.wav")
    test = np.flatnonzero(np.array(index) < 5)
    return Samples(Ragged.of(sounds, rate_hz=float(FSDD_RATE_HZ)), np.array(labels, np.int64), test=test)


def read_wav(data: bytes, where: str, rate_hz: int) -> np.ndarray:
    """Read 16-bit mono sound of one sampling rate, int16 [m]; DataError where a file is anything else or cut off."""
    try:
        with wave.open(io.BytesIO(data)) as sound:
            kind = (sound.getnchannels(), 8 * sound.getsampwidth(), sound.getframerate())
            promised, frames = sound.getnframes(), sound.readframes(-1)
    except (wave.Error, EOFError) as error:
        raise DataError(f"{where}: no WAV file ({error or 'it ends within its header'})") from None
    if kind != (1, 16, rate_hz):
        raise DataError(f"{where}: {kind[0]} channels of {kind[1]} bits at {kind[2]} Hz, allowed: 1, 16, {rate_hz}")
    if len(frames) != 2 * promised or not promised:
        raise DataError(f"{where}: {len(frames)} bytes of sound, its header promises {2 * promised}; truncated")
    return np.frombuffer(frames, "<i2").astype(np.int16)


SOUND = {"fsdd": _fsdd}
