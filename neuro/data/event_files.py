"""Event lists: HDF5 as of the Heidelberg sets, and the five-byte records of N-MNIST."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from neuro.data.parts import OnDemand
from neuro.errors import DataError

OVERFLOW_ROW, OVERFLOW_US = 240, 1 << 13
DAMAGED = (OSError, KeyError, RuntimeError, ValueError, TypeError, OverflowError)  # what h5py lets through


def open_hdf5(path: Path, channels: int | None = None) -> tuple[OnDemand, np.ndarray]:
    """Open a file with `spikes/times` (seconds) and `spikes/units`, a list a sample, and `labels` [n].

    Gives samples that stay in the file, and labels int64. channels: how many there are; absent = the file's attribute
    `channels`, else one more than the largest unit.
    """
    import h5py

    try:
        file = h5py.File(path, "r")
        times, units, labels = (file[name] for name in ("spikes/times", "spikes/units", "labels"))
        y = labels[()]
    except DAMAGED as error:
        raise DataError(
            f"{path}: no HDF5 file with spikes/times, spikes/units and labels ({str(error)[:120]})"
        ) from None
    if y.ndim != 1 or len(times) != len(y) or len(units) != len(y) or y.dtype.kind not in "iu" or not len(y):
        raise DataError(
            f"{path}: {len(times)} lists of times, {len(units)} of units, labels of shape {list(y.shape)} and type "
            f"{y.dtype}; allowed: as many of each, labels whole"
        )
    if (y.astype(np.int64) < 0).any():
        raise DataError(f"{path}, row {int((y.astype(np.int64) < 0).argmax())}: label below 0")
    most = channels or int(file.attrs.get("channels", 0)) or 1 + max(int(u.max()) for u in units if len(u))

    def read(i: int) -> np.ndarray:
        try:
            return _events(times[i], units[i], most, f"{path}, row {i}")
        except DAMAGED as error:
            raise DataError(f"{path}, row {i}: damaged ({str(error)[:120]}); fetch the file again") from None

    return OnDemand(read, np.arange(len(y)), most), y.astype(np.int64)


def _events(times, units, channels: int, where: str) -> np.ndarray:
    if len(times) != len(units):
        raise DataError(f"{where}: {len(times)} times and {len(units)} units, allowed: as many")
    seconds = np.asarray(times, np.float64)
    if len(seconds) and not (np.isfinite(seconds).all() and seconds.min() >= 0):
        raise DataError(f"{where}: a time is negative, NaN or infinite, allowed: seconds from 0")
    lines = np.asarray(units, np.int64)
    if len(lines) and not (lines.min() >= 0 and lines.max() < channels):
        raise DataError(f"{where}: units from {lines.min()} to {lines.max()}, allowed: 0 to {channels - 1}")
    return np.column_stack([np.rint(seconds * 1e6).astype(np.int64), lines])


def parse_nmnist(data: bytes, where: str, side: int = 34) -> np.ndarray:
    """Decode N-MNIST records into events int64 [m, 2] of (microsecond, channel), channel = (polarity · 34 + y) · 34 + x.

    Five bytes an event: x, y, then polarity (1 bit) and time (23 bits, big-endian); y = 240 marks 2^13 µs of overflow.
    """
    if len(data) % 5 or not data:
        raise DataError(f"{where}: {len(data)} bytes, allowed: five for each event; byte {len(data) // 5 * 5} ends it")
    raw = np.frombuffer(data, np.uint8).reshape(-1, 5).astype(np.int64)
    time = (raw[:, 2] & 127) << 16 | raw[:, 3] << 8 | raw[:, 4]
    overflow = raw[:, 1] == OVERFLOW_ROW
    time += np.cumsum(overflow) * OVERFLOW_US
    x, y, polarity = raw[:, 0], raw[:, 1], raw[:, 2] >> 7
    outside = ~overflow & ((x >= side) | (y >= side))
    if outside.any():
        at = int(outside.argmax())
        raise DataError(f"{where}: byte {5 * at} is an event at ({x[at]}, {y[at]}), allowed: 0 to {side - 1}")
    kept = ~overflow
    return np.column_stack([time, (polarity * side + y) * side + x])[kept]
