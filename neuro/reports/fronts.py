"""Trade-offs in a sweep's table: means over seeds, and the points that nothing beats in both columns."""

from __future__ import annotations

import numpy as np
import pandas as pd

from neuro.errors import DataError

MORE_IS_BETTER = ("validation_accuracy", "test_accuracy", "activation_sparsity", "connection_sparsity")
FIXED = ("trial", "state", "reason", "task", "run")


def varied(table: pd.DataFrame) -> list[str]:
    """The columns a sweep varied, seeds apart: the chip where there are several, then keys."""
    keys = list(table.columns[table.columns.get_loc("chip") : table.columns.get_loc("seed")])
    return [key for key in keys if key not in ("chip", "chip_is") or (key == "chip" and table.chip.nunique() > 1)]


def finished(table: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """Rows of complete runs that know the columns. DataError for a column that is none, or where no row is left."""
    for column in columns:
        if column not in table or not pd.api.types.is_numeric_dtype(table[column]):
            numbers = [c for c in table if pd.api.types.is_numeric_dtype(table[c])]
            raise DataError(f"{column!r} is no column of numbers, allowed: {', '.join(numbers)}")
    rows = table[table.state == "complete"].dropna(subset=list(columns))
    if rows.empty:
        raise DataError(f"no complete run of this sweep has {' and '.join(columns)}")
    return rows


def over_seeds(table: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """Mean, standard deviation and number of runs of columns, for every choice of what was varied; and its chip_is."""
    keys = varied(table) or ["chip"]
    groups = finished(table, *columns).astype({c: "float64" for c in columns}).groupby(keys, sort=False, dropna=False)
    parts = {f"{c}_mean": groups[c].mean() for c in columns} | {f"{c}_sd": groups[c].std() for c in columns}
    return pd.DataFrame(parts | {"runs": groups.size(), "chip_is": groups["chip_is"].first()}).reset_index()


def pareto(x, y, more_x: bool, more_y: bool) -> np.ndarray:
    """Which points no other beats: as good in both, better in one. bool [n]."""
    a = np.asarray(x, float) * (-1 if more_x else 1)
    b = np.asarray(y, float) * (-1 if more_y else 1)
    beaten = (a[None] <= a[:, None]) & (b[None] <= b[:, None]) & ((a[None] < a[:, None]) | (b[None] < b[:, None]))
    return ~beaten.any(1)
