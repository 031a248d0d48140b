"""Vendors' formats: tables to the files that program a chip and back, one module a format with `write` and `read`."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import ModuleType

from neuro.descriptor import Chip
from neuro.errors import DescriptionError
from neuro.tables import Tables, load_tables

FORMATS = {
    "samna": "configuration.json",
    "netparser": "network.txt",
    "ranc": "ranc.json",
    "tiles": "tiles.json",
    "xylo": "xylo.json",
    "odin": "synapses.bin",
    "c": "network.h",
}
"""Every format, with the file that marks its folder."""
LOADERS = {"samna": "load.py"}
"""Formats with a script of their own that programs a board; its first lines say how."""
PARQUET = ("tables", "tiles")
"""What can be written as Parquet in place of CSV: `write(tables, folder, parquet=True)`."""


def format_of(name: str, chip: Chip) -> ModuleType:
    """Give the module of a format: `write(tables, folder)` and `read(folder)`.

    Raises DescriptionError where there is no such format, or the chip is not programmed with it.
    """
    if name not in FORMATS:
        raise DescriptionError(f"format is {name!r}, allowed: tables, {', '.join(FORMATS)}")
    if name not in chip.formats:
        known = ", ".join(["tables", *chip.formats])
        raise DescriptionError(f"format is {name!r}, but {chip.label} is not programmed with it; allowed: {known}")
    return import_module(f"neuro.formats.{name}")


def load_configuration(folder: str | Path, edited: bool = False) -> Tables:
    """Read a folder of tables, or what a vendor's format wrote; `edited` accepts tables changed by hand.

    Raises TableError naming the file and the row of the first thing that is wrong.
    """
    for name, mark in FORMATS.items():
        if (Path(folder) / mark).is_file():
            return import_module(f"neuro.formats.{name}").read(folder)
    return load_tables(folder, edited)


__all__ = ["FORMATS", "LOADERS", "PARQUET", "format_of", "load_configuration"]
