"""Rules on biases: codes that the bias generator has, with its current, and base weights that are those currents."""

from __future__ import annotations

import numpy as np
import pandas as pd

from neuro.descriptor import Base
from neuro.tables.finding import CORE, WEIGHT, Finding, found
from neuro.tables.joined import Joined, levels_of, types_in_use


def dac_findings(joined: Joined) -> list[Finding]:
    """Find biases the DAC cannot give, and base weights that are not what their bias gives."""
    return [*_codes(joined), *_values(joined)]


def _codes(joined: Joined) -> list[Finding]:
    chip, biases = joined.chip, joined.tables.frames["biases"]
    where = CORE + " bias {name}"
    if chip.bias_dac is None:
        return found("bias", biases, where, "coarse {coarse} fine {fine}", "none: the chip has no bias generator")
    own = {base.bias for base in chip.weights.bases}
    both = (*chip.bias_dac.N, *chip.bias_dac.P)
    kinds = [(chip.weights.dac if name in own else name[-1:]) or "" for name in biases["name"]]
    tables = {"N": chip.bias_dac.N, "P": chip.bias_dac.P}
    return [
        finding
        for kind, rows in biases.groupby(kinds, sort=False)
        for finding in _unknown(rows, tables.get(kind, both), where)
    ]


def _unknown(biases: pd.DataFrame, table: tuple, where: str) -> list[Finding]:
    known = set(table)
    rows = zip(biases["coarse"], biases["fine"], biases["current_a"], strict=True)
    bad = biases[[row not in known for row in rows]]
    currents = {}
    for coarse, fine, current in table:
        currents.setdefault((coarse, fine), []).append(f"{current!r} A")

    def allowed(row: dict) -> str:
        code = (row["coarse"], row["fine"])
        return " or ".join(currents[code]) if code in currents else "a code of the chip's DAC table"

    return found("bias", bad, where, "coarse {coarse} fine {fine} {current_a!r} A", allowed)


def _values(joined: Joined) -> list[Finding]:
    """Base weights that a bias sets: value = round_half_even(current / weight_unit_a / 2^exponent)."""
    chip = joined.chip.weights
    if chip.dac is None:
        return []
    weights = _with_base(joined)
    weights = weights[weights["name"].notna()].merge(
        joined.tables.frames["biases"][["chip", "core", "name", "current_a"]], on=["chip", "core", "name"], how="left"
    )
    unset = weights[weights["current_a"].isna()].drop_duplicates(["chip", "core", "name"])
    findings = found("bias", unset, CORE, "no row {name}", "one row for every bias that sets a base weight")
    weights = weights[weights["current_a"].notna()]
    exponents = joined.tables.exponents
    step = np.array([2.0 ** exponents[place] for place in zip(weights["chip"], weights["core"], strict=True)])
    base = np.round(weights["current_a"].to_numpy() / chip.weight_unit_a / step)
    exact = base * weights["level"].to_numpy()
    wrong = weights.assign(wanted=np.round(exact))[np.abs(weights["value"].abs() - exact) > 0.5 + 1e-6 * np.abs(exact)]
    return findings + found("base weight", wrong, WEIGHT, "{value}", "{wanted:g}, what bias {name} gives")


def _with_base(joined: Joined) -> pd.DataFrame:
    """Weights with the `name` of the bias behind each row, and the `level` it is multiplied with."""
    chip, weights = joined.chip.weights, joined.tables.frames["weights"]
    if chip.kind == "levels":
        levels = np.abs(levels_of(joined.chip))[weights["part"].to_numpy()]
        return weights.assign(name=chip.bases[0].bias, level=levels)
    if chip.kind == "masks":
        return weights.assign(name=[chip.bases[part].bias for part in weights["part"]], level=1.0)
    by_name: dict[str, Base] = {base.name: base for base in chip.bases}
    biases = {i: by_name[t.name].bias for i, (t, _) in types_in_use(joined.tables).items() if t.name in by_name}
    return weights.assign(name=weights["type"].map(biases), level=1.0)
