"""Bytes and JSON read strictly: bounded, plain, no key twice, no number JSON does not know."""

from __future__ import annotations

import json
from pathlib import Path

from neuro.errors import TableError


def read_bytes(path: Path, most: int, other: str) -> bytes:
    """Read a file of at most `most` bytes; TableError where it is missing (`other` says what to do), long or closed."""
    try:
        if not path.is_file():
            raise TableError(f"{path}: is not there; {other}")
        if (size := path.stat().st_size) > most:
            raise TableError(f"{path}: has {size} bytes, allowed: at most {most}")
        return path.read_bytes()
    except (OSError, ValueError) as error:
        raise TableError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None


def parse_json(data: bytes, file: str) -> object:
    """Read JSON text; TableError where it is none, or says one thing twice."""
    try:
        return json.loads(data.decode(), object_pairs_hook=_unique_keys, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise TableError(f"{file}: is not JSON ({str(error)[:120]}); export again") from None


def as_ascii(data: bytes, file: str) -> str:
    """Read plain text, lines ended either way; TableError names the line of the first other byte."""
    try:
        return data.decode("ascii").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise TableError(f"{file}:{line}: holds a byte that is not plain text; export again") from None


def _unique_keys(pairs: list) -> dict:
    content = dict(pairs)
    if len(content) < len(pairs):
        raise ValueError("a key stands more than once")
    return content


def _no_constant(name: str):
    raise ValueError(f"{name} is not allowed")
