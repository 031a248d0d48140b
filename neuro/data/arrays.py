"""NumPy and MATLAB files of plain arrays; nothing in them is ever executed."""

from __future__ import annotations

import tokenize
import zipfile
import zlib
from pathlib import Path

import numpy as np

from neuro.errors import DataError

UNREADABLE = (
    ValueError,
    EOFError,
    SyntaxError,
    tokenize.TokenError,
    MemoryError,
    zipfile.BadZipFile,
    zlib.error,
    NotImplementedError,
)


def read_npy(path: Path) -> np.ndarray:
    """Read one array of numbers; DataError where it is damaged or holds anything else."""
    try:
        with open(path, "rb") as file:
            return _numbers(np.lib.format.read_array(file, allow_pickle=False), str(path))
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from None
    except UNREADABLE as error:
        raise DataError(f"{path}: no NPY file of numbers ({error})") from None


def read_npz(path: Path, wanted: tuple[str, ...], optional: tuple[str, ...] = ()) -> dict[str, np.ndarray]:
    """Read named arrays of numbers; DataError names the file and the array that is missing or no numbers."""
    try:
        with open(path, "rb") as file:
            held = np.load(file, allow_pickle=False)
            if not isinstance(held, np.lib.npyio.NpzFile):
                raise DataError(f"{path}: one array, allowed: an NPZ file with the arrays {', '.join(wanted)}")
            missing = [name for name in wanted if name not in held.files]
            if missing:
                have = ", ".join(held.files) or "none"
                raise DataError(f"{path}: has no array {missing[0]!r} (it has {have}), wanted: {', '.join(wanted)}")
            names = [*wanted, *(name for name in optional if name in held.files)]
            return {name: _numbers(held[name], f"{path}, array {name}") for name in names}
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from None
    except UNREADABLE as error:
        raise DataError(f"{path}: no NPZ file of arrays of numbers ({error})") from None


def read_mat(path: Path, wanted: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Read named arrays of a MATLAB 5 file."""
    from scipy.io import loadmat

    try:
        held = loadmat(path, variable_names=wanted)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from None
    except Exception as error:  # scipy lets whatever its parser meets through: struct, zlib, type and index errors
        raise DataError(f"{path}: no MATLAB 5 file, or a damaged one ({str(error)[:120]})") from None
    missing = [name for name in wanted if name not in held]
    if missing:
        raise DataError(f"{path}: has no array {missing[0]!r}, wanted: {', '.join(wanted)}")
    return {name: _numbers(held[name], f"{path}, array {name}") for name in wanted}


def samples_of(x: np.ndarray, where: str, dimensions: tuple[int, ...]) -> np.ndarray:
    """Give values as float32 (bytes as they are); DataError on other dimensions, NaN or infinity, with the row."""
    if x.ndim not in dimensions or 0 in x.shape:
        allowed = " or ".join(f"{d} dimensions" for d in dimensions)
        raise DataError(f"{where}: shape {list(x.shape)}, allowed: {allowed}, none of them empty")
    if x.dtype == np.uint8:
        return x
    bad = ~np.isfinite(x).reshape(len(x), -1).all(1)
    if bad.any():
        raise DataError(f"{where}, row {int(bad.argmax())}: NaN or infinity")
    return x.astype(np.float32)


def labels_of(y: np.ndarray, n: int, where: str, classes: int | None = None) -> np.ndarray:
    """Give labels int64 [n] from 0 (below `classes`); DataError names the first row that is none."""
    if y.ndim != 1 or len(y) != n:
        raise DataError(f"{where}: labels of shape {list(y.shape)}, allowed: one for each of the {n} samples")
    wrong = (y != np.floor(y)) | (y < 0) | (y >= (classes or 2**31))
    if wrong.any():
        row = int(wrong.argmax())
        below = f"to {classes - 1}" if classes else "up"
        raise DataError(f"{where}, row {row}: label {y[row]}, allowed: whole numbers from 0 {below}")
    return y.astype(np.int64)


def _numbers(x: np.ndarray, where: str) -> np.ndarray:
    if x.dtype.kind not in "biuf":
        raise DataError(f"{where}: holds {x.dtype}, allowed: numbers")
    return x
