"""Rules on pairs of conductances: every weight of a core is a pair of its devices times the same one or two bases."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy.optimize import linprog

from neuro.tables.exact import base_bits
from neuro.tables.finding import CORE, Finding
from neuro.tables.joined import Joined, pair_weights_of

SLACK = 1e-6  # of a value: what float64 may lose on the way


def pair_findings(joined: Joined, weights: pd.DataFrame) -> list[Finding]:
    """Find cores whose weights are not b₊ · G₊ − b₋ · G₋, rounded, for any bases that a base weight can have."""
    return [finding for key, rows in weights.groupby(["chip", "core"]) for finding in _core(joined, key, rows)]


def _core(joined: Joined, key: tuple[int, int], rows: pd.DataFrame) -> Iterator[Finding]:
    plus, minus = (side[rows["part"].to_numpy()] for side in pair_weights_of(joined.chip))
    devices, two = joined.chip.devices, len(joined.chip.weights.bases) == 2
    sides = np.column_stack([plus, -minus]) if two else (plus - devices.gain * minus)[:, None]
    value = rows["value"].to_numpy(float)
    units = joined.chip.cores.axons * max(1.0, devices.gain)
    most = 2 ** base_bits(joined.chip.inputs.events_per_step, units) - 1
    room = 0.5 + SLACK * np.abs(value)
    bounds = (np.concatenate([value + room, room - value]), np.concatenate([sides, -sides]))
    fits = linprog(np.zeros(sides.shape[1]), A_ub=bounds[1], b_ub=bounds[0], bounds=(1, most), method="highs")
    if fits.status != 0:
        where = CORE.format(chip=key[0], core=key[1])
        yield Finding("weights of pairs", where, "values of no one array", f"pairs times bases of 1 to {most}")
