"""Where data files are: in the folder the user names, else in a cache that is filled from the official address."""

from __future__ import annotations

import os
import textwrap
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from neuro.errors import DataError


@dataclass(frozen=True)
class Official:
    """Where a file is published; md5 = None where no checksum is known, so that it is never fetched unasked.

    packed: the published file is a ZIP that holds the one wanted.
    """

    address: str
    md5: str | None = None
    packed: bool = False


def locate(name: str, official: Official | None = None) -> Path:
    """Give the path of a data file, a relative name such as `MNIST/raw/train-images-idx3-ubyte.gz`.

    In the folder `--data` or NEURO_DATA names it must be there; without such a folder it is downloaded once, checked
    and kept. Raises DataError that says what to put where.
    """
    folder = os.environ.get("NEURO_DATA")
    if folder:
        return in_folder(Path(folder), name, official)
    if official is None or official.md5 is None:
        hint = f"take it from {official.address}" if official else "it has no download"
        raise DataError(f"{name} is needed, {hint}; put it into a folder DIR as DIR/{name} and give --data DIR")
    return _fetched(name, official)


def in_folder(folder: Path, name: str, official: Official | None = None) -> Path:
    """Give the path of a file or folder in a user's folder; DataError where it is missing or would lie outside."""
    plain = PurePosixPath(name)
    if plain.is_absolute() or ".." in plain.parts or not plain.parts:
        raise DataError(f"{name!r} is no name inside the data folder {folder}; give a relative one without `..`")
    path = folder / plain
    if not path.exists():
        hint = f"; put it there (from {official.address})" if official else "; put it there"
        raise DataError(f"{path} is missing{hint}, or give another --data (or NEURO_DATA)")
    return path


def _fetched(name: str, official: Official) -> Path:
    import pooch
    import requests

    pooch.get_logger().setLevel("WARNING")  # its line on a download; `_Shown` tells of it
    target = Path(pooch.os_cache("neuro")) / PurePosixPath(name)
    try:
        found = pooch.retrieve(
            official.address,
            f"md5:{official.md5}",
            fname=target.name + (".zip" if official.packed else ""),
            path=target.parent,
            processor=pooch.Unzip(members=[target.name]) if official.packed else None,
            downloader=pooch.HTTPDownloader(progressbar=_Shown(target.name), timeout=30),
        )
        return Path(found[0] if official.packed else found)
    except (requests.RequestException, OSError, ValueError) as error:
        raise DataError(
            f"{official.address} could not be fetched ({_why(error)}); off-line, put the file into a folder DIR as "
            f"DIR/{name} and give --data DIR"
        ) from None


def _why(error: Exception) -> str:
    """Why a download failed, in a few words."""
    import requests

    match error:
        case requests.HTTPError() if error.response is not None:
            return f"the server answers {error.response.status_code}"
        case requests.Timeout():
            return "the server does not answer"
        case requests.ConnectionError():
            cause = getattr(error.args[0], "reason", error) if error.args else error  # without the pool and the address
            return f"no connection: {_shortened(str(cause).rpartition(': ')[2])}"
    return _shortened(str(error).partition("\n")[0]) or type(error).__name__


def _shortened(text: str) -> str:
    return textwrap.shorten(text, 160, placeholder=" …")


class _Shown:
    """What pooch tells of a download, as one moving line in a terminal and nothing elsewhere."""

    def __init__(self, name: str):
        import sys

        self.name, self.total, self.done, self.out = name, 0, 0, sys.stderr

    def update(self, count: int) -> None:
        self.done += count
        if self.out.isatty():
            share = f"{self.done / self.total:4.0%}" if self.total else ""
            print(f"\rfetching {self.name} {self.done / 1e6:.1f} MB {share}", end="", file=self.out, flush=True)

    def reset(self) -> None:
        self.done = 0

    def close(self) -> None:
        if self.out.isatty():
            print(file=self.out)
