"""From a model on tiles to the tables of its layers."""

from __future__ import annotations

import numpy as np
import pandas as pd
from torch import nn

from neuro.errors import FeasibilityError, NeuroError
from neuro.nn.constrain import Constrained
from neuro.silicon import TileConv2d, TileLinear
from neuro.tables.layers import LAYER_COLUMNS, LayerTables, make_layer_tables


def export_layers(held: Constrained) -> LayerTables:
    """Give the tables of a model that `neuro.silicon.on_tiles` made.

    Raises FeasibilityError where a weight is off its pairs, NeuroError for a module that is on no chip's tiles.
    """
    if not hasattr(held, "chip"):
        raise NeuroError("this module is on no chip's tiles; neuro.silicon.on_tiles(model, chip, x) puts it there")
    if violations := held.violations():
        raise FeasibilityError(f"the model breaks {len(violations)} limits, first: {violations[0]}")
    memories = {name: memory for name, _, memory in held.synapses()}
    layers, pairs, biases = [], [], []
    for number, (name, layer) in enumerate(held.module.named_children()):
        if not isinstance(layer, TileLinear):
            layers.append({"name": f"layer_{name}", "digital": True, **_digital(layer)})
            continue
        memory = memories[f"{name}.weight"]
        layers.append({"name": f"layer_{name}", "digital": False, **_matrix(layer, memory.scheme)})
        pairs.append(_pairs(number, memory, held.chip))
        if layer.bias is not None:
            values = layer.bias.detach().double().tolist()
            biases += [(number, column, value) for column, value in enumerate(values)]
    frames = {
        "pairs": pd.concat(pairs, ignore_index=True),
        "biases": pd.DataFrame(biases, columns=list(LAYER_COLUMNS["biases"])),
    }
    return make_layer_tables(held.chip, layers, frames)


def _matrix(layer: TileLinear, scheme) -> dict:
    convolves = isinstance(layer, TileConv2d)
    return {
        "op": "matrix",
        "rows": layer.inputs,
        "columns": layer.outputs,
        "base": float(scheme.bases[0]).hex(),
        "grid_exponent": round(np.log2(float(scheme.grid[0]))),
        "input_scale": float(layer.input_scale).hex(),
        "weight_scale": float(layer.weight_scale).hex(),
        "kernel": layer.kernel if convolves else None,
        **({"stride": layer.stride, "padding": layer.padding} if convolves else {}),
    }


def _digital(layer: nn.Module) -> dict:
    if isinstance(layer, nn.ReLU):
        return {"op": "relu"}
    if isinstance(layer, nn.Flatten):
        return {"op": "flatten"}
    sizes = {"kernel": layer.kernel_size, "stride": layer.stride, "padding": layer.padding}
    if not all(isinstance(size, int) for size in sizes.values()) or layer.dilation != 1 or layer.ceil_mode:
        raise NeuroError("max-pooling has unequal sides, dilation or ceil_mode; allowed: square windows without them")
    return {"op": "max_pool", **sizes}


def _pairs(number: int, memory, chip) -> pd.DataFrame:
    plus, minus = (x.flatten(1).cpu().numpy() for x in memory.scheme.levels_of(memory.code))
    column, row = (index.ravel() for index in np.indices(plus.shape))
    shares, devices = np.array(memory.scheme.levels), chip.devices
    levels = {"plus": plus.ravel(), "minus": minus.ravel()}
    frame = {"layer": number, "row": row, "column": column}
    frame |= {f"level_{side}": level for side, level in levels.items()}
    frame |= {f"g_{side}_us": shares[level] * devices.g_max_us for side, level in levels.items()}
    frame |= {f"pulses_{side}": level * devices.pulses for side, level in levels.items()}
    return pd.DataFrame(frame)[list(LAYER_COLUMNS["pairs"])]
