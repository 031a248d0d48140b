"""The columns of every table: their names and order, what a cell holds, and which columns tell two rows apart."""

from __future__ import annotations

import numpy as np
import pandas as pd

from neuro.descriptor import Chip
from neuro.errors import TableError

MASK_CORES = 32  # a core mask is one 32-bit word; larger chips name one target core a row

COLUMNS: dict[str, tuple[str, ...]] = {
    "neurons": ("chip", "core", "neuron", "population", "index", "parameters"),
    "weights": ("chip", "core", "neuron", "type", "part", "value"),
    "synapses": ("chip", "core", "neuron", "slot", "tag", "type", "part", "code", "delay"),
    "axons": ("chip", "core", "axon", "tag", "type"),
    "routes": ("chip", "core", "neuron", "route", "tag", "target_chip", "core_mask", "delay"),
    "inputs": ("input", "channel", "tag", "target_chip", "core_mask", "delay"),
    "readout": ("output", "row", "population", "index", "weight"),
    "biases": ("chip", "core", "name", "coarse", "fine", "current_a"),
    "latches": ("chip", "core", "neuron", "name"),
}
KEYS: dict[str, tuple[str, ...]] = {
    "neurons": ("chip", "core", "neuron"),
    "weights": ("chip", "core", "neuron", "type", "part"),
    "synapses": ("chip", "core", "neuron", "slot"),
    "axons": ("chip", "core", "axon"),
    "routes": ("chip", "core", "neuron", "route"),
    "inputs": ("input", "channel", "tag", "target_chip", "core_mask", "delay"),
    "readout": ("output", "row", "index"),
    "biases": ("chip", "core", "name"),
    "latches": ("chip", "core", "neuron", "name"),
}
KINDS = dict.fromkeys(("weight", "current_a", "bias", "g_plus_us", "g_minus_us"), "float") | {"name": "text"}
TEXT = r"[A-Za-z_][A-Za-z0-9_.-]*"


def columns_of(table: str, chip: Chip) -> tuple[str, ...]:
    """Name a table's columns, in order, on one chip."""
    return _targets(COLUMNS[table], chip)


def key_of(table: str, chip: Chip) -> tuple[str, ...]:
    """Name the columns that no two rows of a table may share."""
    if table == "routes" and chip.cores.per_chip > MASK_CORES:
        return (*KEYS[table], "target_core")
    return _targets(KEYS[table], chip)


def kind_of(column: str) -> str:
    """Say what a column's cells hold: int, float or text."""
    return KINDS.get(column, "int")


def empty(table: str, chip: Chip) -> pd.DataFrame:
    """Make a table without rows."""
    return tidy(table, pd.DataFrame(columns=list(columns_of(table, chip))), chip)


def tidy(table: str, frame: pd.DataFrame, chip: Chip) -> pd.DataFrame:
    """Give a frame the exact columns and types of its table: int64, float64, text.

    Raises TableError where columns are missing, extra or misordered, or a cell is not what its column holds.
    """
    expected = columns_of(table, chip)
    if tuple(frame.columns) != expected:
        have = ", ".join(map(str, frame.columns)) or "none"
        raise TableError(f"{table}: columns are {have}; allowed: exactly {', '.join(expected)}, in this order")
    convert = {"int": _integers, "float": _floats, "text": _texts}
    cells = {name: convert[kind_of(name)](frame[name], f"{table}: column {name}") for name in expected}
    return pd.DataFrame(cells, columns=list(expected), copy=False)  # the cells are copies already


def _targets(names: tuple[str, ...], chip: Chip) -> tuple[str, ...]:
    if chip.cores.per_chip <= MASK_CORES:
        return names
    return tuple("target_core" if name == "core_mask" else name for name in names)


def _integers(column: pd.Series, where: str) -> np.ndarray:
    values = column.to_numpy()
    if values.dtype.kind == "i" or not len(values):
        return values.astype(np.int64)
    if values.dtype.kind not in "uO" or any(type(v) is bool or not isinstance(v, int | np.integer) for v in values):
        raise TableError(f"{where} holds {values.dtype} values, allowed: whole numbers only (int64)")
    if max(values) >= 2**63 or min(values) < -(2**63):
        raise TableError(f"{where} holds {max(values, key=abs)}, allowed: −2^63 to 2^63 − 1")
    return values.astype(np.int64)


def _floats(column: pd.Series, where: str) -> np.ndarray:
    values = column.to_numpy()
    if len(values) and values.dtype.kind not in "fiu":
        raise TableError(f"{where} holds {values.dtype} values, allowed: numbers (float64)")
    values = values.astype(np.float64)
    if np.isnan(values).any():
        raise TableError(f"{where}, row {int(np.isnan(values).argmax())} is NaN, allowed: numbers only")
    return values


def _texts(column: pd.Series, where: str) -> pd.Series:
    names = column.reset_index(drop=True)
    if len(names) and not all(isinstance(v, str) for v in names):
        raise TableError(f"{where} holds values that are not text, allowed: names")
    odd = ~names.astype(str).str.fullmatch(TEXT).astype(bool)
    if odd.any():
        raise TableError(
            f"{where}, row {int(odd.argmax())} is {names[odd.argmax()]!r}, allowed: letters, digits, _ . and -"
        )
    return names.astype(str)
