"""A hardware model that ordinary training can follow: sums of scaled sigmoids that become staircases.

    S(w) = g_0 + Σ_i (g_{i+1} − g_i) · σ((w − m_i) / t),    m_i midway between the weights of two levels
    W_e(w) = (1 − e) · w + e · S(w),                         e the realism of a stage, t its temperature
    A_e(x) likewise, of evenly spaced activations

Each stage goes on from the weights of the last; gradients are those of the functions, nothing is passed straight
through. Reconstructed from the abstract of Obradovic et al. 2018, arXiv 1809.04982, and the claims of US patent 11,574,193;
the paper's own maths may differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.utils import parametrize

from neuro.errors import DescriptionError
from neuro.weights import ConductanceScheme


@dataclass(frozen=True)
class Stage:
    """How close to the device a stage is: realism 0 (as floats) to 1, temperature in steps between levels."""

    realism: float
    temperature: float

    def __post_init__(self) -> None:
        if not 0 <= self.realism <= 1 or not 0 < self.temperature < float("inf"):
            raise DescriptionError(
                f"a stage has realism {self.realism!r} and temperature {self.temperature!r}, allowed: 0 to 1, and above 0"
            )


STAGES = (Stage(0.0, 1.0), Stage(0.5, 0.5), Stage(1.0, 0.25), Stage(1.0, 0.1), Stage(1.0, 0.05))


class Staircase(nn.Module):
    """Rising values [L] reached by thresholds midway between them, each a sigmoid as wide as its own step.

    stage None: the hard staircase, the nearest value (halfway the lower one).
    """

    def __init__(self, values: torch.Tensor):
        super().__init__()
        values = values.double()
        if len(values) < 2 or not bool((values[1:] > values[:-1]).all()):
            raise DescriptionError("values of a staircase must rise, and be at least two")
        self.register_buffer("values", values.float())
        self.register_buffer("edges", ((values[1:] + values[:-1]) / 2).float())
        self.stage: Stage | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Give what the present stage makes of x, in its shape."""
        if self.stage is None:
            return self.values[torch.searchsorted(self.edges, x.detach().contiguous())]
        if self.stage.realism == 0:
            return x
        smooth = _Sigmoids.apply(x, self.values, self.edges, self.stage.temperature)
        return x + self.stage.realism * (smooth - x)


class _Sigmoids(torch.autograd.Function):
    """The sum of sigmoids and its exact derivative, one level at a time, so that memory is that of x."""

    @staticmethod
    def forward(ctx, x, values, edges, temperature):
        total, slope = torch.full_like(x, float(values[0])), torch.zeros_like(x)
        for step, edge in zip((values[1:] - values[:-1]).tolist(), edges.tolist(), strict=True):
            s = torch.sigmoid((x - edge) / (temperature * step))
            total.add_(s, alpha=step)
            slope.add_(s.mul_(1 - s), alpha=1 / temperature)
        ctx.save_for_backward(slope)
        return total

    @staticmethod
    def backward(ctx, grad):
        return grad * ctx.saved_tensors[0], None, None, None


class StaircaseActivation(nn.Module):
    """ReLU up to `top`, held to 2^bits evenly spaced values from 0 by the stages."""

    def __init__(self, bits: int, top: float = 1.0):
        super().__init__()
        if isinstance(bits, bool) or not isinstance(bits, int) or not 1 <= bits <= 12:
            raise DescriptionError(f"bits is {bits!r}, allowed: 1 to 12")
        self.top, self.stairs = top, Staircase(torch.linspace(0, top, 2**bits))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Give activations in 0..top."""
        return self.stairs(x.clamp(0, self.top))


def pair_values(scheme: ConductanceScheme) -> torch.Tensor:
    """Return every weight that pairs of one array with one set of bases can have, rising, float64."""
    return scheme.decode(torch.arange(len(scheme.levels) ** 2)[None])[0].double().unique()


def staged(module: nn.Module, schemes: dict[str, ConductanceScheme]) -> list[Staircase]:
    """Make named weights of a module read through staircases of their pairs; returns all staircases of the module.

    The bases of the schemes stay as given. `at_stage` moves them from stage to stage, and to the hard device.
    """
    for name, scheme in schemes.items():
        owner = module.get_submodule(name.rpartition(".")[0])
        parametrize.register_parametrization(
            owner, name.rpartition(".")[2], Staircase(pair_values(scheme)), unsafe=True
        )
    return [part for part in module.modules() if isinstance(part, Staircase)]


def at_stage(stairs: Sequence[Staircase], stage: Stage | None) -> None:
    """Set the stage of staircases; None = the hard device."""
    for part in stairs:
        part.stage = stage
