"""Time constants, refractory periods and thresholds as bias currents, beside the biases of base weights."""

from __future__ import annotations

import pandas as pd

from neuro.descriptor import nearest_code, wanted_current
from neuro.tables import Tables
from neuro.tables.constants import core_constants


def with_constants(tables: Tables) -> Tables:
    """Add a row for every bias that constants set, with the nearest code, and the chip's own code for the others."""
    chip = tables.chip
    if chip.circuits is None:
        return tables
    values = {(c, k, setting.name): value for c, k, setting, value in core_constants(tables)}
    own = tables.frames["biases"]
    taken = set(own[["chip", "core", "name"]].itertuples(index=False, name=None))
    rows = []
    for c, k in tables.exponents:
        for setting in chip.circuits.biases:
            place = (c, k, setting.name)
            if place in values:
                rows.append((*place, *nearest_code(setting, wanted_current(setting, values[place], chip), chip)))
            elif setting.code is not None and place not in taken:
                current = next(
                    i for *code, i in getattr(chip.bias_dac, setting.name[-1]) if tuple(code) == setting.code
                )
                rows.append((*place, *setting.code, current))
    frame = pd.DataFrame(rows, columns=own.columns)
    return Tables(tables.manifest, {**tables.frames, "biases": pd.concat([own, frame]) if len(own) else frame})
