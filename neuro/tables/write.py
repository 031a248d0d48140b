"""Tables to a folder: built beside its place, then moved there in one step, so that none is ever seen half-written."""

from __future__ import annotations

import hashlib
import os
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from neuro.errors import TableError
from neuro.tables.columns import COLUMNS
from neuro.tables.csvtext import to_csv
from neuro.tables.manifest import File, Manifest, manifest_text
from neuro.tables.parquet import to_parquet

MANIFEST = "manifest.json"
CSV_ROWS = 1_000_000


def write_folder(
    manifest: Manifest, frames: Mapping[str, pd.DataFrame], folder: str | Path, parquet: bool, overwrite: bool
) -> None:
    """Write `manifest.json` and one file a table with rows; Parquet where asked or where a table is long.

    Raises TableError where the folder is in use (`overwrite` replaces earlier tables, and nothing else) or cannot be
    written; nothing is then left behind.
    """
    target = _refuse_foreign(Path(folder), overwrite)
    parquet = parquet or any(len(frame) > CSV_ROWS for frame in frames.values())
    made = []
    try:
        made = _make_parents(target.parent)
        _build_and_move(manifest, frames, target, parquet)
    except OSError as error:
        raise TableError(f"{target}: cannot be written: {error.strerror or error}; choose another folder") from None
    finally:
        if not target.exists():
            for parent in made:
                parent.rmdir()


def _refuse_foreign(folder: Path, overwrite: bool) -> Path:
    """Give the folder's full path if tables may be written there."""
    try:
        target = folder.resolve()
        if not target.exists():
            return target
        names = {entry.name for entry in target.iterdir()} if target.is_dir() else None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise TableError(f"{folder}: cannot be read: {reason}; choose another folder") from None
    if names is None:
        raise TableError(f"{target}: is a file, allowed: a new or empty folder; choose another name")
    if names and not overwrite:
        raise TableError(
            f"{target}: is not empty, allowed: a new or empty folder; choose another, remove it, or overwrite"
        )
    own = {MANIFEST, *(f"{table}.{ending}" for table in COLUMNS for ending in ("csv", "parquet"))}
    if names and (MANIFEST not in names or names - own):
        other = ", ".join(sorted(names - own)[:5]) or "no manifest.json"
        raise TableError(f"{target}: holds more than tables ({other}), so it is not replaced; choose another folder")
    return target


def _make_parents(folder: Path) -> list[Path]:
    """Create missing folders; gives the new ones, innermost first."""
    made = []
    while not folder.exists():
        made.append(folder)
        folder = folder.parent
    for parent in reversed(made):
        parent.mkdir()
    return made


def _build_and_move(manifest: Manifest, frames: Mapping[str, pd.DataFrame], target: Path, parquet: bool) -> None:
    mark = uuid.uuid4().hex[:12]
    new, old = (target.with_name(f".{target.name}.{mark}.{end}") for end in ("new", "old"))
    try:
        new.mkdir()
        _fill(new, manifest, frames, parquet)
        _exchange(new, target, old)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _exchange(new: Path, target: Path, old: Path) -> None:
    """Move `new` to `target`; what stood there is removed only once that is done, and put back if it fails."""
    replaces = target.exists() and any(target.iterdir())
    if replaces:
        target.rename(old)
    try:
        new.rename(target)
    except OSError:
        if replaces:
            old.rename(target)
        raise
    if replaces:
        shutil.rmtree(old, ignore_errors=True)


def _fill(folder: Path, manifest: Manifest, frames: Mapping[str, pd.DataFrame], parquet: bool) -> None:
    files = {}
    for table, frame in frames.items():
        if len(frame):
            name = f"{table}.{'parquet' if parquet else 'csv'}"
            data = to_parquet(frame) if parquet else to_csv(frame).encode("ascii")
            _write(folder / name, data)
            files[table] = File(file=name, rows=len(frame), sha256=hashlib.sha256(data).hexdigest())
    _write(folder / MANIFEST, manifest_text(manifest.model_copy(update={"files": files})).encode())


def _write(path: Path, data: bytes) -> None:
    with open(path, "xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
