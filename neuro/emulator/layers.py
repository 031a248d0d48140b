"""Replay a model of layers from its tables: codes in whole numbers, tile by tile, digital layers in float32."""

from __future__ import annotations

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view

from neuro.emulator.programming import programmed
from neuro.errors import DataError, TableError
from neuro.tables.check_layers import check_layers
from neuro.tables.joined import pair_weights_of
from neuro.tables.layers import Digital, LayerTables, Matrix


def replay_layers(tables: LayerTables, x, noise_seed: int | None = None) -> torch.Tensor:
    """Give the outputs for samples x [B, …], float32; noise_seed: devices programmed with their spread, a draw a seed.

    Raises TableError where the tables break a limit, DataError for samples that do not suit them.
    """
    if findings := check_layers(tables):
        raise TableError(f"{findings[0]}; {len(findings)} findings in all")
    signal = np.asarray(x, dtype=np.float32)
    if signal.ndim < 2 or not np.isfinite(signal).all():
        raise DataError(f"x has the shape {list(signal.shape)}, allowed: finite numbers [samples, …]")
    random = None if noise_seed is None else np.random.default_rng(noise_seed)
    for number, layer in enumerate(tables.manifest.layers):
        digital = isinstance(layer, Digital)
        signal = _digital(layer, signal) if digital else _matrix(tables, number, layer, signal, random)
    return torch.from_numpy(np.ascontiguousarray(signal))


def _digital(layer: Digital, x: np.ndarray) -> np.ndarray:
    if layer.op == "relu":
        return np.maximum(x, np.float32(0))
    if layer.op == "flatten":
        return x.reshape(len(x), -1)
    padded = _padded(x, layer.padding, -np.inf)
    windows = sliding_window_view(padded, (layer.kernel, layer.kernel), (2, 3))
    return windows[:, :, :: layer.stride, :: layer.stride].max((4, 5))


def _matrix(tables: LayerTables, number: int, layer: Matrix, x: np.ndarray, random) -> np.ndarray:
    weight = _weights(tables, number, layer, random)
    shape = x.shape
    if layer.kernel is not None:
        windows = sliding_window_view(_padded(x, layer.padding, 0), (layer.kernel, layer.kernel), (2, 3))
        windows = windows[:, :, :: layer.stride, :: layer.stride]
        shape = windows.shape
        x = windows.transpose(0, 2, 3, 1, 4, 5).reshape(len(x), shape[2] * shape[3], -1)
    if x.shape[-1] != layer.rows:
        raise DataError(f"layer {number} would take {x.shape[-1]} inputs, allowed: {layer.rows}; x has another shape")
    tiles = tables.chip.tiles
    full_in = tiles.input.bound * layer.input_scale
    full_out = tiles.output.bound * full_in * layer.weight_scale
    top_in, top_out = 2 ** (tiles.input.bits - 1) - 1, 2 ** (tiles.output.bits - 1) - 1
    step_in, step_out = full_in / top_in, full_out / top_out
    codes = np.clip(np.rint(x.astype(np.float64) / step_in), -top_in, top_in)
    total = 0.0
    for first in range(0, layer.rows, tiles.rows):
        part = slice(first, first + tiles.rows)
        total = total + np.clip(np.rint(codes[..., part] @ weight[:, part].T * step_in / step_out), -top_out, top_out)
    y = (total * step_out).astype(np.float32)
    if len(tables.frames["biases"]) and (tables.frames["biases"]["layer"] == number).any():
        y = y + tables.bias(number)
    return y if layer.kernel is None else y.transpose(0, 2, 1).reshape(len(y), layer.columns, *shape[2:4])


def _weights(tables: LayerTables, number: int, layer: Matrix, random) -> np.ndarray:
    """Weights of one layer, float64 [columns, rows]: targets on the grid, or what noisy devices came out as."""
    devices, levels = tables.chip.devices, tables.levels(number)
    shares = pair_weights_of(tables.chip)[1][: devices.states]
    plus, minus = (shares[level] for level in levels)
    if random is None:
        grid = 2.0**layer.grid_exponent
        return np.rint((layer.base * plus - devices.gain * layer.base * minus) / grid) * grid
    return layer.base * programmed(devices, plus, random) - devices.gain * layer.base * programmed(
        devices, minus, random
    )


def _padded(x: np.ndarray, width: int, value: float) -> np.ndarray:
    if x.ndim != 4:
        raise DataError(f"a layer takes pictures [samples, channels, height, width], x has {x.ndim} dimensions there")
    return np.pad(x, ((0, 0), (0, 0), (width, width), (width, width)), constant_values=np.float32(value))
