"""Text of a description's file, or one clear reason why there is none."""

from pathlib import Path

from neuro.errors import DescriptionError

MAX_BYTES = 2**20


def read_text(path: Path) -> str:
    """Return the text of a regular UTF-8 file of at most 1 MiB."""
    try:
        if path.is_dir():
            raise DescriptionError(f"{path}: is a folder, allowed: a file")
        if not path.exists():
            raise DescriptionError(f"{path}: no such file")
        if not path.is_file():
            raise DescriptionError(f"{path}: is not a regular file")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise DescriptionError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    return decode(data, str(path))


def decode(data: bytes, where: str) -> str:
    """Return the text of at most 1 MiB of UTF-8; `where` names it in errors."""
    if len(data) > MAX_BYTES:
        raise DescriptionError(f"{where}: is larger than {MAX_BYTES} bytes, the most a description may have")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DescriptionError(f"{where}:{line}: is not UTF-8 text; save the file as UTF-8") from None
