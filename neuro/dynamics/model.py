"""The neuron as values: which of five choices a model makes, and the constants of a population.

One time step, fixed in order so that every backend gives the same bits (float32, no fused operations):

    i_k = (decay_k · i_k) + c_k          fraction, shift: leak(i_k) + c_k
    u   = leak(v)
    u   = ((u + i_1) + i_2) + … + bias;   u − β·a for current adaptation
    u   = max(u, floor)
    z   = u ≥ θ  (θ + β·a for threshold adaptation)  and refractory == 0
    v   = u − θ | v_reset where z;   while refractory: hold v_reset or integrate
    a   = (decay_a · a) + z;   refractory = refractory_steps where z, else max(refractory − 1, 0)

Chips of whole numbers leak so that v and i_k stay multiples of a unit g, a power of two. A decay d is n / 2^bits for
fraction and 1 − 2^−n for shift:

    fraction: d · x rounded towards zero to a multiple of g
    shift:    x − ⌊(1 − d) · x⌋, the part rounded down to a multiple of g, and at least g where x > 0
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import NamedTuple

import torch


@dataclass(frozen=True)
class NeuronModel:
    """Five choices: leak exponential | linear | linear_to_zero | fraction | shift, reset subtract | to_value, refractory
    hold | integrate, floor True | False, adaptation none | current | threshold."""

    leak: str = "exponential"
    reset: str = "subtract"
    refractory: str = "integrate"
    floor: bool = False
    adaptation: str = "none"


@dataclass(frozen=True)
class ParameterSet:
    """The constants of a population, every float a float32 made once in float64.

    leak: decay of v per step (exponential, fraction, shift) or what a step takes away (linear). decay_syn: one a current.
    unit: what v and currents are multiples of, where the leak is fraction or shift; else nothing reads it.
    """

    leak: float
    decay_syn: tuple[float, ...]
    theta: float
    v_reset: float = 0.0
    floor: float = float("-inf")
    bias: float = 0.0
    beta: float = 0.0
    decay_a: float = 0.0
    refractory_steps: int = 0
    unit: float = 1.0


class Constants(NamedTuple):
    """Constants of N neurons side by side: float32 [N] each, decay_syn [C, N], refractory_steps int32 [N]."""

    leak: torch.Tensor
    decay_syn: torch.Tensor
    theta: torch.Tensor
    v_reset: torch.Tensor
    floor: torch.Tensor
    bias: torch.Tensor
    beta: torch.Tensor
    decay_a: torch.Tensor
    refractory_steps: torch.Tensor
    unit: torch.Tensor

    def to(self, device, dtype=torch.float32) -> Constants:
        """Give them on a device, floats in another precision."""
        return Constants(*(x.to(device, dtype if x.is_floating_point() else x.dtype) for x in self))


def stack(sets: list[ParameterSet], sizes: list[int], dtype=torch.float32) -> Constants:
    """Lay parameter sets side by side, each repeated for its number of neurons."""
    repeats = torch.tensor(sizes)

    def column(name: str) -> torch.Tensor:
        kind = torch.int32 if name == "refractory_steps" else dtype
        return torch.tensor([getattr(s, name) for s in sets], dtype=kind).repeat_interleave(repeats, 0)

    columns = {field.name: column(field.name) for field in fields(ParameterSet)}
    columns["decay_syn"] = columns["decay_syn"].T.contiguous()
    return Constants(**columns)


def side_by_side(constants: list[Constants]) -> Constants:
    """Lay the constants of several populations side by side."""
    return Constants(*(torch.cat(column, -1) for column in zip(*constants, strict=True)))


class State(NamedTuple):
    """State of N neurons in B parallel samples: v, a float32 [B, N]; i float32 [C, B, N]; refractory int32 [B, N]."""

    v: torch.Tensor
    i: torch.Tensor
    a: torch.Tensor
    refractory: torch.Tensor

    @classmethod
    def zero(cls, batch: int, neurons: int, currents: int, device=None, dtype=torch.float32) -> State:
        flat = torch.zeros(batch, neurons, device=device, dtype=dtype)
        return cls(
            flat,
            torch.zeros(currents, batch, neurons, device=device, dtype=dtype),
            flat.clone(),
            torch.zeros(batch, neurons, device=device, dtype=torch.int32),
        )
