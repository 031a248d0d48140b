"""A folder to tables: strict, so that what was damaged or edited after export is never taken for a configuration."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pandas as pd

from neuro.errors import TableError
from neuro.tables.columns import COLUMNS, columns_of, empty
from neuro.tables.csvtext import from_csv
from neuro.tables.manifest import FORMAT, VERSION, File, Manifest, parse_manifest, sha256_of
from neuro.tables.parquet import from_parquet
from neuro.tables.strict import as_ascii, parse_json, read_bytes
from neuro.tables.write import MANIFEST

MAX_MANIFEST = 64 * 2**20
MAX_TABLE = 4 * 2**30
ABSENT = f"name the folder that holds {MANIFEST} and its tables"
EDITED = "edited after export; export again, or look at it with `neuro check FOLDER --edited`"


def read_folder(folder: str | Path, edited: bool) -> tuple[Manifest, dict[str, pd.DataFrame]]:
    """Read `manifest.json` and the tables it lists; `edited` leaves hashes and row counts to the checker.

    Raises TableError naming the file and the row of the first thing that is wrong.
    """
    folder = Path(folder)
    if (folder / "run.json").exists() and not (folder / MANIFEST).exists():
        raise TableError(
            f"{folder} is a run folder, not tables; write them with `neuro export {folder} --format tables --out "
            f"{folder / 'tables'}`, or give their folder"
        )
    manifest = _read_manifest(folder, edited)
    _refuse_unlisted(folder, manifest)
    frames = {}
    for table in COLUMNS:
        if table in manifest.files:
            frames[table] = _read_table(folder, table, manifest.files[table], manifest, edited)
        else:
            frames[table] = empty(table, manifest.chip)
    return manifest.model_copy(update={"files": {}}), frames


def _read_manifest(folder: Path, edited: bool) -> Manifest:
    content = parse_json(read_bytes(folder / MANIFEST, MAX_MANIFEST, ABSENT), MANIFEST)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise TableError(f"{folder / MANIFEST}: format is not {FORMAT!r}; this is no configuration")
    if content.get("version") != VERSION or isinstance(content["version"], bool):
        have = str(content.get("version"))[:40]
        raise TableError(f"{folder / MANIFEST}: version is {have}, allowed: {VERSION}; export again with this release")
    manifest = parse_manifest(content, str(folder / MANIFEST))
    if not edited and sha256_of(content["chip"]) != manifest.chip_sha256:
        raise TableError(f"{folder / MANIFEST}: chip does not match chip_sha256: {EDITED}")
    return manifest


def _refuse_unlisted(folder: Path, manifest: Manifest) -> None:
    for table, entry in manifest.files.items():
        allowed = [f"{table}.csv", f"{table}.parquet"]
        if table not in COLUMNS:
            raise TableError(f"{folder / MANIFEST}: files names {table[:60]!r}, allowed: {', '.join(COLUMNS)}")
        if entry.file not in allowed:
            raise TableError(
                f"{folder / MANIFEST}: files.{table} is {entry.file[:60]!r}, allowed: {' or '.join(allowed)}"
            )
    listed = {entry.file for entry in manifest.files.values()}
    for name in (f"{table}.{ending}" for table in COLUMNS for ending in ("csv", "parquet")):
        if name not in listed and (folder / name).exists():
            raise TableError(f"{folder / name}: is not listed in {MANIFEST}; add it to `files`, or take it away")


def _read_table(folder: Path, table: str, entry: File, manifest: Manifest, edited: bool) -> pd.DataFrame:
    path = folder / entry.file
    data = read_bytes(path, MAX_TABLE, ABSENT)
    if not edited and hashlib.sha256(data).hexdigest() != entry.sha256:
        raise TableError(f"{path}: does not match its sha256 in {MANIFEST}: {EDITED}")
    columns = columns_of(table, manifest.chip)
    if entry.file.endswith(".parquet"):
        frame = from_parquet(data, columns, entry.file)
    else:
        frame = from_csv(as_ascii(data, entry.file), columns, entry.file)
    if not edited and len(frame) != entry.rows:
        raise TableError(f"{path}: has {len(frame)} rows, allowed: the {entry.rows} that {MANIFEST} states; {EDITED}")
    return frame
