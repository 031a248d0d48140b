"""Rules on constants: what the neuron model allows, how many values a core can hold, and latches between two values."""

from __future__ import annotations

import math
from collections.abc import Iterator
from operator import itemgetter

import numpy as np
import pandas as pd

from neuro.descriptor import Chip
from neuro.tables.finding import CORE, NEURON, Finding, found
from neuro.tables.joined import HERE, Joined
from neuro.tables.manifest import Parameters

FIXED = ("linear", "linear_to_zero")
"""Leaks of a fixed amount; the others are decays."""
CONSTANTS = {
    "tau_mem": lambda p: p.leak,
    "tau_syn": lambda p: p.decay_syn,
    "threshold": lambda p: p.theta,
    "v_reset": lambda p: p.v_reset,
    "refractory": lambda p: p.refractory_steps,
    "adaptation": lambda p: (p.beta, p.decay_a if p.beta else 0.0),
    "bias": lambda p: p.bias,
}


def neuron_findings(joined: Joined) -> list[Finding]:
    """Find constants the chip's neurons cannot have, alone or together in a core."""
    return [*_constants(joined), *_decays(joined), *_whole(joined), *_distinct(joined), *_latches(joined)]


def _constants(joined: Joined) -> Iterator[Finding]:
    for p in joined.manifest.parameter_sets:
        where = f"manifest parameter set {p.id}"
        for name, value, low, high in _bounds(p, joined):
            if not (low <= value <= high):
                yield Finding(name, where, repr(value), f"{low:g} to {high:g}" if low < high else f"{low:g}")
            elif not is_float32(value):
                yield Finding(name, where, value.hex(), "a float32")
        if not p.theta > 0:
            yield Finding("theta", where, repr(p.theta), "above 0")


def _bounds(p: Parameters, joined: Joined) -> Iterator[tuple[str, float, float, float]]:
    """Each constant with the lowest and highest value the neuron model gives a meaning to."""
    neuron = joined.chip.neuron
    most = float(np.finfo(np.float32).max)
    floor = -math.inf if neuron.floor is None else float(np.float32(neuron.floor))
    yield "leak", p.leak, -most if neuron.leak == "linear" else 0.0, most if neuron.leak in FIXED else 1.0
    instant = {current.name for current in joined.chip.currents if current.instant}
    for current, decay in zip(joined.manifest.currents, p.decay_syn, strict=True):
        yield f"decay_syn of {current}", decay, 0.0, 0.0 if current in instant else 1.0
    yield "refractory_steps", float(p.refractory_steps), 0.0, 0.0 if neuron.refractory == "none" else most
    yield "theta", p.theta, -most, most
    yield "v_reset", p.v_reset, -most, most
    yield "floor", p.floor, floor, floor
    yield "bias", p.bias, -most, most
    yield "beta", p.beta, *((0.0, 0.0) if neuron.adaptation == "none" else (-most, most))
    yield "decay_a", p.decay_a, 0.0, 1.0


def _decays(joined: Joined) -> Iterator[Finding]:
    """Chips of whole numbers: decays are n / 2^bits, or 1 − 2^−n."""
    neuron = joined.chip.neuron
    if neuron.decay_bits is None:
        return
    instant = {current.name for current in joined.chip.currents if current.instant}
    for p in joined.manifest.parameter_sets:
        currents = zip(joined.manifest.currents, p.decay_syn, strict=True)
        decays = {"leak": p.leak} | {f"decay_syn of {c}": decay for c, decay in currents if c not in instant}
        for name, decay in decays.items():
            if neuron.leak == "fraction":
                steps, allowed = (
                    decay * 2**neuron.decay_bits,
                    f"1 to {2**neuron.decay_bits}, over {2**neuron.decay_bits}",
                )
                good = steps == round(steps) and steps >= 1
            else:
                most = 2**neuron.decay_bits - 1
                good, allowed = decay in {1 - 0.5**n for n in range(most + 1)}, f"1 - 2^-n, n from 0 to {most}"
            if not good:
                yield Finding(name, f"manifest parameter set {p.id}", repr(decay), allowed)


def _whole(joined: Joined) -> Iterator[Finding]:
    """Constants that are whole numbers of a core's weight units, of so many bits with sign."""
    limits = {**joined.chip.neuron.constant_bits}
    pairs = joined.neurons[["chip", "core", "parameters"]].drop_duplicates() if limits else joined.neurons[:0]
    sets, exponents = {p.id: p for p in joined.manifest.parameter_sets}, joined.tables.exponents
    for chip, core, number in pairs[["chip", "core", "parameters"]].itertuples(index=False):
        where = f"manifest parameter set {number} on {CORE.format(chip=chip, core=core)}"
        for constant, bits in limits.items():
            units, most = CONSTANTS[constant](sets[number]) / 2.0 ** exponents[chip, core], 2 ** (bits - 1) - 1
            step = joined.chip.neuron.constant_steps.get(constant, 1)
            if units != round(units) or units % step:
                allowed = "a whole number" if step == 1 else f"a multiple of {step}"
                yield Finding(f"{constant} in weight units", where, repr(units), allowed)
            elif abs(units) > most:
                yield Finding(f"{constant} in weight units", where, int(abs(units)), most)


def is_float32(value: float) -> bool:
    """Say whether a number is one that float32 holds; infinities are."""
    with np.errstate(over="ignore"):
        return float(np.float32(value)) == value


def _distinct(joined: Joined) -> list[Finding]:
    findings = []
    for constant, limit in joined.chip.neuron.distinct_per_core.items():
        neurons = joined.neurons.assign(value=_values(joined, (constant,)))
        counts = neurons.groupby(["chip", "core"])["value"].nunique().reset_index()
        over = counts[counts["value"] > limit]
        findings += found(f"values of {constant}", over, CORE, itemgetter("value"), limit)
    limit = joined.chip.neuron.sets_per_core
    if limit is not None:
        neurons = joined.neurons.assign(value=_values(joined, tuple(CONSTANTS)))
        sets = neurons.groupby(["chip", "core"])["value"].nunique().reset_index()
        findings += found("sets of constants", sets[sets["value"] > limit], CORE, itemgetter("value"), limit)
    return findings


def _values(joined: Joined, constants: tuple[str, ...]) -> pd.Series:
    """Number the values that some constants take, together, for each neuron."""
    numbers: dict = {}
    by_id = {
        p.id: numbers.setdefault(tuple(CONSTANTS[c](p) for c in constants), len(numbers))
        for p in joined.manifest.parameter_sets
    }
    return joined.neurons["parameters"].map(by_id)


def _latches(joined: Joined) -> list[Finding]:
    findings = []
    for latch, constants in _constants_of(joined.chip).items():
        listed = joined.tables.frames["latches"]
        listed = listed[listed["name"] == latch]
        neurons = joined.neurons.assign(value=_values(joined, constants))
        neurons = neurons.merge(listed[HERE].assign(latched=True), on=HERE, how="left")
        neurons["latched"] = neurons["latched"].eq(True)
        for _, core in neurons.groupby(["chip", "core"]):
            allowed = f"set on exactly the neurons of one of two values of {' and '.join(constants)} in a core"
            findings += found(f"latch {latch}", _wrong(core), NEURON, _is_set, allowed)
    return findings


def _is_set(neuron: dict) -> str:
    return "set" if neuron["latched"] else "not set"


def _constants_of(chip: Chip) -> dict[str, tuple[str, ...]]:
    latches = chip.neuron.latches
    return {latch: tuple(c for c in latches if latches[c] == latch) for latch in latches.values()}


def _wrong(core: pd.DataFrame) -> pd.DataFrame:
    """Neurons of one core whose latch is not that of the others with their value."""
    values = core["value"].unique()
    if len(values) > 2:
        return core[:0]  # too many values: reported as such
    second = core["value"] != values[0]
    as_second, as_first = core[core["latched"] != second], core[core["latched"] == second]
    return as_first if len(values) == 2 and len(as_first) < len(as_second) else as_second
