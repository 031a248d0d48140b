"""Tables as CSV text: plain decimal integers, floats as C99 hexadecimal, no quoting, every line closed."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from neuro.errors import TableError
from neuro.tables.columns import TEXT, kind_of

PATTERNS = {
    "int": r"0|-?[1-9][0-9]{0,18}",
    "float": r"-?(?:0x[01]\.[0-9a-f]{1,13}p[+-][0-9]{1,4}|inf)",
    "text": TEXT,
}
WANTED = {
    "int": "a whole number of at most 19 digits, without spaces or leading zeros",
    "float": "a hexadecimal float such as 0x1.8000000000000p+0",
    "text": "a name of letters, digits, _ . and -",
}


def to_csv(frame: pd.DataFrame) -> str:
    """Write a table as text, one line a row, with a header."""
    write = {"int": str, "float": float.hex, "text": str}
    columns = [map(write[kind_of(name)], frame[name].tolist()) for name in frame.columns]
    rows = map(",".join, zip(*columns, strict=True))
    return "\n".join([",".join(frame.columns), *rows, ""])


def from_csv(text: str, columns: tuple[str, ...], file: str) -> pd.DataFrame:
    """Read a table back; only what `to_csv` could have written is accepted.

    Raises TableError naming file and line (the header is line 1).
    """
    lines = text.split("\n")
    header = ",".join(columns)
    if lines[0] != header:
        raise TableError(f"{file}:1: columns are {lines[0][:200]!r}, allowed: exactly {header!r}; restore the header")
    if lines.pop() != "" or not lines:
        raise TableError(
            f"{file}:{len(lines) + 1}: the last line is not closed, so the file may be cut off; export again, or close "
            "the line if it is complete"
        )
    match = re.compile(",".join(f"({PATTERNS[kind_of(name)]})" for name in columns)).fullmatch
    rows = []
    for number, line in enumerate(lines[1:], 2):
        found = match(line)
        if found is None:
            raise _diagnose(line, columns, f"{file}:{number}")
        rows.append(found.groups())
    cells = zip(*rows, strict=True) if rows else [()] * len(columns)
    return pd.DataFrame({name: _convert(c, name, file) for name, c in zip(columns, cells, strict=True)})


def _convert(cells: tuple[str, ...], name: str, file: str):
    kind = kind_of(name)
    if kind == "text":
        return pd.Series(cells, dtype=str)
    if kind == "float":
        return np.array([_number(cell, f"{file}:{row}", name) for row, cell in enumerate(cells, 2)], dtype=np.float64)
    try:
        return np.array(list(map(int, cells)), dtype=np.int64)
    except OverflowError:
        row, cell = next((r, c) for r, c in enumerate(cells, 2) if not -(2**63) <= int(c) < 2**63)
        raise TableError(f"{file}:{row}: {name} is {cell}, allowed: −2^63 to 2^63 − 1") from None


def _number(cell: str, where: str, name: str) -> float:
    try:
        value = float.fromhex(cell)
    except OverflowError:
        value = None
    if value is None or value.hex() != cell:
        raise TableError(f"{where}: {name} is {cell!r}, allowed: {WANTED['float']}, in the form `float.hex` gives")
    return value


def _diagnose(line: str, columns: tuple[str, ...], where: str) -> TableError:
    cells = line.split(",")
    if len(cells) != len(columns):
        return TableError(f"{where}: has {len(cells)} cells, allowed: {len(columns)} ({', '.join(columns)})")
    pairs = zip(columns, cells, strict=True)
    name, cell = next((n, c) for n, c in pairs if not re.fullmatch(PATTERNS[kind_of(n)], c))
    return TableError(f"{where}: {name} is {cell[:80]!r}, allowed: {WANTED[kind_of(name)]}")
