"""Text tables of numbers, one sample or one time step a row; errors name the row."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from neuro.errors import DataError


def read_rows(data: bytes, where: str, delimiter: str, columns: int, header: bool) -> np.ndarray:
    """Read numbers [rows, columns] from a table's bytes, its header line left out; `where` names it in errors."""
    import pandas as pd

    text = io.BytesIO(data)
    try:
        frame = pd.read_csv(text, sep=delimiter, header=None, skiprows=int(header), dtype=np.float64, engine="c")
    except (ValueError, pd.errors.ParserError, UnicodeDecodeError):
        frame = None
    if frame is None or frame.shape[1] != columns or not np.isfinite(frame.to_numpy()).all():
        raise DataError(_first_fault(data, where, delimiter, columns, header))
    return frame.to_numpy()


def read_series(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read a user's time series: a CSV with the header `sample,label,CHANNEL,…` and a row a time step.

    Gives x float32 [n, T, channels] and labels int64 [n]; rows of a sample stand together, in the order of time.
    """
    data = read_bytes(path)
    first = data.split(b"\n", 1)[0].decode("utf-8", "replace").strip().split(",")
    if first[:2] != ["sample", "label"] or len(first) < 3:
        raise DataError(f"{path}:1: the header is {','.join(first)[:60]!r}, allowed: sample,label,CHANNEL,…")
    rows = read_rows(data, str(path), ",", len(first), header=True)
    begins = np.flatnonzero(np.diff(rows[:, 0], prepend=np.nan) != 0)
    steps = np.diff(np.append(begins, len(rows)))
    if len(np.unique(rows[begins, 0])) != len(begins):
        again = next(i for i, b in enumerate(begins) if (rows[begins[:i], 0] == rows[b, 0]).any())
        raise DataError(
            f"{path}:{begins[again] + 2}: sample {rows[begins[again], 0]:g} begins again; keep its rows together"
        )
    if (steps != steps[0]).any():
        odd = int((steps != steps[0]).argmax())
        raise DataError(
            f"{path}:{begins[odd] + 2}: sample {rows[begins[odd], 0]:g} has {steps[odd]} rows, the first {steps[0]}; give "
            "all samples as many time steps"
        )
    labels = rows[:, 1].reshape(len(begins), -1)
    changed = (labels != labels[:, :1]).any(1)
    if changed.any():
        odd = int(changed.argmax())
        raise DataError(f"{path}:{begins[odd] + 2}: the label of sample {rows[begins[odd], 0]:g} changes within it")
    return rows[:, 2:].astype(np.float32).reshape(len(begins), int(steps[0]), -1), labels[:, 0]


def read_bytes(path: Path) -> bytes:
    """Read a file whole."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from None


def _first_fault(data: bytes, where: str, delimiter: str, columns: int, header: bool) -> str:
    for number, line in enumerate(data.split(b"\n")[int(header) :], 1 + int(header)):
        cells = line.strip().split(delimiter.encode())
        if cells == [b""]:
            continue
        if len(cells) != columns:
            return f"{where}:{number}: {len(cells)} columns, allowed: {columns}"
        for column, cell in enumerate(cells, 1):
            if not _is_number(cell):
                return (
                    f"{where}:{number}: column {column} is {cell[:20].decode('utf-8', 'replace')!r}, allowed: a number"
                )
    return f"{where}: no rows of numbers"


def _is_number(cell: bytes) -> bool:
    try:
        return bool(np.isfinite(float(cell)))
    except ValueError:
        return False
