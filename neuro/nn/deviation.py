"""Networks on a device that is not what its description says: constants and words of every neuron differ a little.

What a word is worth is multiplied, then rounded once to its core's grid, so that sums stay exact and the replay of tables
on the same device gives the same spikes. Gradients pass through to the latents of the described network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch

from neuro.errors import FeasibilityError
from neuro.nn.memory import SynapseMemory
from neuro.weights import CountScheme, CrossbarScheme, FloatScheme, MaskScheme


@dataclass(frozen=True, eq=False)
class MemoryDeviation:
    """Factors on one population's words, float64: words [n, K] by base weight (counts), else [n, 2, C] by sign (−, +) and
    current; bases [n, K] on base weights, which counts have none of beside their words. programmed: None, or the weights a
    device has come out with, float32 on the grid, in the latent's shape; factors then are 1."""

    words: torch.Tensor
    bases: torch.Tensor
    programmed: torch.Tensor | None = None


@dataclass(frozen=True, eq=False)
class Deviation:
    """How the neurons of one device differ from a plan, by population: factors on constants, as
    `neuro.dynamics.deviated` takes them, and on words."""

    constants: Mapping[str, Mapping[str, np.ndarray | torch.Tensor]]
    memories: Mapping[str, MemoryDeviation]


def weight_on(memory: SynapseMemory, latent: torch.Tensor, found: MemoryDeviation) -> torch.Tensor:
    """Give the weight a device makes of a memory's code, float32 in the latent's shape; gradients go to the latent, to base
    weights, and to `found.words`."""
    memory.refuse_moved(latent)
    base_latent = memory.bases[0].latent if memory.bases[0] is not None else None
    return _OnDevice.apply(latent, base_latent, found.words, memory, found)


def refuse_inexact(name: str, weight: torch.Tensor, memory: SynapseMemory, events: int) -> None:
    """Raise FeasibilityError where a neuron's sums on a device could leave the 2^24 grid units float32 adds exactly."""
    if memory.bases[0] is None:
        return
    grid = memory.bases[0].grid().double()[memory.cores]
    units = (weight.detach().abs().sum((1, 3), dtype=torch.float64).amax(1) / grid * events).flatten()
    if float(units.max()) >= 2**24:
        raise FeasibilityError(
            f"population {name}, neuron {int(units.argmax())} on this device: Σ|w|·events is {float(units.max()):.0f} grid "
            "units, allowed: below 2^24; lower the mismatch, or train with fewer slots"
        )


def device_weight(memory: SynapseMemory, code: torch.Tensor, found: MemoryDeviation) -> torch.Tensor:
    """What a device makes of a code: every base weight or level times its factors, rounded to the grid."""
    scheme, words = memory.scheme, found.words.detach()
    if found.programmed is not None:
        return found.programmed
    if isinstance(scheme, CrossbarScheme):
        raise FeasibilityError("neurons of a crossbar are digital: no device differs from its description")
    if isinstance(scheme, FloatScheme):
        weight = scheme.decode(code)
        return (weight * entry_factors(memory, weight, words)).float()
    grid = memory.bases[0].grid().double()[memory.cores]
    if isinstance(scheme, CountScheme):
        return scheme.with_bases(_rounded(scheme.bases * words, grid[:, None])).decode(code)
    if isinstance(scheme, MaskScheme):
        return _masks(scheme, code, words, found.bases, grid)
    weight = scheme.decode(code)
    return _rounded(weight.double() * entry_factors(memory, weight, words), grid.view(-1, 1, 1, 1)).float()


def _masks(scheme: MaskScheme, code: torch.Tensor, words: torch.Tensor, bases: torch.Tensor, grid: torch.Tensor):
    """The sign of a mask picks the synapse type, so each sign and current has base weights of its own."""
    weight = torch.zeros(code.shape)
    for c in range(code.shape[2]):
        for row, mine in enumerate((code[:, :, c] < 0, code[:, :, c] > 0)):
            values = _rounded(scheme.bases * words[:, row, c, None] * bases, grid[:, None])
            weight[:, :, c] += scheme.with_bases(values).decode(code[:, :, c] * mine)
    return weight


def _rounded(values: torch.Tensor, grid: torch.Tensor) -> torch.Tensor:
    """Values on the grid, half to even; what is there stays at least one unit."""
    units = torch.round(values / grid)
    return torch.where(values != 0, torch.maximum(units.abs(), torch.ones_like(units)) * values.sign(), 0.0) * grid


def entry_factors(memory: SynapseMemory, latent: torch.Tensor, words: torch.Tensor) -> torch.Tensor:
    """The factor of each entry's synapse type, chosen by its sign: [n, M, C, D], to broadcast where it can be."""
    by_sign = _by_sign(memory.scheme, words)[..., None]
    return torch.where(latent < 0, by_sign[:, :1], by_sign[:, 1:])


def _by_sign(scheme, words: torch.Tensor) -> torch.Tensor:
    """Factors [n, 2, C]; of several types of one sign and current, the first one's."""
    if not isinstance(scheme, CountScheme):
        return words
    found = words.new_ones(len(words), 2, max(scheme.currents) + 1)
    for k in reversed(range(len(scheme.signs))):
        found[:, (scheme.signs[k] + 1) // 2, scheme.currents[k]] = words[:, k]
    return found


class _OnDevice(torch.autograd.Function):
    @staticmethod
    def forward(ctx, latent, base_latent, words, memory: SynapseMemory, found: MemoryDeviation):
        code = memory.drawn_code if memory.reads_drawn else memory.code
        weight = device_weight(memory, code, found)
        ctx.memory, ctx.found, ctx.code, ctx.source = memory, found, code, memory.source
        ctx.save_for_backward(latent)
        return weight

    @staticmethod
    def backward(ctx, grad):
        memory, found, code = ctx.memory, ctx.found, ctx.code
        memory.refuse_other_sources(ctx.source)
        (latent,) = ctx.saved_tensors
        words = found.words.detach()
        through = (grad * entry_factors(memory, latent, words)).to(grad.dtype)
        to_latent = through if memory.allowed is None else through * memory.allowed
        to_base = to_words = None
        if ctx.needs_input_grad[1]:
            to_base = memory.base_gradient(
                code, through, found.bases if isinstance(memory.scheme, MaskScheme) else None
            )
        if ctx.needs_input_grad[2]:
            to_words = _to_words(memory, code, grad, found)
        return to_latent, to_base, to_words, None, None


def _to_words(memory: SynapseMemory, code: torch.Tensor, grad: torch.Tensor, found: MemoryDeviation) -> torch.Tensor:
    """dL/df of the factors on words: the sum of gradient times weight without them over what a factor multiplies."""
    if isinstance(memory.scheme, CountScheme):
        return memory.scheme.base_gradient(code, grad).double() * memory.scheme.bases
    weight = device_weight(memory, code, replace(found, words=torch.ones_like(found.words))).double()
    return torch.stack([(grad * weight * (weight * sign > 0)).sum((1, 3)) for sign in (-1, 1)], 1)
