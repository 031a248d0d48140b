"""Which scheme, and how many words of it, a plan's populations have."""

from __future__ import annotations

import math

import torch

from neuro import weights
from neuro.errors import DescriptionError
from neuro.nn.bases import BaseWeights, grid_bits, rows_of
from neuro.placement import Plan, high_columns, highest_threshold, whole_bits, word_limits


def build_bases(plan: Plan) -> BaseWeights | None:
    """Make the base weights of every core in use, or None for the float twin."""
    chip = plan.chip
    if chip.weights.kind == "float":
        return None
    thetas = [highest_threshold(plan.spec) if chip.weights.shifts else 0.0] * len(plan.cores)
    for name, population in plan.spec.populations.items():
        for core in set(plan.core_index(name).tolist()):
            thetas[core] = max(thetas[core], population.threshold)
    return BaseWeights(chip, thetas, base_names(plan), weight_bits(plan))


def weight_bits(plan: Plan) -> int:
    """Bits of a base weight, or, without a sign, of the weights a neuron of a crossbar has."""
    chip = plan.chip
    free = grid_bits(chip.inputs.events_per_step, row_units(plan))
    if chip.weights.kind != "crossbar":
        return min(free, whole_bits(chip) or free)
    if chip.weights.weight_bits - 1 > free:
        raise DescriptionError(
            f"weights.weight_bits is {chip.weights.weight_bits} on {chip.cores.axons} axons, allowed: at most "
            f"{free + 1}, so that float32 adds a row exactly"
        )
    return chip.weights.weight_bits - 1


def base_names(plan: Plan) -> list[str]:
    """Name the base weights a core has: types in use (counts), mask bits (masks), the scale (levels), scales of a pair."""
    if plan.chip.weights.kind == "counts":
        return [t.name for t in plan.types if t.name in {b.name for b in plan.chip.weights.bases}]
    return [b.name for b in plan.chip.weights.bases]


def slots(plan: Plan) -> int:
    """Words of a neuron; where the chip names no number, the most sources a neuron may listen to."""
    if plan.chip.weights.slots is not None:
        return plan.chip.weights.slots
    if plan.chip.weights.kind in ("crossbar", "conductance"):
        return plan.chip.cores.axons
    return max(max(c.stop for c in plan.columns(p).values()) for p in plan.spec.populations)


def working_slots(plan: Plan, population: str, rows=slice(None)):
    """Slots of one population's neurons: those of the chip, or those of each neuron that work on a measured board."""
    limits = word_limits(plan, population)
    if limits is None:
        return plan.chip.weights.slots
    limits = torch.from_numpy(limits[rows])
    if limits.shape[1] == 1:
        return limits[:, 0]
    high = torch.from_numpy(high_columns(plan, population))
    return weights.NestedSlots(limits, high if len(high) == 1 else high[rows])


def row_units(plan: Plan) -> float:
    """The most base weights one row can add up to."""
    w = plan.chip.weights
    if w.kind == "conductance":
        return slots(plan) * max(1.0, plan.chip.devices.gain)
    per_word = {"masks": len(w.bases), "levels": max(map(abs, w.levels or (1,)))}.get(w.kind, 1)
    return slots(plan) * per_word


def build_scheme(plan: Plan, population: str, bases: BaseWeights | None, rows=slice(None)):
    """Make the scheme of one population's synapse memory (or of some rows), with its cores' present base weights."""
    w = plan.chip.weights
    if bases is None:
        return weights.FloatScheme()
    cores = torch.from_numpy(plan.core_index(population)[rows])
    values, have = rows_of(bases.values(), cores), working_slots(plan, population, rows)
    if w.kind == "counts":
        names = base_names(plan)
        types = [next(t for t in plan.types if t.name == name) for name in names]
        current_of = {t: c for c, name in enumerate(plan.currents) for t in _types_of(plan, name)}
        return weights.CountScheme(values, [t.sign for t in types], have, [current_of[name] for name in names])
    if w.kind == "masks":
        return weights.MaskScheme(values, have)
    if w.kind == "crossbar":
        values = torch.zeros(len(cores), w.axon_types, dtype=torch.int64)  # the first projection fits them
        return weights.CrossbarScheme(values, plan.chip.cores.axons, w.weight_bits, bases.grid().double()[cores], cores)
    if w.kind == "conductance":
        devices, grid = plan.chip.devices, bases.grid().double()[cores]
        levels = weights.spaced_levels(devices.states, devices.ratio or math.inf, devices.nonlinearity)
        shared = values.dim() == 1
        return weights.ConductanceScheme(levels, values, devices.gain, grid[:1] if shared else grid)
    levels = weights.LevelScheme(
        w.levels,
        have,
        "free" if w.sign == "type" else w.sign,
        scale=values,
        grid=rows_of(bases.grid()[:, None], cores).squeeze(-1),
        groups=cores,
    )
    if population not in plan.budgets:
        return levels
    return weights.FanOutScheme(levels, torch.from_numpy(plan.budgets[population]))


def _types_of(plan: Plan, current: str) -> tuple[str, ...]:
    entry = next(c for c in plan.chip.currents if c.name == current)
    return (*entry.types, *entry.shunting)


def sign_limits(plan: Plan) -> torch.Tensor | None:
    """Bounds that keep latents from signs a current has no synapse type for: [2, C, 1], or None."""
    has = [[plan.type_of(c, sign) is not None for c in plan.currents] for sign in (-1, 1)]
    if all(map(all, has)):
        return None
    inf = float("inf")
    low = torch.tensor([-inf if ok else 0.0 for ok in has[0]])[:, None]
    high = torch.tensor([inf if ok else 0.0 for ok in has[1]])[:, None]
    return torch.stack([low, high])
