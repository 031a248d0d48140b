"""Training for devices that differ: every batch on virtual chips drawn for it, or on the one device that is there.

The forward pass runs on the device, gradients go to the network as described, and what is projected is that network: it
stays feasible after every step. Which devices a step draws follows from the run's seed and the step alone.

Adversarial to parameters: before a step, the factors of words, and of thresholds and time constants if asked, climb the
loss by its gradient's signs, within a bound around the drawn device, and the step descends from where they end: projected
gradient ascent on parameters with relative bounds as in Büchel, Faber & Muir 2022 (arXiv 2106.05009); the loss there,
without their regulariser, is descended as in Wu, Xia & Wang 2020 (arXiv 2004.05884).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

import numpy as np
import torch

from neuro.descriptor import Chip
from neuro.errors import DescriptionError
from neuro.nn import Deviation, Network, Record
from neuro.silicon import VirtualChip, deviation_of, drawn_deviation
from neuro.task import MismatchTraining

DRAWN, VALIDATED = 2**62, 2**61  # seeds of devices for training and for validation, apart from those a user draws
A_RUN = 2**30  # devices a run may draw
ATTACKED = {"words": ("weight",), "all": ("weight", "threshold", "tau_mem", "tau_syn")}


class Redrawn:
    """Devices drawn anew for every batch or epoch."""

    def __init__(self, network: Network, recipe: MismatchTraining, seed: int):
        self.network, self.recipe, self.seed = network, recipe, seed
        chip = network.plan.chip
        self.bounds = attack_bounds(chip, recipe)
        self.validation = [self._device(VALIDATED, k) for k in range(recipe.validation_chips)]

    def of_batch(self, step: int, epoch: int, done: float) -> list[Deviation]:
        """The devices of one batch, each for its part of the samples; done: the share of the training that lies behind."""
        turn, warm = step if self.recipe.redraw == "batch" else epoch, self.recipe.warmup
        share = min(1.0, done / warm) if warm else 1.0
        return [self._device(DRAWN, turn * self.recipe.groups + k, share) for k in range(self.recipe.groups)]

    def _device(self, kind: int, number: int, share: float = 1.0) -> Deviation:
        seed = kind + self.seed % A_RUN * A_RUN + number % A_RUN
        return drawn_deviation(self.network.plan, seed, share * self.recipe.scale)

    def attacked(self, deviations: list[Deviation], loss_on: Callable[[list[Deviation]], torch.Tensor]):
        """Move factors to where the loss is higher, if the recipe asks for it."""
        steps = self.recipe.attack_steps
        return attacked(deviations, loss_on, steps, self.bounds) if steps else deviations


class OneDevice:
    """The device that is there, for training and for validation."""

    def __init__(self, network: Network, virtual: VirtualChip):
        self.validation = [deviation_of(network.plan, virtual)]

    def of_batch(self, step: int, epoch: int, done: float) -> list[Deviation]:
        return self.validation

    def attacked(self, deviations: list[Deviation], loss_on) -> list[Deviation]:
        return deviations


def attack_bounds(chip: Chip, recipe: MismatchTraining) -> dict[str, float]:
    """How far an attack may move a parameter's factors, relative: so many of its standard deviations as the recipe says."""
    if not recipe.attack_steps:
        return {}
    spreads = chip.mismatch.neuron if chip.mismatch else {}
    parameters = ATTACKED[recipe.attack_on]
    bounds = {p: recipe.attack_size * recipe.scale * spreads.get(p, 0.0) for p in parameters}
    for parameter, bound in bounds.items():
        if bound >= 1 or (parameter == "weight" and bound == 0):
            raise DescriptionError(
                f"training.mismatch.attack_size: {recipe.attack_size:g} standard deviations of {parameter} are "
                f"{bound:.0%}, allowed: above 0 % and below 100 %"
            )
    return {p: bound for p, bound in bounds.items() if bound}


def attacked(
    deviations: list[Deviation],
    loss_on: Callable[[list[Deviation]], torch.Tensor],
    steps: int,
    bounds: Mapping[str, float],
) -> list[Deviation]:
    """Climb the loss by the signs of its gradient to the factors in `bounds`, `steps` times bound / steps, relative.

    loss_on: the loss of a batch on such devices; bounds: by parameter, "weight" for words. Factors end within (1 ± bound)
    times where they began.
    """
    first = [_factors_of(d, bounds) for d in deviations]
    now = first
    for _ in range(steps):
        leaves = [{key: factor.clone().requires_grad_() for key, factor in of.items()} for of in now]
        flat = [factor for of in leaves for factor in of.values()]
        moved = [_with_factors(d, of) for d, of in zip(deviations, leaves, strict=True)]
        slopes = iter(torch.autograd.grad(loss_on(moved), flat, allow_unused=True, materialize_grads=True))
        now = [
            {
                key: torch.clamp(
                    factor.detach() + bounds[key[0]] / steps * begun[key] * next(slopes).sign(),
                    begun[key] * (1 - bounds[key[0]]),
                    begun[key] * (1 + bounds[key[0]]),
                )
                for key, factor in of.items()
            }
            for of, begun in zip(leaves, first, strict=True)
        ]
    return [_with_factors(d, of) for d, of in zip(deviations, now, strict=True)]


Factors = dict[tuple[str, str], torch.Tensor]


def _factors_of(deviation: Deviation, parameters: Collection[str]) -> Factors:
    """The factors of some parameters, float64, by parameter and population."""
    found = {("weight", name): m.words for name, m in deviation.memories.items() if "weight" in parameters}
    for name, constants in deviation.constants.items():
        some = {p: f for p, f in constants.items() if p in parameters}
        found |= {(p, name): torch.as_tensor(np.ascontiguousarray(f), dtype=torch.float64) for p, f in some.items()}
    return found


def _with_factors(deviation: Deviation, factors: Factors) -> Deviation:
    """A device with these factors in place of its own."""
    memories, constants = dict(deviation.memories), dict(deviation.constants)
    for (parameter, name), factor in factors.items():
        if parameter == "weight":
            memories[name] = replace(memories[name], words=factor)
        else:
            constants[name] = {**constants[name], parameter: factor}
    return replace(deviation, memories=memories, constants=constants)


def forward_on(network: Network, x, deviations: list[Deviation], **options):
    """Run each device's part of the samples on it; gives (outputs, record) as one call does, record without a state."""
    if len(deviations) == 1:
        return network(x, deviation=deviations[0], **options)
    parts = []
    batch = (next(iter(x.values())) if isinstance(x, Mapping) else x).shape[1]
    for ids, deviation in zip(np.array_split(np.arange(batch), len(deviations)), deviations, strict=True):
        if len(ids):
            own = slice(int(ids[0]), int(ids[-1]) + 1)
            some = {name: e[:, own] for name, e in x.items()} if isinstance(x, Mapping) else x[:, own]
            parts.append(network(some, deviation=deviation, **options))
    outputs = _side_by_side([y for y, _ in parts])
    records = [record for _, record in parts]
    spikes, v = (_side_by_side([getattr(r, part) for r in records]) for part in ("spikes", "v"))
    shares = {name: [z.shape[1] / batch for z in (r.spikes[name] for r in records)] for name in spikes}
    rates = {n: sum(r.rates[n] * share for r, share in zip(records, of, strict=True)) for n, of in shares.items()}
    return outputs, Record(None, spikes, v, rates)


def _side_by_side(parts: list):
    """Join tensors [T, B, …], or mappings of them, by samples."""
    if isinstance(parts[0], Mapping):
        return {name: torch.cat([part[name] for part in parts], 1) for name in parts[0]}
    return torch.cat(parts, 1)
