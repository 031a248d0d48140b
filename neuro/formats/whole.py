"""Networks of whole numbers as integers: constants in units of their core, and every word's weight."""

from __future__ import annotations

import math

import pandas as pd

from neuro.descriptor import Chip
from neuro.errors import DescriptionError
from neuro.tables import Tables
from neuro.tables.joined import HERE, Joined
from neuro.tables.manifest import Parameters

FIXED = ("linear", "linear_to_zero")
"""Leaks of a fixed amount, where `leak` is a number of units; elsewhere it is the n of a decay."""


def refuse_real_numbers(chip: Chip, where: str) -> None:
    """Raise DescriptionError where a chip's neurons and weights are not whole numbers from end to end."""
    neuron, weights = chip.neuron, chip.weights
    fixed = neuron.leak in FIXED and "tau_mem" in neuron.constant_bits
    instant = all(current.instant for current in chip.currents)
    for path, good, allowed in (
        ("weights.shifts", weights.kind == "levels" and bool(weights.shifts), "levels shifted by whole numbers"),
        ("neuron.leak", neuron.decay_bits is not None or fixed, "fraction, shift, or linear in whole units"),
        ("currents", neuron.decay_bits is not None or instant, "instant, or a neuron that decays in whole numbers"),
        ("neuron.adaptation", neuron.adaptation == "none", "none"),
        ("neuron.constant_bits", {"threshold", "v_reset", "bias"} <= set(neuron.constant_bits), "whole constants"),
    ):
        if not good:
            raise DescriptionError(
                f"{path} of {chip.label} has numbers that are not whole, allowed in {where}: {allowed}"
            )


def decay_number(decay: float, chip: Chip) -> int:
    """The n of a decay: n / 2^bits, or 1 − 2^−n."""
    if chip.neuron.leak == "fraction":
        return round(decay * 2**chip.neuron.decay_bits)
    return round(-math.log2(1 - decay))


def whole_constants(p: Parameters, exponent: int, chip: Chip) -> dict[str, int | list[int]]:
    """The constants of a parameter set in units of 2^exponent; decays by their n, absent without decays."""
    unit = 2.0**exponent
    decays = chip.neuron.decay_bits is not None
    return {
        "leak": decay_number(p.leak, chip) if decays else int(p.leak / unit),
        "decay_syn": [decay_number(decay, chip) for decay in p.decay_syn] if decays else [],
        "threshold": int(p.theta / unit),
        "reset": int(p.v_reset / unit),
        "bias": int(p.bias / unit),
        "refractory": p.refractory_steps,
    }


def constants_of_neurons(tables: Tables) -> pd.DataFrame:
    """One row for each neuron, by population and index: chip, core, neuron, and its constants as whole numbers."""
    sets, known = {p.id: p for p in tables.manifest.parameter_sets}, {}
    rows = []
    for chip, core, neuron, number in Joined(tables).neurons[[*HERE, "parameters"]].itertuples(index=False):
        key = (number, tables.exponents[chip, core])
        if key not in known:
            known[key] = whole_constants(sets[number], key[1], tables.chip)
        rows.append({"chip": chip, "core": core, "neuron": neuron, **known[key]})
    return pd.DataFrame(rows)
