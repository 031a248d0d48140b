"""One time step of any neuron model, written once: it defines what every kernel and the replay must give."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from neuro.dynamics.model import Constants, NeuronModel, State

Fire = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def heaviside(u: torch.Tensor, theta: torch.Tensor) -> torch.Tensor:
    """Spike where the membrane has reached its threshold: 1.0 where u ≥ θ."""
    return (u >= theta).to(u.dtype)


def step(
    model: NeuronModel,
    constants: Constants,
    state: State,
    drive: Sequence[torch.Tensor],
    fire: Fire = heaviside,
    detach_reset: bool = True,
) -> tuple[torch.Tensor, State]:
    """Advance N neurons by one step: drive holds c_k [B, N] for every current k; gives spikes z [B, N] and the state.

    `fire` may be differentiable; the equations stand in `neuro.dynamics.model`.
    """
    fade = model.leak if model.leak in WHOLE else "exponential"
    decayed = (leak(fade, i, decay, constants.unit) for i, decay in zip(state.i, constants.decay_syn, strict=True))
    i = torch.stack([old + c for old, c in zip(decayed, drive, strict=True)])
    u = leak(model.leak, state.v, constants.leak, constants.unit)
    for current in i:
        u = u + current
    u = u + constants.bias
    if model.adaptation == "current":
        u = u - constants.beta * state.a
    if model.floor:
        u = torch.where(u > constants.floor, u, constants.floor)
    theta = constants.theta + constants.beta * state.a if model.adaptation == "threshold" else constants.theta
    ready = state.refractory == 0
    z = fire(u, theta) * ready
    v = reset(model, u, z.detach() if detach_reset else z, constants)
    if model.refractory == "hold":
        v = torch.where(ready, v, constants.v_reset)
    a = state.a if model.adaptation == "none" else constants.decay_a * state.a + z
    refractory = torch.where(z > 0, constants.refractory_steps, (state.refractory - 1).clamp_min(0))
    return z, State(v, i, a, refractory)


def leak(kind: str, v: torch.Tensor, amount: torch.Tensor, unit: torch.Tensor) -> torch.Tensor:
    """Let a membrane, or a current, leak for one step without input; gradients of whole numbers are those of the decay."""
    if kind == "exponential":
        return amount * v
    if kind in WHOLE:
        return _Decay.apply(v, amount, WHOLE[kind](v.detach(), amount, unit))
    if kind == "linear":
        return v - amount
    return torch.sign(v) * (v.abs() - amount).clamp_min(0)


def fraction_left(v: torch.Tensor, decay: torch.Tensor, unit: torch.Tensor) -> torch.Tensor:
    """decay · v towards zero to whole units; the product of 24 and 24 bits is exact in float64."""
    return torch.trunc(v.double() * decay.double() / unit.double()).to(v.dtype) * unit


def shift_left_over(v: torch.Tensor, decay: torch.Tensor, unit: torch.Tensor) -> torch.Tensor:
    """v less its (1 − decay)th part, a power of two of it in whole units, rounded down, at least 1 where v > 0."""
    part = torch.floor(v * ((1 - decay) / unit))
    return v - torch.where(v > 0, part.clamp_min(1), part) * unit


WHOLE = {"fraction": fraction_left, "shift": shift_left_over}
"""Leaks that keep membranes and currents whole numbers of units."""


class _Decay(torch.autograd.Function):
    @staticmethod
    def forward(ctx, v, decay, value):
        ctx.save_for_backward(decay)
        return value

    @staticmethod
    def backward(ctx, grad):
        return grad * ctx.saved_tensors[0], None, None


def reset(model: NeuronModel, u: torch.Tensor, z: torch.Tensor, constants: Constants) -> torch.Tensor:
    """Put the membrane of neurons that fired to u − θ or to v_reset."""
    if model.reset == "subtract":
        return u - constants.theta * z
    return torch.where(z > 0, constants.v_reset, u) if not z.requires_grad else u + (constants.v_reset - u) * z
