"""Write files so that they are whole or not there."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from neuro.errors import RunError


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write beside the target, flush to disk, then rename; a failure leaves what was there before."""
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
