"""Times a chip's bias generator can give: a constant out of its reach is refused before anything is trained."""

from __future__ import annotations

import math

from neuro.descriptor import Chip, leading_bias, reachable_values
from neuro.dynamics import ParameterSet
from neuro.errors import DescriptionError
from neuro.task import NetworkSpec, Population

FASTEST = 10.0  # a step is at most so many trained time constants long: beyond, all decays are 0 to a network


def refuse_unreachable(name: str, population: Population, chip: Chip) -> None:
    """Raise DescriptionError for a time in seconds that no bias of the chip gives, with what is reachable.

    Decays given per step are taken as they are: they say what the network computes, and get the nearest code.
    """
    for setting in chip.circuits.biases if chip.circuits else ():
        low, high = reachable_values(setting, chip) if setting.constant else (0.0, 0.0)
        for key, value in _given(setting, population, chip):
            if not low <= value <= high:
                raise DescriptionError(
                    f"populations.{name}.{key} is {value:g}, allowed on {chip.label}: {low:.3g} to {high:.3g}, what bias "
                    f"{setting.name} can give"
                )


def refuse_unreachable_lines(spec: NetworkSpec, chip: Chip) -> None:
    """Raise DescriptionError for a delay line that its bias cannot give."""
    by_line = {chip.line_of(steps, spec.delay_lines): steps * spec.dt_s for steps in spec.delay_lines}
    for setting in chip.circuits.biases if chip.circuits else ():
        if setting.line not in by_line:
            continue
        low, high = reachable_values(setting, chip)
        if not low <= by_line[setting.line] <= high:
            raise DescriptionError(
                f"delay_lines are {list(spec.delay_lines)} steps, one of them {by_line[setting.line]:g} s, allowed on "
                f"{chip.label}: {low:.3g} to {high:.3g} s, what bias {setting.name} can give"
            )


def refuse_untrainable(
    spec: NetworkSpec, chip: Chip, parameters: dict[str, ParameterSet], currents: tuple[str, ...]
) -> None:
    """Raise DescriptionError where `trainable` names what the chip cannot change, or what starts out of reach."""
    where = f"trainable is {list(spec.trainable)}"
    if spec.trainable and chip.neuron.constant_bits:
        raise DescriptionError(
            f"{where}, but constants of {chip.label} are whole numbers of weight units; leave it out"
        )
    if "tau_mem" in spec.trainable and chip.neuron.leak != "exponential":
        raise DescriptionError(f"{where}, but the membrane of {chip.label} has no time constant; leave tau_mem out")
    for name, p in parameters.items():
        for constant, current, value in _trained(spec, p, currents):
            setting = leading_bias(chip, constant, current)
            if setting is None and (chip.circuits or chip.real):
                raise DescriptionError(f"{where}, but no bias of {chip.label} sets {constant}; leave it out")
            low, high = reachable_values(setting, chip) if setting else (0.0, math.inf)
            low = low if constant == "threshold" else max(low, spec.dt_s / FASTEST)
            if constant != "threshold":
                value = -spec.dt_s / math.log(value) if 0 < value < 1 else math.inf if value else 0.0
            if not low <= value <= high or math.isinf(value):
                raise DescriptionError(
                    f"populations.{name}: {constant} is trained and starts at {value:g}, allowed: {low:.3g} to {high:.3g}"
                )


def _trained(spec: NetworkSpec, p: ParameterSet, currents: tuple[str, ...]) -> list[tuple[str, str | None, float]]:
    """The constants of a population that are trained: name, current, and what it starts with, times as decays a step."""
    found = [("tau_mem", None, p.leak), ("threshold", None, p.theta)]
    found += [("tau_syn", current, decay) for current, decay in zip(currents, p.decay_syn, strict=True) if decay]
    return [entry for entry in found if entry[0] in spec.trainable]


def _given(setting, population: Population, chip: Chip) -> list[tuple[str, float]]:
    """The values of one bias's constant that a task gives, by key; a refractory period of 0 is as short as can be."""
    if setting.constant == "tau_mem" and population.tau_mem_s is not None:
        return [("tau_mem_s", population.tau_mem_s)]
    if setting.constant == "refractory" and population.refractory_s:
        return [("refractory_s", population.refractory_s)]
    if setting.constant == "threshold":
        return [("threshold", population.threshold)]
    if setting.constant == "adaptation" and population.adaptation and population.adaptation.tau_s is not None:
        return [("adaptation.tau_s", population.adaptation.tau_s)]
    if setting.constant == "tau_syn" and population.tau_syn_s is not None:
        given = population.tau_syn_s
        by_current = given if isinstance(given, dict) else {chip.currents[0].name: given}
        return [
            ("tau_syn_s", by_current[current.name])
            for current in chip.currents
            if setting.type in current.types and current.name in by_current
        ]
    return []
