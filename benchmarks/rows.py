"""Rows of a result that are measured one by one: a second call measures only what is missing."""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from machine import RESULTS, circumstances


class Rows:
    """Rows of `results/NAME.json`, each told apart by the values under its key; every row is written when it is found.

    Several processes may add rows to one result.
    """

    def __init__(self, name: str, about: dict, folder: Path = RESULTS):
        self.path, self.about = folder / f"{name}.json", about
        self.circumstances = circumstances()

    def __iter__(self):
        return iter(json.loads(self.path.read_text())["rows"] if self.path.exists() else [])

    def find(self, **key) -> dict | None:
        """Give the row of a key, or None where it was not run."""
        return next((row for row in self if row["key"] == key), None)

    def measure(self, run: Callable[[], dict], **key) -> dict:
        """Give the row of a key, measured now if it is missing."""
        row = self.find(**key)
        if row is None:
            row = {"key": key, **run()}
            self._add(row)
            print(key, {name: value for name, value in row.items() if name != "key"}, flush=True)
        return row

    def _add(self, row: dict) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with (Path(tempfile.gettempdir()) / f"{self.path.stem}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            rows = sorted([*self, row], key=lambda found: json.dumps(found["key"], sort_keys=True))
            content = {"about": self.about, "rows": rows, "circumstances": self.circumstances}
            new = self.path.with_suffix(".new")
            new.write_text(json.dumps(content, indent=1) + "\n")
            os.replace(new, self.path)


def write_between(name: str, script: str, text: str, fenced: bool = True) -> None:
    """Put a table between its marks in benchmarks/README.md; fenced: as plain text."""
    path = Path(__file__).with_name("README.md")
    start, end = f"<!-- {name}: made by `python benchmarks/{script}` -->", f"<!-- end of {name} -->"
    before, rest = path.read_text().split(start, 1)
    after = rest.split(end, 1)[1]
    text = f"```\n{text}\n```" if fenced else text
    path.write_text(f"{before}{start}\n{text}\n{end}{after}")
