"""IDX files (MNIST and kin): two zero bytes, a type, the number of dimensions, their sizes big-endian, then the values."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path

import numpy as np

from neuro.errors import DataError

UNSIGNED_BYTE = 8


def read_idx(path: Path, dimensions: int) -> np.ndarray:
    """Read bytes of so many dimensions from an IDX file, packed (.gz) or not; DataError with file and offset."""
    return parse_idx(_unpacked(path), dimensions, str(path))


def parse_idx(data: bytes, dimensions: int, where: str) -> np.ndarray:
    """Read bytes of so many dimensions from what an IDX file holds; `where` names it in errors."""
    if len(data) < 4 or data[:2] != b"\0\0":
        raise DataError(f"{where}: no IDX file (byte 0 begins with {data[:4].hex() or 'nothing'}, allowed: 0000)")
    if data[2] != UNSIGNED_BYTE or data[3] != dimensions:
        raise DataError(
            f"{where}: byte 2 says type {data[2]} and {data[3]} dimensions, allowed: type {UNSIGNED_BYTE} (bytes) and "
            f"{dimensions}; images and labels may be mixed up"
        )
    begin = 4 + 4 * dimensions
    if len(data) < begin:
        raise DataError(f"{where}: ends at byte {len(data)} within its header of {begin} bytes")
    shape = tuple(int(n) for n in np.frombuffer(data, ">u4", dimensions, 4))
    if len(data) - begin != math.prod(shape):
        raise DataError(
            f"{where}: the header promises {list(shape)}, so {begin + math.prod(shape)} bytes, and it has {len(data)}: "
            "truncated, or not the file it says it is"
        )
    return np.frombuffer(data, np.uint8, offset=begin).reshape(shape)


def images_and_labels(images: np.ndarray, labels: np.ndarray, where: str) -> tuple[np.ndarray, np.ndarray]:
    """Hold images [n, rows, columns] and labels [n] together: values [n, pixels] in bytes, labels int64."""
    if len(images) != len(labels):
        raise DataError(f"{where}: {len(images)} images and {len(labels)} labels; they are of different parts")
    return images.reshape(len(images), -1), labels.astype(np.int64)


def _unpacked(path: Path) -> bytes:
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path}: damaged gzip of {path.stat().st_size} bytes ({error}); fetch it again") from None
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from None
