"""A folder written in one step: built beside its place, then moved there, so that none is ever seen half-written."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Collection
from pathlib import Path

from neuro.errors import TableError


def build_folder(folder: str | Path, fill: Callable[[Path], None], own: Collection[str], overwrite: bool) -> None:
    """Let `fill` write a new folder, then move it to its place.

    own: every name that may stand in such a folder, first the one that marks it; `overwrite` replaces a folder that
    holds the mark and nothing else than `own`. Raises TableError where the folder is in use or cannot be written;
    nothing is then left behind.
    """
    target = _refuse_foreign(Path(folder), tuple(own), overwrite)
    made = []
    try:
        made = _make_parents(target.parent)
        _build_and_move(target, fill)
    except OSError as error:
        raise TableError(f"{target}: cannot be written: {error.strerror or error}; choose another folder") from None
    finally:
        if not target.exists():
            for parent in made:
                parent.rmdir()


def write_file(path: Path, data: bytes) -> None:
    """Write a new file, through to the disk."""
    with open(path, "xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _refuse_foreign(folder: Path, own: tuple[str, ...], overwrite: bool) -> Path:
    """Give the folder's full path if it may be written."""
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
            f"{target}: is not empty, allowed: a new or empty folder; choose another, remove it, or add "
            "--overwrite (in Python overwrite=True)"
        )
    if names and (own[0] not in names or names - set(own)):
        other = ", ".join(sorted(names - set(own))[:5]) or f"no {own[0]}"
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


def _build_and_move(target: Path, fill: Callable[[Path], None]) -> None:
    mark = uuid.uuid4().hex[:12]
    new, old = (target.with_name(f".{target.name}.{mark}.{end}") for end in ("new", "old"))
    try:
        new.mkdir()
        fill(new)
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
