"""Tables of a bias DAC: CSV files beside a chip file, one row `coarse,fine,current_a` for each code."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path

from neuro.descriptor.document import Document
from neuro.descriptor.inside import file_in
from neuro.descriptor.paths import KeyPath
from neuro.descriptor.shipped import shipped
from neuro.descriptor.textfile import read_text
from neuro.descriptor.yamltext import Spot, scalar
from neuro.errors import DescriptionError

COLUMNS = ["coarse", "fine", "current_a"]

Row = tuple[int, int, float]


def with_tables(document: Document, folder: Path) -> Document:
    """Put rows in the place of every file that `bias_dac` names; files lie in the folder of the chip file."""
    tables = document.tree.get("bias_dac")
    for name in ("N", "P"):
        file = tables.get(name) if isinstance(tables, dict) else None
        if isinstance(file, str):
            path = ("bias_dac", name)
            rows = read_table(_beside(folder, file, document, path))
            spot = Spot(document.place(path), document.line(path))
            document = document.put(path, [list(row) for row in rows], {(): spot})
    return document


def read_table(path: Path) -> list[Row]:
    """Read a table; raise DescriptionError with file and line for a row that is none."""
    (top, header), *body = _lines(path) or [(1, [])]
    if [cell.strip() for cell in header] != COLUMNS:
        raise DescriptionError(f"{path}:{top}: have {_short(','.join(header))}, allowed: {','.join(COLUMNS)}")
    if not body:
        raise DescriptionError(f"{path}:{top}: holds no rows, allowed: at least 1")
    rows: list[Row] = []
    first: dict[tuple[int, int], int] = {}
    for line, cells in body:
        coarse, fine, current = _row(cells, f"{path}:{line}")
        if (before := first.setdefault((coarse, fine), line)) != line:
            raise DescriptionError(f"{path}:{line}: coarse {coarse} fine {fine} stands twice, first on line {before}")
        rows.append((coarse, fine, current))
    return rows


def _lines(path: Path) -> list[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(read_text(path), newline=""), strict=True)
    try:
        return [(reader.line_num, cells) for cells in reader if cells]
    except csv.Error as error:
        raise DescriptionError(f"{path}:{reader.line_num}: is not CSV: {error}") from None


def _short(text: str) -> str:
    return text if 0 < len(text) <= 60 else f"{text[:57]}..." if text else "nothing"


def _row(cells: list[str], where: str) -> Row:
    values = [scalar(cell.strip()) for cell in cells]
    if len(values) != len(COLUMNS):
        raise DescriptionError(f"{where}: have {len(values)} values, allowed: {len(COLUMNS)} ({', '.join(COLUMNS)})")
    for column, cell, value in zip(COLUMNS, cells, values, strict=True):
        kinds = (int, float) if column == "current_a" else (int,)
        if type(value) not in kinds or not 0 <= value < math.inf:
            kind = "a current in amperes" if column == "current_a" else "a whole number"
            raise DescriptionError(f"{where}: {column}: have {_short(cell)}, allowed: {kind} >= 0")
    coarse, fine, current = values
    return coarse, fine, float(current)


def _beside(folder: Path, file: str, document: Document, path: KeyPath) -> Path:
    """Return the path of a file of the folder, or else of a shipped one."""
    where = f"{document.place(path)}: {'.'.join(map(str, path))}"
    if found := file_in(folder, file, where, "the folder of the chip file"):
        return found
    ours = shipped("chips") / file
    if not ours.is_file():
        raise DescriptionError(f"{where}: no file {file!r} in {folder}, nor among the shipped chips")
    return ours
