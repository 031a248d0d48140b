"""From constants of neurons to bias currents and back: what one volt, one farad and one ampere make of a time.

    I = ratio · C · U_T / (κ · τ)     a leak (log-domain low-pass filter)
    I = U_switch · C / t              a refractory period, a delay: a capacitor charged by a constant current
    I = unit · θ                      a threshold current

All of them are device currents; a bias generator gives I / scale. Sources stand with the figures of a chip.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from neuro.descriptor.mixed_signal import BiasSetting
    from neuro.descriptor.models import Chip

Code = tuple[int, int, float]


def wanted_current(setting: BiasSetting, value: float, chip: Chip) -> float:
    """The bias current in amperes for a constant: seconds, or thresholds; infinite for a time of 0."""
    c = chip.circuits
    if setting.constant == "threshold":
        return setting.unit_a * value / setting.scale
    if value == 0:
        return math.inf
    if setting.constant in ("refractory", "delay"):
        return c.switch_v * setting.capacitance_f / value / setting.scale
    return setting.ratio * setting.capacitance_f * c.thermal_voltage_v / (c.kappa * value) / setting.scale


def realised_value(setting: BiasSetting, current_a: float, chip: Chip) -> float:
    """The constant a bias current gives, in seconds or thresholds; infinite where a leak has no current."""
    if setting.constant == "threshold":
        return current_a * setting.scale / setting.unit_a
    return wanted_current(setting, current_a, chip) if current_a else math.inf  # each equation is its own inverse


def codes_of(setting: BiasSetting, chip: Chip) -> tuple[Code, ...]:
    """The codes of a bias, (coarse, fine, amperes): those of N- or P-type parameters, as its name ends."""
    return getattr(chip.bias_dac, setting.name[-1])


def leading_bias(chip: Chip, constant: str, current: str | None = None, second: bool = False) -> BiasSetting | None:
    """The bias that a constant, for tau_syn of a current, is read from: the first one, no gain; None if none sets it."""
    types = next(((*c.types, *c.shunting) for c in chip.currents if c.name == current), ())
    for setting in chip.circuits.biases if chip.circuits else ():
        leads = (setting.constant, setting.ratio, setting.second) == (constant, 1.0, second)
        if leads and (setting.type is None or setting.type in types):
            return setting
    return None


def nearest_code(setting: BiasSetting, current_a: float, chip: Chip) -> Code:
    """The code whose current is nearest; the first of several, the largest current for an infinite one."""
    codes = codes_of(setting, chip)
    if math.isinf(current_a):
        return max(codes, key=lambda code: code[2])
    return min(codes, key=lambda code: abs(code[2] - current_a))


def reachable_values(setting: BiasSetting, chip: Chip) -> tuple[float, float]:
    """The least and the largest constant that some code gives."""
    currents = [current for _, _, current in codes_of(setting, chip) if current > 0]
    values = [realised_value(setting, current, chip) for current in (min(currents), max(currents))]
    return min(values), max(values)
