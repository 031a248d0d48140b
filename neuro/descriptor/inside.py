"""Files that a description names: each lies inside a folder, and no name leads out of it."""

from __future__ import annotations

from pathlib import Path, PurePosixPath, PureWindowsPath

from neuro.errors import DescriptionError


def file_in(folder: Path, file: str, where: str, what: str) -> Path | None:
    """Return the path of a file of a folder, None where there is none; refuse every way out of the folder.

    `where` names the value that holds the name, `what` the folder, in errors.
    """
    parts = (*PurePosixPath(file).parts, *PureWindowsPath(file).parts)
    if PurePosixPath(file).is_absolute() or PureWindowsPath(file).anchor or ".." in parts or "\0" in file:
        raise DescriptionError(f"{where}: have {file!r:.60}, allowed: a file in {what}")
    found = folder / file
    try:
        outside, there = not found.resolve().is_relative_to(folder.resolve()), found.is_file()
    except (OSError, RuntimeError, ValueError):
        raise DescriptionError(f"{where}: {file!r:.60} is no name of a file") from None
    if outside:
        raise DescriptionError(f"{where}: {file!r} links to a file outside {what}; copy it there")
    return found if there else None
