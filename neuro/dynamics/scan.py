"""A whole sequence at once: the step of `neuro.dynamics.step` in a loop, with its backward pass written by hand.

Autograd over single operations would spend its time on bookkeeping: here the forward pass keeps only u and z, and the
backward pass is the adjoint of the five choices, step by step. Spikes are those of `step`, bit for bit (tested).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from neuro.dynamics.model import Constants, NeuronModel, State
from neuro.dynamics.step import WHOLE

PseudoDerivative = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Scan:
    """What stays the same over a sequence: model, constants, d z/d((u − θ)/θ), and the delay of each recurrent matrix."""

    model: NeuronModel
    constants: Constants
    pseudo: PseudoDerivative
    delays: tuple[int, ...] = ()
    detach_reset: bool = True

    def run(
        self, drive: list[torch.Tensor], recurrent: list[torch.Tensor], state: State, history: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, State]:
        """Advance N neurons by T steps.

        drive: C tensors [T, B, N]. recurrent: for each delay, then each current, a weight [N, N] (target, source).
        history: spikes [H, B, N] of the H = max(delays) steps before the first. Gives z [T, B, N], v [T, B, N] and the
        state after the last step (without gradient). Gradients flow to drive, weights, leak, theta and decay_syn.
        """
        k = self.constants
        moved = (k.leak, k.theta, k.decay_syn)
        z, v, *final = _ScanFunction.apply(self, state, history, len(drive), *moved, *drive, *recurrent)
        return z, v, State(*final)


class _ScanFunction(torch.autograd.Function):
    @staticmethod
    def forward(ctx, scan: Scan, state: State, history: torch.Tensor, currents: int, *tensors: torch.Tensor):
        drive, recurrent = tensors[3 : 3 + currents], tensors[3 + currents :]
        ctx.tunes = any(ctx.needs_input_grad[4:7])
        tape = _forward(scan, state, history, drive, recurrent, ctx.tunes)
        ctx.scan, ctx.currents, ctx.adapts = scan, currents, tape.adapts
        looks_back = ctx.tunes or scan.model.leak == "linear_to_zero"
        before = torch.cat([state.v[None], tape.v[:-1]]) if looks_back else None
        ctx.save_for_backward(tape.z, tape.u, tape.a, tape.busy, before, tape.i, *recurrent)
        ctx.mark_non_differentiable(*tape.final)
        ctx.set_materialize_grads(False)
        return tape.z[len(history) :].clone(), tape.v, *tape.final

    @staticmethod
    def backward(ctx, grad_z, grad_v, *_):
        z, u, a, busy, before, i, *recurrent = ctx.saved_tensors
        tape = _Tape(z, u, before, a, busy, ctx.adapts, i)
        grads = _backward(ctx.scan, tape, recurrent, grad_z, grad_v, ctx.currents)
        needed = ctx.needs_input_grad[4:]
        return (None, None, None, None, *(g if need else None for g, need in zip(grads, needed, strict=True)))


@dataclass
class _Tape:
    """What a pass keeps: spikes with their history, u, v, a where θ moves, where neurons rest, whether any adapts.

    i [T, C, B, N]: the currents before each step, where constants learn.
    """

    z: torch.Tensor
    u: torch.Tensor
    v: torch.Tensor | None
    a: torch.Tensor | None
    busy: torch.Tensor | None
    adapts: bool
    i: torch.Tensor | None = None
    final: State | None = None


def _forward(scan: Scan, state: State, history, drive, recurrent, tunes: bool = False) -> _Tape:
    model, k = scan.model, scan.constants
    steps, currents, before = drive[0].shape[0], len(drive), history.shape[0]
    z = torch.cat([history, torch.empty_like(drive[0])])
    u, v = torch.empty_like(drive[0]), torch.empty_like(drive[0])
    adapts = model.adaptation != "none" and bool((k.beta != 0).any())
    rests = bool((k.refractory_steps > 0).any()) or bool((state.refractory > 0).any())
    busy = torch.zeros_like(u, dtype=torch.bool) if rests else None
    moves = adapts and model.adaptation == "threshold"
    a_all = torch.empty_like(u) if moves else None
    i, a, refractory, last = [x.clone() for x in state.i], state.a, state.refractory, state.v
    i_all = torch.empty(steps, *state.i.shape, dtype=u.dtype, device=u.device) if tunes else None
    transposed = [w.T for w in recurrent]
    biased = bool((k.bias != 0).any())
    for t in range(steps):
        if tunes:
            torch.stack(i, out=i_all[t])
        for c in range(currents):
            total = drive[c][t]
            for d, delay in enumerate(scan.delays):
                total = torch.addmm(total, z[before + t - delay], transposed[d * currents + c])
            if model.leak in WHOLE:
                i[c] = WHOLE[model.leak](i[c], k.decay_syn[c], k.unit)
            else:
                i[c].mul_(k.decay_syn[c])
            i[c].add_(total)
        now = u[t]
        _leak_into(now, model.leak, last, k)
        for current in i:
            now.add_(current)
        if biased:
            now.add_(k.bias)
        if adapts:
            scaled = k.beta * a
            if moves:
                a_all[t] = a
            else:
                now.sub_(scaled)
        if model.floor:
            torch.maximum(now, k.floor, out=now)
        spikes = z[before + t]
        theta = k.theta + scaled if moves else k.theta
        torch.ge(now, theta, out=spikes)
        if rests:
            torch.ne(refractory, 0, out=busy[t])
            spikes.masked_fill_(busy[t], 0)
            refractory = torch.where(spikes > 0, k.refractory_steps, (refractory - 1).clamp_min_(0))
        last = v[t]
        _reset_into(last, model, now, spikes, k)
        if rests and model.refractory == "hold":
            torch.where(busy[t], k.v_reset, last, out=last)
        if adapts:
            a = k.decay_a * a + spikes
    return _Tape(
        z, u, v, a_all, busy, adapts, i_all, State(last.clone(), torch.stack(i), a.clone(), refractory.clone())
    )


def _leak_into(out, kind: str, v, k: Constants) -> None:
    amount = k.leak
    if kind in WHOLE:
        out.copy_(WHOLE[kind](v, amount, k.unit))
    elif kind == "exponential":
        torch.mul(v, amount, out=out)
    elif kind == "linear":
        torch.sub(v, amount, out=out)
    else:
        torch.abs(v, out=out).sub_(amount).clamp_min_(0).mul_(torch.sign(v))


def _reset_into(out, model: NeuronModel, u, z, k: Constants) -> None:
    if model.reset == "subtract":
        torch.mul(z, k.theta, out=out)
        torch.sub(u, out, out=out)
    else:
        torch.where(z > 0, k.v_reset, u, out=out)


def _backward(scan: Scan, tape: _Tape, recurrent, grad_z, grad_v, currents: int) -> list[torch.Tensor]:
    model, k, u = scan.model, scan.constants, tape.u
    steps, before = u.shape[0], tape.z.shape[0] - u.shape[0]
    psi = _pseudo_derivative(scan, tape)
    keep = _reset_slope(model, tape.z[before:], tape.busy)
    jump = None if scan.detach_reset else _reset_jump(model, u, tape.busy, k)
    unclipped = (u > k.floor).to(u.dtype) if model.floor else None
    leak = _leak_slope(model, k, tape.v)
    grad_c = [torch.empty_like(u) for _ in range(currents)]
    grad_i = [torch.zeros_like(u[0]) for _ in range(currents)]
    grad_last, grad_a = torch.zeros_like(u[0]), torch.zeros_like(u[0])
    tuned = None if tape.i is None else u.new_zeros(2 + currents, *u.shape[1:])
    for t in range(steps - 1, -1, -1):
        to_v = grad_last if grad_v is None else grad_last + grad_v[t]
        to_z = torch.zeros_like(to_v) if grad_z is None else grad_z[t]
        for d, delay in enumerate(scan.delays):
            if t + delay < steps:
                for c in range(currents):
                    to_z = torch.addmm(to_z, grad_c[c][t + delay], recurrent[d * currents + c])
        if tape.adapts:
            to_z = to_z + grad_a
        if jump is not None:
            to_z = to_z + to_v * jump[t]
        fired = to_z * psi[t]
        if tuned is not None:
            tuned[1] -= fired if model.reset == "to_value" else fired + to_v * tape.z[before + t]
        to_u = fired + (to_v if keep is None else to_v * keep[t])
        if unclipped is not None:
            to_u.mul_(unclipped[t])
        for c in range(currents):
            grad_i[c] = torch.mul(grad_i[c], k.decay_syn[c], out=grad_c[c][t]).add_(to_u)
            if tuned is not None:
                tuned[2 + c] += grad_i[c] * tape.i[t, c]
        if tuned is not None and model.leak == "exponential":
            tuned[0] += to_u * tape.v[t]
        if tape.adapts:
            grad_a = grad_a * k.decay_a - k.beta * (to_u if model.adaptation == "current" else fired)
        grad_last = to_u if leak is None else to_u * (leak if leak.dim() == 1 else leak[t])
    of_constants = [None] * 3 if tuned is None else [tuned[0].sum(0), tuned[1].sum(0), tuned[2:].sum(1)]
    return of_constants + grad_c + _weight_gradients(scan, tape.z, grad_c, before, steps)


def _pseudo_derivative(scan: Scan, tape: _Tape) -> torch.Tensor:
    """∂z/∂u at every step, 0 while refractory."""
    k = scan.constants
    theta = k.theta if tape.a is None else k.theta + k.beta * tape.a
    psi = scan.pseudo((tape.u - theta) / k.theta).div_(k.theta)
    return psi if tape.busy is None else psi.masked_fill_(tape.busy, 0)


def _weight_gradients(scan: Scan, z, grad_c, before: int, steps: int) -> list[torch.Tensor]:
    grads = []
    for delay in scan.delays:
        sources = z[before - delay : before - delay + steps].flatten(0, 1)
        grads += [g.flatten(0, 1).T @ sources for g in grad_c]
    return grads


def _reset_slope(model: NeuronModel, z, busy) -> torch.Tensor | None:
    """∂v/∂u at fixed z: 0 where v was put to a value."""
    keep = 1 - z if model.reset == "to_value" else None
    if busy is not None and model.refractory == "hold":
        keep = torch.ones_like(z) if keep is None else keep
        keep = keep.masked_fill(busy, 0)
    return keep


def _reset_jump(model: NeuronModel, u, busy, k: Constants) -> torch.Tensor:
    """∂v/∂z at fixed u, used where the reset is not detached."""
    jump = -k.theta.expand_as(u) if model.reset == "subtract" else k.v_reset - u
    return jump.masked_fill(busy, 0) if busy is not None and model.refractory == "hold" else jump


def _leak_slope(model: NeuronModel, k: Constants, v) -> torch.Tensor | None:
    """∂u/∂v: the decay; 1 (None); or 1 only where the membrane was farther from zero than one step's leak."""
    if model.leak == "exponential" or model.leak in WHOLE:
        return k.leak
    return (v.abs() > k.leak).to(v.dtype) if model.leak == "linear_to_zero" else None
