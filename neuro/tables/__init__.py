"""The configuration of a chip as tables: columns, reader, writer, and a checker that made none of it."""

from neuro.tables.boards import on_board
from neuro.tables.checker import check, ill_formed
from neuro.tables.columns import COLUMNS, columns_of
from neuro.tables.finding import Finding
from neuro.tables.joined import Joined
from neuro.tables.manifest import (
    GridExponent,
    Input,
    Manifest,
    Output,
    Parameters,
    Population,
    Position,
    chip_sha256,
)
from neuro.tables.model import Tables, load_tables, make_tables

__all__ = [
    "COLUMNS",
    "Finding",
    "GridExponent",
    "Input",
    "Joined",
    "Manifest",
    "Output",
    "Parameters",
    "Population",
    "Position",
    "Tables",
    "check",
    "chip_sha256",
    "columns_of",
    "ill_formed",
    "load_tables",
    "make_tables",
    "on_board",
]
