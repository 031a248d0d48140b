"""From a population's constants, as a task states them, to the float32 values a chip's neuron model steps with."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from neuro.descriptor import Chip
from neuro.dynamics import NeuronModel, ParameterSet
from neuro.errors import DescriptionError
from neuro.placement.grid import weight_unit
from neuro.task import NetworkSpec, Population


def neuron_model(chip: Chip) -> NeuronModel:
    """Read the five choices out of a descriptor."""
    n = chip.neuron
    return NeuronModel(n.leak, n.reset, n.refractory, n.floor is not None, n.adaptation)


def currents_in_use(spec: NetworkSpec, chip: Chip) -> tuple[str, ...]:
    """Name the currents a network uses, in descriptor order; a time constant without a name means the first one."""
    known = [c.name for c in chip.currents]
    used = set()
    for name, population in spec.populations.items():
        if not _by_current(population, known[0]):
            raise DescriptionError(f"populations.{name}: no current has a time constant, allowed: {', '.join(known)}")
        for current in _by_current(population, known[0]):
            if current not in known:
                raise DescriptionError(
                    f"populations.{name}: current {current!r} is not one of {chip.label}; allowed: {', '.join(known)}"
                )
            used.add(current)
        _refuse_outputs(name, population, spec, chip)
    return tuple(name for name in known if name in used)


def _refuse_outputs(name: str, population: Population, spec: NetworkSpec, chip: Chip) -> None:
    """Raise DescriptionError where neurons that are read out would have a current that theirs have not."""
    if chip.cores.outputs is None or all(o.population != name for o in spec.outputs.values()):
        return
    have = [current.name for current in chip.currents if current.outputs]
    for current in _by_current(population, chip.currents[0].name):
        if current not in have:
            raise DescriptionError(
                f"populations.{name}: neurons that are read out have no current {current!r} on {chip.label}; allowed: "
                f"{', '.join(have)}"
            )


def listens_with(population: Population, chip: Chip) -> tuple[str, ...]:
    """Name the currents one population has a time constant for."""
    return tuple(_by_current(population, chip.currents[0].name))


def parameter_set(name: str, spec: NetworkSpec, chip: Chip, currents: tuple[str, ...]) -> ParameterSet:
    """Turn times into decays: float32(exp(−dt/τ)) computed once in float64; refractory time into whole steps.

    What the chip's neurons do not have, synaptic time constants or a refractory period, is left out.
    """
    population = spec.populations[name]
    where = f"populations.{name}"
    decays = _by_current(population, chip.currents[0].name)
    instant = {current.name for current in chip.currents if current.instant}
    if population.tau_syn_s is not None:
        decays = {current: _decay(tau, spec.dt_s) for current, tau in decays.items()}
    elif any(decays[current] for current in instant & set(decays)):
        raise DescriptionError(
            f"{where}.decay_syn: events act in their own step alone on {chip.label}, allowed: 0, or tau_syn_s, which is "
            "left out here"
        )
    decays = {c: decay if c in instant else held_decay(f"{where}: {c}", decay, chip) for c, decay in decays.items()}
    adaptation = population.adaptation
    if adaptation and chip.neuron.adaptation == "none":
        raise DescriptionError(f"{where}.adaptation: the neurons of {chip.label} do not adapt; leave it out")
    floor = -math.inf if chip.neuron.floor is None else chip.neuron.floor
    rests = chip.neuron.refractory != "none"
    constants = ParameterSet(
        leak=_f32(_leak(where, population, spec, chip)),
        decay_syn=tuple(0.0 if c in instant else _f32(decays.get(c, _no_current(chip))) for c in currents),
        theta=_f32(population.threshold),
        v_reset=_f32(population.v_reset),
        floor=_f32(floor),
        bias=_f32(population.bias),
        beta=_f32(adaptation.strength) if adaptation else 0.0,
        decay_a=_f32(adaptation.decay if adaptation.decay is not None else _decay(adaptation.tau_s, spec.dt_s))
        if adaptation
        else 0.0,
        refractory_steps=round(population.refractory_s / spec.dt_s) if rests else 0,
    )
    if not chip.neuron.constant_bits:
        return constants
    return _in_whole_units(where, constants, weight_unit(chip, spec, name), chip)


def _in_whole_units(where: str, constants: ParameterSet, unit: float, chip: Chip) -> ParameterSet:
    """Round constants to whole weight units, a linear leak and the bias as one number; refuse what has too many bits."""
    if chip.neuron.leak == "linear":
        constants = replace(constants, leak=constants.leak - constants.bias, bias=0.0)
    whole = {}
    for constant, bits in chip.neuron.constant_bits.items():
        name = {"tau_mem": "leak", "threshold": "theta"}.get(constant, constant)
        step, most = chip.neuron.constant_steps.get(constant, 1), 2 ** (bits - 1) - 1
        units = round(getattr(constants, name) / unit / step) * step
        if abs(units) > most or (name == "theta" and units < 1):
            raise DescriptionError(
                f"{where}: {constant} is {getattr(constants, name):g}, {units} units of {unit:g}, allowed on {chip.label}: "
                f"at most {most} units either way, for thresholds at least {step}"
            )
        whole[name] = units * unit
    if chip.neuron.decay_bits is not None:
        whole["unit"] = unit
    return replace(constants, **whole)


def held_decay(where: str, decay: float, chip: Chip) -> float:
    """Give the nearest decay per step that neurons can have: any, or n / 2^bits, or 1 − 2^−n by the time constant.

    Raises DescriptionError for a decay too slow for the chip.
    """
    bits = chip.neuron.decay_bits
    if bits is None:
        return decay
    if chip.neuron.leak == "fraction":
        return max(1, round(decay * 2**bits)) / 2**bits
    most = 2**bits - 1
    shift = max(0, round(math.log2(-1 / math.log(decay)))) if 0 < decay < 1 else 0 if decay == 0 else math.inf
    if shift > most:
        raise DescriptionError(
            f"{where}: a decay of {decay:g} a step is too slow, allowed on {chip.label}: time constants up to {2**most} "
            f"steps, as shifts have {bits} bits"
        )
    return 1 - 2.0**-shift


def _no_current(chip: Chip) -> float:
    """The decay of a current that a neuron does not hear: none is left, or as little as can be."""
    return 2.0**-chip.neuron.decay_bits if chip.neuron.leak == "fraction" else 0.0


def _by_current(population: Population, first: str) -> dict[str, float]:
    given = population.tau_syn_s if population.tau_syn_s is not None else population.decay_syn
    return given if isinstance(given, dict) else {first: given}


def _leak(where: str, population: Population, spec: NetworkSpec, chip: Chip) -> float:
    if chip.neuron.leak in ("exponential", "fraction", "shift"):
        if population.leak is not None:
            raise DescriptionError(
                f"{where}.leak: the membrane of {chip.label} leaks exponentially; give tau_mem_s or decay_mem"
            )
        decay = population.decay_mem if population.decay_mem is not None else _decay(population.tau_mem_s, spec.dt_s)
        return held_decay(f"{where}: the membrane", decay, chip)
    if population.tau_mem_s is not None:  # as much as an exponential membrane loses at half its threshold
        return population.threshold / 2 * (1 - _decay(population.tau_mem_s, spec.dt_s))
    if population.leak is None:
        raise DescriptionError(
            f"{where}: the membrane of {chip.label} leaks by a fixed amount a step ({chip.neuron.leak}); "
            "give `leak`, or tau_mem_s, in place of decay_mem"
        )
    return population.leak


def _decay(tau_s: float, dt_s: float) -> float:
    return math.exp(-dt_s / tau_s)


def _f32(value: float) -> float:
    return float(np.float32(value))
