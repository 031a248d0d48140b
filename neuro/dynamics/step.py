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
    i = torch.stack([decay * old + c for decay, old, c in zip(constants.decay_syn, state.i, drive, strict=True)])
    u = leak(model.leak, state.v, constants.leak)
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


def leak(kind: str, v: torch.Tensor, amount: torch.Tensor) -> torch.Tensor:
    """Let the membrane leak for one step, without input."""
    if kind == "exponential":
        return amount * v
    if kind == "linear":
        return v - amount
    return torch.sign(v) * (v.abs() - amount).clamp_min(0)


def reset(model: NeuronModel, u: torch.Tensor, z: torch.Tensor, constants: Constants) -> torch.Tensor:
    """Put the membrane of neurons that fired to u − θ or to v_reset."""
    if model.reset == "subtract":
        return u - constants.theta * z
    return torch.where(z > 0, constants.v_reset, u) if not z.requires_grad else u + (constants.v_reset - u) * z
