"""Read-outs: spikes counted per class on the chip, or a linear layer on traces beside it."""

from __future__ import annotations

import math

import torch
from torch import nn

FORGOTTEN = math.log(2.0**-32)  # of a trace, beside its largest


class SpikeReadout(nn.Module):
    """Sum the spikes of each class's neurons: neuron `index` speaks for class index // (size / classes)."""

    def __init__(self, size: int, classes: int | None):
        super().__init__()
        self.per_class = 1 if classes is None else size // classes

    def forward(self, z: torch.Tensor, trace=None):
        """Give [T, B, classes] (or the spikes themselves) and no trace."""
        return (z if self.per_class == 1 else z.unflatten(-1, (-1, self.per_class)).sum(-1)), None


class LinearReadout(nn.Module):
    """Off the chip, in float32: r = decay · r + z, y = W·r + b; reckoned as traces of W·z, as classes are few."""

    def __init__(self, size: int, classes: int, decay: float, generator: torch.Generator):
        super().__init__()
        bound = 1 / math.sqrt(size)
        self.register_buffer("decay", torch.tensor(decay, dtype=torch.float64).float())
        self.weight = nn.Parameter((torch.rand(classes, size, generator=generator) * 2 - 1) * bound)
        self.bias = nn.Parameter(torch.zeros(classes))

    def forward(self, z: torch.Tensor, trace: torch.Tensor | None = None):
        """Give y [T, B, classes] and the trace [B, n] after the last step."""
        from neuro.dynamics.trace import traces_of  # numba is imported where a network runs

        weighted, decay = z @ self.weight.T, float(self.decay)
        before = torch.zeros_like(weighted[0]) if trace is None else trace @ self.weight.T
        return traces_of(weighted, before, decay) + self.bias, self._trace(z.detach(), trace)

    def _trace(self, z: torch.Tensor, before: torch.Tensor | None) -> torch.Tensor:
        """What spikes [T, B, n] leave of them after the last step; those too long ago for float32 are left out."""
        decay = float(self.decay)
        steps = min(len(z), math.ceil(FORGOTTEN / math.log(decay)) if 0 < decay < 1 else len(z))
        powers = torch.tensor([decay**k for k in reversed(range(steps))], device=z.device)
        trace = torch.tensordot(powers, z[-steps:], 1)
        return trace if before is None else trace + decay ** len(z) * before
