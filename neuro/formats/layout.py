"""What a vendor's objects can hold: sizes a chip must not exceed, and the columns of a format's tables with their range."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import reduce

import numpy as np
import pandas as pd

from neuro.descriptor import Chip
from neuro.errors import DescriptionError, TableError

TEXT = None
"""In place of a column's range: the column holds names."""

Fields = Mapping[str, range | None]


def refuse_other_chips(chip: Chip, sizes: Mapping[str, Collection], types: Mapping[str, int], where: str) -> None:
    """Raise DescriptionError where a value of the chip, by dotted path, is none a vendor's objects can have."""
    for path, allowed in sizes.items():
        value = reduce(getattr, path.split("."), chip)
        if value not in allowed:
            raise DescriptionError(f"{path} is {value} on {chip.label}, allowed in {where}: {_words(allowed)}")
    for t in chip.types:
        if types.get(t.name) != t.id:
            known = ", ".join(f"{name} {number}" for name, number in types.items())
            raise DescriptionError(f"type {t.name} has id {t.id} on {chip.label}, allowed in {where}: {known}")


def refuse_out_of_range(frame: pd.DataFrame, fields: Fields, where: str) -> None:
    """Raise TableError naming the first cell that a vendor's objects cannot hold."""
    for column, allowed in fields.items():
        if allowed is TEXT:
            continue
        values = frame[column].to_numpy()
        bad = np.flatnonzero((values < allowed.start) | (values >= allowed.stop))
        if len(bad):
            have = f"{where}, row {bad[0] + 1}: {column} is {values[bad[0]]}"
            raise TableError(f"{have}, allowed: {allowed.start} to {allowed.stop - 1}")


def _words(allowed: Collection) -> str:
    if isinstance(allowed, range):
        return f"{allowed.start} to {allowed.stop - 1}" if len(allowed) > 1 else str(allowed.start)
    return " or ".join(map(str, allowed))
