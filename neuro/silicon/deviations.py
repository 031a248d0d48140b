"""From a virtual chip to what a placed network has to know of it."""

from __future__ import annotations

import numpy as np
import torch

from neuro.descriptor import Chip
from neuro.nn import Deviation, MemoryDeviation
from neuro.nn.schemes import base_names
from neuro.placement import Plan
from neuro.silicon.devices import VirtualChip, virtual_chip


def deviation_of(plan: Plan, virtual: VirtualChip) -> Deviation:
    """Say how every neuron of a plan differs on one device; pass it to a network's forward pass.

    Raises DescriptionError where the device is of another chip.
    """
    virtual.refuse_other(plan.chip)
    constants, memories = {}, {}
    for name, places in plan.locations.items():
        factors = virtual.of_neurons(places)
        weight, base = factors.pop("weight", None), factors.pop("base", None)
        if "tau_syn" in factors:
            known = [c.name for c in plan.chip.currents]
            factors["tau_syn"] = factors["tau_syn"][:, [known.index(c) for c in plan.currents]].T
        constants[name] = factors
        memories[name] = MemoryDeviation(_words(plan, weight, len(places)), _bases(plan.chip, base, len(places)))
    return Deviation(constants, memories)


def drawn_deviation(plan: Plan, seed: int, scale: float = 1.0) -> Deviation:
    """Draw a device and say how a plan's neurons differ on it, without drawing those the plan leaves out."""
    places = np.concatenate(list(plan.locations.values()))
    return deviation_of(plan, virtual_chip(plan.chip, seed, scale, places))


def alike(plan: Plan) -> Deviation:
    """Give the deviation of a device that is as described: every factor 1."""
    sizes = {name: len(places) for name, places in plan.locations.items()}
    memories = {name: MemoryDeviation(_words(plan, None, n), _bases(plan.chip, None, n)) for name, n in sizes.items()}
    return Deviation({name: {} for name in sizes}, memories)


def _words(plan: Plan, weight: np.ndarray | None, neurons: int) -> torch.Tensor:
    """Factors of words: [n, K] for counts, by base weight; else [n, 2, C], by sign (−, +) and current."""
    types = [t.name for t in plan.chip.types]
    weight = np.ones((neurons, len(types))) if weight is None else weight
    if plan.chip.weights.kind == "counts":
        return torch.from_numpy(weight[:, [types.index(name) for name in base_names(plan)]])
    found = np.ones((neurons, 2, len(plan.currents)))
    for row, sign in enumerate((-1, 1)):
        for c, current in enumerate(plan.currents):
            kind = plan.type_of(current, sign)
            if kind is not None:
                found[:, row, c] = weight[:, types.index(kind.name)]
    return torch.from_numpy(found)


def _bases(chip: Chip, base: np.ndarray | None, neurons: int) -> torch.Tensor:
    """Factors of base weights, [n, K]; of counts they are those of words."""
    number = len(chip.weights.bases)
    if base is None or chip.weights.kind != "masks":
        return torch.ones(neurons, number, dtype=torch.float64)
    return torch.from_numpy(base)
