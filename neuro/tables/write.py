"""Tables to a folder: the manifest and one file a table, written in one step."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from neuro.tables.columns import COLUMNS
from neuro.tables.csvtext import to_csv
from neuro.tables.folder import build_folder, write_file
from neuro.tables.manifest import File, Manifest, manifest_text
from neuro.tables.parquet import to_parquet

MANIFEST = "manifest.json"
CSV_ROWS = 1_000_000
OWN = (MANIFEST, *(f"{table}.{ending}" for table in COLUMNS for ending in ("csv", "parquet")))


def write_folder(
    manifest: Manifest, frames: Mapping[str, pd.DataFrame], folder: str | Path, parquet: bool, overwrite: bool
) -> None:
    """Write `manifest.json` and one file a table with rows; Parquet where asked or where a table is long.

    Raises TableError where the folder is in use (`overwrite` replaces earlier tables, and nothing else) or cannot be
    written; nothing is then left behind.
    """
    parquet = parquet or any(len(frame) > CSV_ROWS for frame in frames.values())
    build_folder(folder, lambda new: _fill(new, manifest, frames, parquet), OWN, overwrite)


def _fill(folder: Path, manifest: Manifest, frames: Mapping[str, pd.DataFrame], parquet: bool) -> None:
    files = {}
    for table, frame in frames.items():
        if len(frame):
            name = f"{table}.{'parquet' if parquet else 'csv'}"
            data = to_parquet(frame) if parquet else to_csv(frame).encode("ascii")
            write_file(folder / name, data)
            files[table] = File(file=name, rows=len(frame), sha256=hashlib.sha256(data).hexdigest())
    write_file(folder / MANIFEST, manifest_text(manifest.model_copy(update={"files": files})).encode())
