"""Layers on tiles: numbers enter through converters, are multiplied by an array of weights, and leave through converters.

A convolution is its unrolled matrix: one row of inputs for every place of its kernel, one column for every output channel.

    a = clip(round(x · A / full_in), ± A),            A = 2^(bits − 1) − 1, full_in = the input's bound · input scale
    c = clip(round(Σ a · w · C / full_out), ± C)      for each tile, C likewise, full_out = both bounds · both scales
    y = Σ c over tiles · full_out / C

Evaluation makes these sums of whole numbers in float64, so that a replay of tables finds the same bits; training makes
them in float32 and passes gradients straight through conversion, zero outside the range.
"""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional

from neuro.descriptor.analog import Converter, Tiles
from neuro.errors import DescriptionError

SCALES = ("input_scale", "weight_scale")


class TileLinear(nn.Module):
    """Multiply x [.., inputs] by weight [outputs, inputs (+ 1)] on tiles; y [.., outputs].

    tiles: the array with its converters, None = one tile without converters. bias: "row" = the last column of `weight`,
    driven by a constant 1; "digital" = a parameter added after the converters; None = none. input_scale: the input that
    is full scale; weight_scale: the weight of a device at full conductance beside one that is off.
    """

    def __init__(self, inputs: int, outputs: int, tiles: Tiles | None = None, bias: str | None = "row"):
        super().__init__()
        if bias not in ("row", "digital", None):
            raise DescriptionError(f"bias is {bias!r}, allowed: row, digital, None")
        self.inputs, self.outputs, self.tiles, self.has_row = inputs, outputs, tiles, bias == "row"
        bound = 1 / math.sqrt(inputs)
        self.weight = nn.Parameter(torch.empty(outputs, inputs + self.has_row).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias == "digital" else None
        self.register_buffer("input_scale", torch.ones(()))
        self.register_buffer("weight_scale", torch.ones(()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Multiply through the converters there are."""
        weight = self.weight
        if self.has_row:
            x = functional.pad(x, (0, 1), value=1.0)
        y = x @ weight.T if self.tiles is None else self._through_tiles(x, weight)
        return y if self.bias is None else y + self.bias

    def _through_tiles(self, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        into, out = self.tiles.input, self.tiles.output
        full_in, full_out = self.ranges()
        if not self.training:
            return self._exactly(x, weight)
        x = converted(x, into, full_in)
        parts = zip(x.split(self.tiles.rows, -1), weight.split(self.tiles.rows, -1), strict=True)
        return sum(converted(a @ w.T, out, full_out) for a, w in parts)

    def ranges(self) -> tuple[float, float]:
        """What is full scale to the input and the output converters."""
        full_in = self.tiles.input.bound * float(self.input_scale)
        return full_in, self.tiles.output.bound * full_in * float(self.weight_scale)

    @torch.no_grad()
    def _exactly(self, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        full_in, full_out = self.ranges()
        step_in, top_in = step_of(self.tiles.input, full_in)
        codes = torch.round(x.double() / step_in).clamp(-top_in, top_in)
        parts = zip(codes.split(self.tiles.rows, -1), weight.double().split(self.tiles.rows, -1), strict=True)
        step_out, top_out = step_of(self.tiles.output, full_out)
        total = sum(torch.round(a @ w.T * step_in / step_out).clamp(-top_out, top_out) for a, w in parts)
        return (total * step_out).float()

    @torch.no_grad()
    def holding(self, weight: torch.Tensor) -> TileLinear:
        """Give a plain layer like this one, with its bias and scales, that holds another weight."""
        other = self._another("row" if self.has_row else None if self.bias is None else "digital")
        other.weight.copy_(weight)
        for mine, its in ((self.bias, other.bias), *((getattr(self, s), getattr(other, s)) for s in SCALES)):
            if mine is not None:
                its.copy_(mine)
        return other.train(self.training)

    def _another(self, bias: str | None) -> TileLinear:
        return TileLinear(self.inputs, self.outputs, self.tiles, bias)

    @torch.no_grad()
    def calibrate(self, x: torch.Tensor) -> None:
        """Make the largest size among some inputs full scale, and the largest weight that of a device."""
        self.input_scale.fill_(max(float(x.abs().max()), 1.0 if self.has_row else 0.0) or 1.0)
        self.weight_scale.fill_(float(self.weight.abs().max()) or 1.0)


class TileConv2d(TileLinear):
    """Convolve x [B, channels, H, W]: the kernel as a matrix [outputs, channels · k · k (+ 1)] on tiles."""

    def __init__(
        self,
        channels: int,
        outputs: int,
        kernel: int,
        tiles: Tiles | None = None,
        bias: str | None = "row",
        stride: int = 1,
        padding: int = 0,
    ):
        super().__init__(channels * kernel * kernel, outputs, tiles, bias)
        self.channels, self.kernel, self.stride, self.padding = channels, kernel, stride, padding

    def _another(self, bias: str | None) -> TileConv2d:
        sizes = (self.channels, self.outputs, self.kernel)
        return TileConv2d(*sizes, self.tiles, bias, self.stride, self.padding)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Convolve; as a plain convolution where there are no converters, which is the same sum."""
        if self.tiles is None:
            weight, bias = self.weight, self.bias
            if self.has_row:
                weight, bias = weight[:, :-1], weight[:, -1]
            kernel = weight.view(self.outputs, self.channels, self.kernel, self.kernel)
            return functional.conv2d(x, kernel, bias, self.stride, self.padding)
        height, width = ((n + 2 * self.padding - self.kernel) // self.stride + 1 for n in x.shape[2:])
        patches = functional.unfold(x, self.kernel, padding=self.padding, stride=self.stride).transpose(1, 2)
        return super().forward(patches).transpose(1, 2).reshape(len(x), self.outputs, height, width)


def step_of(converter: Converter, full: float) -> tuple[float, int]:
    """Give the width of a converter's steps and how many there are to either side of 0."""
    most = 2 ** (converter.bits - 1) - 1
    return full / most, most


def converted(x: torch.Tensor, converter: Converter, full: float) -> torch.Tensor:
    """Round to the steps of a converter, half to even; the gradient is that of clipping."""
    step, most = step_of(converter, full)
    inside = x.clamp(-full, full)
    return inside + (torch.round(inside / step).clamp(-most, most) * step - inside).detach()
