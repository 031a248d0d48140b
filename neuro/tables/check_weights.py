"""Rules on weight values: their signs, the bits a base weight may have, and sums that float32 adds exactly."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from neuro.tables.check_pairs import pair_findings
from neuro.tables.exact import EXACT, base_bits
from neuro.tables.finding import CORE, NEURON, WEIGHT, Finding, found
from neuro.tables.joined import HERE, Joined, levels_of, types_in_use


def weight_findings(joined: Joined) -> list[Finding]:
    """Find weight values no base weight gives, and neurons whose sums could be rounded."""
    weights = joined.tables.frames["weights"]
    kind = joined.chip.weights.kind
    rules = {"levels": _levels, "crossbar": _signed, "conductance": pair_findings}.get(kind, _bases)
    return [*rules(joined, weights), *_sums(joined)]


def _bases(joined: Joined, weights: pd.DataFrame) -> list[Finding]:
    """Counts and masks: a row is a base weight, of its type's sign or without one."""
    chip = joined.chip.weights
    used = types_in_use(joined.tables)
    counts = chip.kind == "counts"
    sign = weights["type"].map({i: t.sign for i, (t, _) in used.items()}) if counts else 1
    size = (weights["value"] * sign).to_numpy()
    per_word = 1 if counts else len(chip.bases)
    most = 2 ** base_bits(joined.chip.inputs.events_per_step, chip.slots * per_word) - 1
    wrong = weights[(size <= 0) | (size > most)]
    text = f"1 to {most} times the sign of the type" if counts else f"1 to {most}"
    findings = found("weight value", wrong, WEIGHT, "{value}", text)
    if counts:
        names = {base.name for base in chip.bases}
        baseless = weights[~weights["type"].isin([i for i, (t, _) in used.items() if t.name in names])]
        findings += found("base weight", baseless, WEIGHT, "a type without a base weight", ", ".join(sorted(names)))
    return findings


def _signed(joined: Joined, weights: pd.DataFrame) -> list[Finding]:
    """Crossbars: a neuron's weights have so many bits, sign included."""
    most = 2 ** (joined.chip.weights.weight_bits - 1) - 1
    wide = weights[weights["value"].abs() > most]
    return found("weight value", wide, f"neuron {{neuron}} of {WEIGHT}", "{value}", f"-{most} to {most}")


def _levels(joined: Joined, weights: pd.DataFrame) -> list[Finding]:
    """Levels: every row of a core is a level of the descriptor times one positive scale, rounded to the grid."""
    chip = joined.chip.weights
    level = levels_of(joined.chip)[weights["part"].to_numpy()]
    sign = np.sign(level)
    if chip.sign != "free":
        sign = weights["type"].map({i: t.sign for i, (t, _) in types_in_use(joined.tables).items()}).to_numpy()
    value = weights["value"].to_numpy()
    good = (value == 0) | ((np.sign(value) == sign) & (level != 0))
    findings = found("weight value", weights[~good], WEIGHT, "{value}", "the sign its level and type have")
    return findings + _one_scale(joined, weights.assign(level=np.abs(level), size=np.abs(value)))


def _one_scale(joined: Joined, weights: pd.DataFrame) -> list[Finding]:
    rows = weights[weights["level"] > 0]
    lowest = ((rows["size"] - 0.5) / rows["level"] * (1 - 1e-6)).clip(lower=1)
    highest = (rows["size"] + 0.5) / rows["level"] * (1 + 1e-6)
    cores = rows.assign(low=lowest, high=highest).groupby(["chip", "core"])
    range_of = cores.agg(low=("low", "max"), high=("high", "min")).reset_index()
    split = range_of[range_of["low"] > range_of["high"]]
    findings = found("scale of levels", split, CORE, "values of more than one scale", "one scale times the levels")
    findings += _shifted(joined, range_of)
    slots, most = joined.chip.weights.slots, float(np.abs(levels_of(joined.chip)).max())
    if slots is None or most == 0:
        return findings
    limit = 2 ** base_bits(joined.chip.inputs.events_per_step, slots * most) - 1
    over = range_of[(range_of["low"] > limit + 0.5) & (range_of["low"] <= range_of["high"])]
    return findings + found("scale of levels", over, CORE, lambda row: math.ceil(row["low"]), limit)


def _shifted(joined: Joined, range_of: pd.DataFrame) -> list[Finding]:
    """Chips of whole numbers: the scale of a core is one of the powers of two its words can be shifted by."""
    shifts = joined.chip.weights.shifts
    if not shifts:
        return []
    fits = [
        any(low <= 2**k <= high for k in shifts) for low, high in zip(range_of["low"], range_of["high"], strict=True)
    ]
    wrong = range_of[~np.array(fits, dtype=bool) & (range_of["low"] <= range_of["high"]).to_numpy()]
    allowed = "2^n, n one of " + ", ".join(map(str, shifts))
    return found("scale of levels", wrong, CORE, lambda row: round((row["low"] + row["high"]) / 2), allowed)


def _sums(joined: Joined) -> list[Finding]:
    """Σ|w|·events of a neuron and current, as if every source it hears were active in the same step."""
    if joined.tally is not None and joined.tally.largest < EXACT:
        return []
    deliveries = joined.deliveries
    events = np.where(deliveries["source"] < joined.inputs, joined.chip.inputs.events_per_step, 1)
    key = ["chip", "core", "tag"]
    arriving = deliveries.assign(events=events).groupby(key)["events"].sum().reset_index()
    words = joined.words.merge(arriving, on=key)
    units = words["value"].abs().astype(float) * words["events"]
    total = words.assign(units=units).groupby([*HERE, "current"])["units"].sum().reset_index()
    over = total[total["units"] >= EXACT]
    where = NEURON + " current {current}"
    return found("sum of weights", over, where, lambda row: int(row["units"]), EXACT - 1) if len(over) else []
