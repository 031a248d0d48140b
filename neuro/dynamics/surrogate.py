"""Pseudo-derivatives of a spike, by name: what the backward pass puts where the step function has no slope."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch


def _fast_sigmoid(x: torch.Tensor) -> torch.Tensor:
    """Zenke & Ganguli 2018, SuperSpike: 1/(1 + |x|)²."""
    return (x.abs() + 1).square_().reciprocal_()


def _triangle(x: torch.Tensor) -> torch.Tensor:
    """Bellec et al. 2018, LSNN: max(0, 1 − |x|)."""
    return (1 - x.abs()).clamp_min_(0)


def _arctan(x: torch.Tensor) -> torch.Tensor:
    """Fang et al. 2021: 1/(1 + (πx/2)²)."""
    return (x * (math.pi / 2)).square_().add_(1).reciprocal_()


def _sigmoid(x: torch.Tensor) -> torch.Tensor:
    """Slope of the logistic function, scaled to 1 at its centre."""
    s = torch.sigmoid(x)
    return 4 * s * (1 - s)


def _boxcar(x: torch.Tensor) -> torch.Tensor:
    """Kaiser et al. 2020, DECOLLE: 1 within the width."""
    return (x.abs() < 1).to(x.dtype)


SHAPES = {
    "fast_sigmoid": _fast_sigmoid,
    "triangle": _triangle,
    "arctan": _arctan,
    "sigmoid": _sigmoid,
    "boxcar": _boxcar,
}


class PseudoDerivative(NamedTuple):
    """d z/d x over x = (u − θ)/θ: `scale` times the named shape of x/`width`."""

    name: str
    width: float
    scale: float

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return SHAPES[self.name](x / self.width).mul_(self.scale)
