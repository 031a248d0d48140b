"""The configuration of a model of plain layers on tiles: pairs of conductances, and what stays digital, in its order.

layers.json    chip, layers with their scales, and which of them are digital
pairs.csv      layer, row, column, levels, target conductances and pulses; tile = row // rows, column // columns
biases.csv     layer, column, bias: added digitally
*.parquet      the same tables in place of CSV, where asked or where one has over a million rows
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pandas as pd
from pydantic import Field, ValidationError

from neuro.descriptor import Chip, chip_to_json
from neuro.errors import TableError
from neuro.tables.csvtext import from_csv, to_csv
from neuro.tables.folder import build_folder, write_file
from neuro.tables.manifest import File, Hex, Name, Part, Sha256, Size, chip_sha256
from neuro.tables.parquet import from_parquet, to_parquet
from neuro.tables.strict import as_ascii, parse_json, read_bytes
from neuro.tables.write import CSV_ROWS

FORMAT, VERSION, INDEX = "neuro-layers", 1, "layers.json"
LAYER_COLUMNS = {
    "pairs": (
        *("layer", "row", "column", "level_plus", "level_minus"),
        *("g_plus_us", "g_minus_us", "pulses_plus", "pulses_minus"),
    ),
    "biases": ("layer", "column", "bias"),
}
ENDINGS = ("csv", "parquet")
OWN = (INDEX, *(f"{table}.{ending}" for table in LAYER_COLUMNS for ending in ENDINGS))
ABSENT = "name the folder an export wrote"
EDITED = "edited after export; export again, or look at it with `neuro check FOLDER --edited`"
MAX_BYTES = 2**31
Whole = Annotated[int, Field(ge=0, le=10**6)]


class Matrix(Part):
    """A layer on tiles: weight = base · G₊ − gain · base · G₋, rounded to 2^grid_exponent; kernel: of a convolution."""

    name: Name
    op: Literal["matrix"] = "matrix"
    digital: Literal[False] = False
    rows: Size
    columns: Size
    base: Hex
    grid_exponent: int = Field(ge=-100, le=100)
    input_scale: Hex
    weight_scale: Hex
    kernel: Size | None = None
    stride: Size = 1
    padding: Whole = 0


class Digital(Part):
    """What is computed beside the tiles."""

    name: Name
    op: Literal["relu", "flatten", "max_pool"]
    digital: Literal[True] = True
    kernel: Size | None = None
    stride: Size | None = None
    padding: Whole = 0


class LayerManifest(Part):
    format: Literal["neuro-layers"] = FORMAT
    version: Literal[1] = VERSION
    chip: Chip
    chip_sha256: Sha256
    layers: tuple[Annotated[Matrix | Digital, Field(discriminator="op")], ...] = Field(min_length=1)
    files: dict[str, File] = Field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class LayerTables:
    """A model of layers as a value: `manifest`, and frames `pairs` and `biases` with the columns of LAYER_COLUMNS."""

    manifest: LayerManifest
    frames: Mapping[str, pd.DataFrame]

    @property
    def chip(self) -> Chip:
        return self.manifest.chip

    def levels(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Levels of G₊ and G₋ of one layer, [columns, rows] each; its pairs must be complete."""
        layer, pairs = self.manifest.layers[number], self.frames["pairs"]
        own = pairs[pairs["layer"] == number]
        found = np.zeros((2, layer.columns, layer.rows), np.int64)
        found[:, own["column"], own["row"]] = own[["level_plus", "level_minus"]].to_numpy().T
        return found[0], found[1]

    def bias(self, number: int) -> np.ndarray:
        """What is added to the columns of one layer, float32."""
        own = self.frames["biases"][self.frames["biases"]["layer"] == number]
        total = np.zeros(self.manifest.layers[number].columns, np.float32)
        total[own["column"]] = own["bias"]
        return total

    def save(self, folder: str | Path, parquet: bool = False, overwrite: bool = False) -> None:
        """Write the folder in one step: CSV, or Parquet where asked or where a table has over a million rows.

        Raises TableError where the folder is in use or cannot be written.
        """
        parquet = parquet or any(len(frame) > CSV_ROWS for frame in self.frames.values())
        build_folder(folder, lambda new: self._fill(new, parquet), OWN, overwrite)

    def _fill(self, folder: Path, parquet: bool) -> None:
        files = {}
        for table, frame in self.frames.items():
            name = f"{table}.{ENDINGS[parquet]}"
            data = to_parquet(frame) if parquet else to_csv(frame).encode("ascii")
            write_file(folder / name, data)
            files[table] = File(file=name, rows=len(frame), sha256=hashlib.sha256(data).hexdigest())
        content = self.manifest.model_copy(update={"files": files}).model_dump(mode="json", exclude={"chip"})
        content["chip"] = json.loads(chip_to_json(self.chip))
        write_file(folder / INDEX, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())


def make_layer_tables(chip: Chip, layers: list[dict], frames: Mapping[str, pd.DataFrame]) -> LayerTables:
    """Make tables of layers described by JSON-like values and of frames; raises TableError naming what is wrong."""
    content = {"chip": json.loads(chip_to_json(chip)), "chip_sha256": chip_sha256(chip), "layers": layers}
    ordered = {table: frames[table][list(columns)] for table, columns in LAYER_COLUMNS.items()}
    return LayerTables(_manifest(content, "layers"), ordered)


def load_layer_tables(folder: str | Path, edited: bool = False) -> LayerTables:
    """Read such a folder; `edited` leaves hashes to the checker. Raises TableError naming the first thing that is wrong."""
    folder = Path(folder)
    content = parse_json(read_bytes(folder / INDEX, MAX_BYTES, ABSENT), str(folder / INDEX))
    if not isinstance(content, dict) or content.get("format") != FORMAT or content.get("version") != VERSION:
        raise TableError(f"{folder / INDEX}: is no {FORMAT} of version {VERSION}; export again")
    manifest = _manifest(content, str(folder / INDEX))
    frames = {table: _table(folder, table, manifest.files.get(table), edited) for table in LAYER_COLUMNS}
    for name in OWN[1:]:
        if (folder / name).exists() and name not in {file.file for file in manifest.files.values()}:
            raise TableError(f"{folder / name}: is not listed in {INDEX}; add it to `files`, or take it away")
    return LayerTables(manifest.model_copy(update={"files": {}}), frames)


def _table(folder: Path, table: str, file: File | None, edited: bool) -> pd.DataFrame:
    allowed = [f"{table}.{ending}" for ending in ENDINGS]
    if file is None or file.file not in allowed:
        have = "absent" if file is None else repr(file.file[:60])
        raise TableError(f"{folder / INDEX}: files.{table} is {have}, allowed: {' or '.join(allowed)}; export again")
    path, columns = folder / file.file, LAYER_COLUMNS[table]
    data = read_bytes(path, MAX_BYTES, ABSENT)
    if not edited and hashlib.sha256(data).hexdigest() != file.sha256:
        raise TableError(f"{path}: does not match its sha256 in {INDEX}: {EDITED}")
    if path.suffix == ".parquet":
        return from_parquet(data, columns, path.name)
    return from_csv(as_ascii(data, path.name), columns, path.name)


def _manifest(content: dict, where: str) -> LayerManifest:
    try:
        return LayerManifest.model_validate_json(json.dumps(content))
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join(map(str, first["loc"])) or "the whole"
        raise TableError(f"{where}: {path} is {first['input']!r:.60}: {first['msg']}; export again") from None
