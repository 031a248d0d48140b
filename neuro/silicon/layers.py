"""Put a torch model of plain layers on a chip's tiles: its matrices on conductance pairs, the rest stays digital."""

from __future__ import annotations

import copy
import math
from collections import OrderedDict

import torch
from torch import nn

from neuro.descriptor import Chip
from neuro.errors import DescriptionError, FitError
from neuro.nn.constrain import Constrained, constrain
from neuro.silicon.arrays import PairArray
from neuro.silicon.pcm import programming_alone
from neuro.silicon.tiles import TileConv2d, TileLinear
from neuro.weights import ConductanceScheme, spaced_levels

GRID_BITS = 16  # of a layer's base: sums of a tile then stay whole numbers that float64 adds exactly
DIGITAL = (nn.ReLU, nn.MaxPool2d, nn.Flatten)
LEFT_OUT = (nn.Identity, nn.Dropout)


def on_tiles(model: nn.Sequential, chip: Chip, x: torch.Tensor) -> Constrained:
    """Give a copy of a model whose linear and convolution layers are held on a chip's pairs, behind its converters.

    x [B, …]: inputs that show how large the inputs of every layer get. ReLU, max-pooling, flattening and biases stay
    digital; dropout is left out. The result trains with `neuro.QRewiring` and exports; its `chip` is the chip. Raises
    DescriptionError for other layers or chips, FitError where there are too few tiles.
    """
    if chip.weights.kind != "conductance" or len(chip.weights.bases) != 1:
        raise DescriptionError(f"{chip.label} has no pairs with one base, allowed: kind conductance with one base")
    if not isinstance(model, nn.Sequential):
        raise DescriptionError(
            f"model is {type(model).__name__}, allowed: torch.nn.Sequential of layers in their order"
        )
    layers, schemes = OrderedDict(), {}
    with torch.no_grad():
        for name, layer in copy.deepcopy(model).eval().named_children():
            if isinstance(layer, LEFT_OUT):
                continue
            placed = _tile_layer(name, layer, chip)
            layers[name] = placed or layer
            if placed is not None:
                placed.calibrate(x)
                schemes[f"{name}.weight"] = scheme = layer_scheme(placed.weight, chip)
                placed.weight_scale.fill_(float(scheme.bases[0]))
            x = layer(x)
    _refuse_too_many(layers, chip)
    held = constrain(nn.Sequential(layers), schemes)
    held.chip = chip
    return held


def layer_scheme(weight: torch.Tensor, chip: Chip) -> ConductanceScheme:
    """Make the pairs of one layer: the base of least squared error, on a grid of 2^-16 of it."""
    devices = chip.devices
    levels = spaced_levels(devices.states, devices.ratio or math.inf, devices.nonlinearity)
    scheme = ConductanceScheme(levels, (1.0,), devices.gain)
    base = scheme.initial_bases(weight)
    grid = 2.0 ** (math.frexp(float(base[0]))[1] - GRID_BITS)
    return ConductanceScheme(levels, torch.round(base / grid) * grid, devices.gain, grid)


@torch.no_grad()
def noisy_outputs(held: Constrained, x: torch.Tensor, seed: int) -> torch.Tensor:
    """Give the outputs of a model on tiles whose devices were programmed with noise a moment ago."""
    generator, memories = torch.Generator().manual_seed(seed), {name: memory for name, _, memory in held.synapses()}
    still = programming_alone(held.chip.devices)
    for name, layer in held.module.named_children():
        if isinstance(layer, TileLinear):
            memory = memories[f"{name}.weight"]
            array = PairArray.of(memory.code, memory.scheme, still, generator)
            layer = layer.holding(array.weights(0.0, generator)).eval()
        x = layer(x)
    return x


def tiles_of(rows: int, columns: int, chip: Chip) -> int:
    """Count the tiles a matrix takes."""
    return -(-rows // chip.tiles.rows) * -(-columns // chip.tiles.columns)


def tiles_there(chip: Chip) -> int:
    """Count the tiles a board has."""
    return chip.chips * chip.cores.per_chip * tiles_of(chip.cores.axons, chip.cores.neurons, chip)


def _tile_layer(name: str, layer: nn.Module, chip: Chip) -> TileLinear | None:
    bias = None if getattr(layer, "bias", None) is None else "digital"
    if isinstance(layer, nn.Linear):
        placed = TileLinear(layer.in_features, layer.out_features, chip.tiles, bias)
    elif isinstance(layer, nn.Conv2d):
        kernel, stride, padding = layer.kernel_size, layer.stride, layer.padding
        square = all(len(set(v)) == 1 for v in (kernel, stride, padding)) and layer.padding_mode == "zeros"
        if not square or layer.groups != 1 or set(layer.dilation) != {1} or isinstance(padding, str):
            raise DescriptionError(
                f"{name}: allowed: convolutions of one group, square, without dilation, padded by zeros"
            )
        sizes = (layer.in_channels, layer.out_channels, kernel[0])
        placed = TileConv2d(*sizes, chip.tiles, bias, stride[0], padding[0])
    elif isinstance(layer, DIGITAL):
        return None
    else:
        known = ", ".join(kind.__name__ for kind in (nn.Linear, nn.Conv2d, *DIGITAL, *LEFT_OUT))
        raise DescriptionError(f"{name} is {type(layer).__name__}, allowed on tiles: {known}")
    placed.weight.copy_(layer.weight.flatten(1))
    if bias:
        placed.bias.copy_(layer.bias)
    return placed


def _refuse_too_many(layers: dict[str, nn.Module], chip: Chip) -> None:
    needed = sum(tiles_of(x.inputs, x.outputs, chip) for x in layers.values() if isinstance(x, TileLinear))
    if needed > tiles_there(chip):
        raise FitError(
            f"tiles: the model needs {needed}, allowed: {tiles_there(chip)} on {chip.label}; make layers smaller"
        )
