"""Write files so that they are whole or not there."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

from neuro.errors import RunError


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write beside the target, flush to disk, then rename; a failure leaves what was there before."""
    if not path.name or path.is_dir():
        raise RunError(f"{path}: is a folder, allowed: the name of a file to write")
    data = content.encode() if isinstance(content, str) else content
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(beside, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError as error:
        raise RunError(f"{path}: cannot be written: {error.strerror or error}") from None
    finally:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)


def read_text(path: Path, what: str) -> str:
    """Read a text file; RunError where it is missing or not text."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise RunError(f"{path} is missing, so {what}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise RunError(f"{path} cannot be read ({error}), so {what}") from None


def read_object(path: Path, what: str) -> dict:
    """Read a JSON object; RunError where the file is missing or holds anything else."""
    try:
        value = json.loads(read_text(path, what))
    except (ValueError, RecursionError) as error:
        raise RunError(f"{path} is damaged ({error}); restore it, or train again") from None
    if not isinstance(value, dict):
        raise RunError(f"{path} is damaged (no JSON object); restore it, or train again")
    return value
