"""Traces over time, r_t = decay · r_{t−1} + z_t: step by step in machine code on the CPU, in tensors elsewhere."""

from __future__ import annotations

import numpy as np
import torch

from neuro.jit import compiled, in_parallel

PIECE = 2**12  # numbers of a step that a thread takes at once, so that they stay in the processor's first cache


def traces_of(z: torch.Tensor, before: torch.Tensor, decay: float) -> torch.Tensor:
    """Give the traces [T, B, n] of values [T, B, n] after a trace [B, n], float32; gradients go to both.

    Product and sum are rounded apart, as with tensors: both ways give the same bits, forward and back (tested).
    """
    return _Traces.apply(z, before, decay)


class _Traces(torch.autograd.Function):
    @staticmethod
    def forward(ctx, z, before, decay: float):
        ctx.decay = decay
        return _accumulated(z, before, decay, False)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad):
        to_z = _accumulated(grad, grad.new_zeros(grad.shape[1:]), ctx.decay, True)
        return to_z, ctx.decay * to_z[0] if ctx.needs_input_grad[1] else None, None


def _accumulated(values: torch.Tensor, first: torch.Tensor, decay: float, backwards: bool) -> torch.Tensor:
    """Add to each step what is left of the ones before it, or of those after it."""
    if values.device.type == "cpu" and values.dtype == torch.float32:
        out = values.detach().contiguous().clone()
        rows, start = out.view(len(out), -1).numpy(), first.detach().contiguous().view(-1).numpy()
        pieces = [(low, min(low + PIECE, len(start))) for low in range(0, len(start), PIECE)]
        in_parallel(torch.get_num_threads(), _accumulate, [(rows, start, decay, backwards, *piece) for piece in pieces])
        return out
    steps = list(values.unbind(0))
    order = range(len(steps) - 1, -1, -1) if backwards else range(len(steps))
    for t in order:
        first = steps[t] = decay * first + steps[t]
    return torch.stack(steps)


@compiled
def _accumulate(rows, start, decay, backwards, low, high):
    """rows [T, n]: numbers low … high − 1 of each row take on decay · the row before it, the first decay · start."""
    steps, decay = len(rows), np.float32(decay)
    before = start[low:high]
    for k in range(steps):
        here = rows[steps - 1 - k if backwards else k, low:high]
        for j in range(high - low):
            here[j] = decay * before[j] + here[j]
        before = here
