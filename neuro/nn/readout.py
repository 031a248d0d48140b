"""Read-outs: spikes counted per class on the chip, or a linear layer on traces beside it."""

from __future__ import annotations

import math

import torch
from torch import nn


class SpikeReadout(nn.Module):
    """Sum the spikes of each class's neurons: neuron `index` speaks for class index // (size / classes)."""

    def __init__(self, size: int, classes: int | None):
        super().__init__()
        self.per_class = 1 if classes is None else size // classes

    def forward(self, z: torch.Tensor, trace=None):
        """Give [T, B, classes] (or the spikes themselves) and no trace."""
        return (z if self.per_class == 1 else z.unflatten(-1, (-1, self.per_class)).sum(-1)), None


class LinearReadout(nn.Module):
    """Off the chip, in float32: r = decay · r + z, y = W·r + b; reckoned as the trace of W·z, of which there are fewer."""

    def __init__(self, size: int, classes: int, decay: float, generator: torch.Generator):
        super().__init__()
        bound = 1 / math.sqrt(size)
        self.register_buffer("decay", torch.tensor(decay, dtype=torch.float64).float())
        self.weight = nn.Parameter((torch.rand(classes, size, generator=generator) * 2 - 1) * bound)
        self.bias = nn.Parameter(torch.zeros(classes))

    def forward(self, z: torch.Tensor, trace: torch.Tensor | None = None):
        """Give y [T, B, classes], and what it comes to without b after the last step, [B, classes]."""
        from neuro.dynamics.trace import traces_of  # numba is imported where a network runs

        weighted = z @ self.weight.T
        trace = torch.zeros_like(weighted[0]) if trace is None else trace
        traces = traces_of(weighted, trace, float(self.decay))
        return traces + self.bias, traces[-1].detach()
