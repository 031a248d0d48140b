"""A configuration as a value: the manifest and its tables, saved to a folder and read back unchanged."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from neuro.descriptor import Chip, chip_to_json, html_table
from neuro.errors import TableError
from neuro.tables.columns import COLUMNS, empty, tidy
from neuro.tables.layers import INDEX, LayerTables, load_layer_tables
from neuro.tables.manifest import Manifest, chip_sha256, parse_manifest
from neuro.tables.read import read_folder
from neuro.tables.write import write_folder


@dataclass(frozen=True, eq=False)
class Tables:
    """The chip-neutral configuration that programs a chip.

    frames: table name -> frame with exactly the columns of `neuro.tables.columns`, int64 and float64; tables left out
    are empty. Raises TableError where a frame is not that.
    """

    manifest: Manifest
    frames: Mapping[str, pd.DataFrame]

    def __post_init__(self):
        unknown = set(self.frames) - set(COLUMNS)
        if unknown:
            raise TableError(f"tables: {', '.join(sorted(unknown))} is unknown; allowed: {', '.join(COLUMNS)}")
        tidied = {
            table: tidy(table, self.frames[table], self.chip) if table in self.frames else empty(table, self.chip)
            for table in COLUMNS
        }
        object.__setattr__(self, "frames", tidied)

    @property
    def chip(self) -> Chip:
        return self.manifest.chip

    @property
    def exponents(self) -> dict[tuple[int, int], int]:
        """Grid exponent of each (chip, core)."""
        return {(g.chip, g.core): g.exponent for g in self.manifest.grid_exponents}

    @property
    def population_sizes(self) -> dict[str, int]:
        return {population.name: population.size for population in self.manifest.populations}

    @property
    def input_channels(self) -> dict[str, int]:
        return {entry.name: entry.channels for entry in self.manifest.inputs}

    def _repr_html_(self) -> str:
        """For notebooks: the tables with their rows and columns."""
        rows = [(name, len(frame), ", ".join(frame.columns)) for name, frame in self.frames.items() if len(frame)]
        return html_table(f"configuration of {self.chip.label}", rows, ("table", "rows", "columns"))

    def save(self, folder: str | Path, parquet: bool = False, overwrite: bool = False) -> None:
        """Write the folder in one step: CSV, or Parquet where asked or where a table has over a million rows.

        Raises TableError where the folder is in use (`overwrite` replaces earlier tables) or cannot be written.
        """
        write_folder(self.manifest, self.frames, folder, parquet, overwrite)


def make_tables(manifest: Mapping[str, object], frames: Mapping[str, pd.DataFrame]) -> Tables:
    """Make tables of a manifest in JSON-like values, floats of the step in hexadecimal text, and a `Chip` as `chip`.

    Format, version and the chip's hash are filled in. Raises TableError naming the key or the column that is wrong.
    """
    chip = manifest["chip"]
    content = {**manifest, "chip": json.loads(chip_to_json(chip)), "chip_sha256": chip_sha256(chip)}
    return Tables(parse_manifest(content, "manifest"), frames)


def load_tables(folder: str | Path, edited: bool = False) -> Tables | LayerTables:
    """Read a configuration folder, of a spiking network or of a model of layers; `edited` accepts tables changed by hand
    and leaves them to `check`.

    Raises TableError naming the file and the row of the first thing that is wrong.
    """
    if (Path(folder) / INDEX).is_file():
        return load_layer_tables(folder, edited)
    return Tables(*read_folder(folder, edited))
