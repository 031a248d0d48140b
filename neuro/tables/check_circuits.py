"""Rules on biases that constants set: every one is there, and no other code comes nearer to its constant."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from neuro.descriptor import BiasSetting
from neuro.tables.finding import CORE, Finding
from neuro.tables.joined import Joined, types_in_use
from neuro.tables.manifest import Parameters


def circuit_findings(joined: Joined) -> list[Finding]:
    """Find biases nobody knows, missing ones, and codes that are not the nearest to a constant of their core."""
    if joined.chip.circuits is None:
        return []
    return [*_unknown(joined), *(finding for s in joined.chip.circuits.biases for finding in _codes(s, joined))]


def _unknown(joined: Joined) -> Iterator[Finding]:
    known = {b.name for b in joined.chip.circuits.biases} | {b.bias for b in joined.chip.weights.bases}
    for b in joined.tables.frames["biases"].to_dict("records"):
        if b["name"] not in known:
            yield Finding("bias", CORE.format(**b), b["name"], "a bias of the chip")


def _codes(setting: BiasSetting, joined: Joined) -> Iterator[Finding]:
    codes = np.array(getattr(joined.chip.bias_dac, setting.name[-1]))
    biases = joined.tables.frames["biases"]
    have = biases[biases["name"] == setting.name].set_index(["chip", "core"])["current_a"].to_dict()
    for place, wanted in _wanted(setting, joined).items():
        where = f"chip {place[0]} core {place[1]} bias {setting.name}"
        if place not in have:
            yield Finding("bias", where, "none", f"one row, {setting.constant} of its neurons sets it")
            continue
        distance = np.abs(codes[:, 2] - min(wanted, codes[:, 2].max()))
        best = codes[distance.argmin()]
        if abs(have[place] - min(wanted, codes[:, 2].max())) > distance.min() * (1 + 1e-9) + 1e-24:
            yield Finding(
                "bias of a constant",
                where,
                f"{have[place]!r} A",
                f"{best[2]!r} A (coarse {best[0]:g} fine {best[1]:g}), nearest to {setting.constant}",
            )


def _wanted(setting: BiasSetting, joined: Joined) -> dict[tuple[int, int], float]:
    """The current each core's constant asks for, in amperes; a core without the constant is left out."""
    if setting.constant is None:
        return {}
    sets = {p.id: p for p in joined.manifest.parameter_sets}
    latched = joined.tables.frames["latches"].groupby(["chip", "core"])["neuron"].agg(set).to_dict()
    if setting.constant == "delay":
        current, cores = _of_line(setting, joined), joined.neurons[["chip", "core"]].itertuples(index=False, name=None)
        return dict.fromkeys(cores, current) if current else {}
    result = {}
    for place, neurons in joined.neurons.groupby(["chip", "core"]):
        second = neurons["neuron"].isin(latched.get(place, ()))
        rows = neurons[second] if setting.second else neurons if second.all() else neurons[~second]
        if len(rows):
            current = _current(setting, sets[rows["parameters"].iloc[0]], joined)
            if current is not None:
                result[place] = current
    return result


def _of_line(setting: BiasSetting, joined: Joined) -> float | None:
    """I = V · C / t: lines are numbered by rising delay, from 1 on where the chip has one that adds none."""
    circuits, delays, steps = joined.chip.circuits, joined.chip.delays, list(joined.manifest.delay_lines)
    if delays.undelayed:
        steps = [0] + [n for n in steps if n]
    line = dict(enumerate(sorted(steps))).get(setting.line)
    return circuits.switch_v * setting.capacitance_f / (line * joined.manifest.dt_s) / setting.scale if line else None


def _current(setting: BiasSetting, p: Parameters, joined: Joined) -> float | None:
    """I = gain · C · U_T / κ · (−ln decay / dt), V · C / t, or unit · θ; over the scale of the bias generator."""
    circuits, dt_s = joined.chip.circuits, joined.manifest.dt_s
    if setting.constant == "threshold":
        return p.theta * setting.unit_a / setting.scale
    if setting.constant == "refractory":
        steps = p.refractory_steps
        return circuits.switch_v * setting.capacitance_f / (steps * dt_s) / setting.scale if steps else np.inf
    decay = p.leak
    if setting.constant == "adaptation":
        decay = p.decay_a if p.beta else None
    if setting.constant == "tau_syn":
        place = {t.name: k for t, k in types_in_use(joined.tables).values()}
        decay = p.decay_syn[place[setting.type]] if setting.type in place else None
    if decay is None:
        return None
    per_second = -np.log(decay) / dt_s if decay else np.inf
    whole = setting.ratio * setting.capacitance_f * circuits.thermal_voltage_v / circuits.kappa
    return whole * per_second / setting.scale
