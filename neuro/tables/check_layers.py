"""Check a model of layers against its chip: pairs, targets, tiles and ranges derived again from tables and descriptor."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from neuro.tables.finding import Finding, found, worst_first
from neuro.tables.joined import pair_weights_of
from neuro.tables.layers import LayerTables, Matrix
from neuro.tables.manifest import chip_sha256

AT = "layer {layer} row {row} column {column}"
EXACT = 2**53  # float64 adds whole numbers below this without rounding


def check_layers(tables: LayerTables) -> list[Finding]:
    """Find every limit a model of layers breaks; [] where the chip can hold it."""
    manifest = tables.manifest
    if manifest.chip.weights.kind != "conductance":
        return [Finding("weight kind", "chip.weights.kind", manifest.chip.weights.kind, "conductance")]
    if manifest.chip_sha256 != chip_sha256(manifest.chip):
        return [Finding("chip_sha256", "manifest", manifest.chip_sha256, "the hash of the chip beside it")]
    places = list(_places(tables))
    return worst_first(places or [*_targets(tables), *_tiles(tables), *_sums(tables)])


def _places(tables: LayerTables) -> Iterator[Finding]:
    """Every crosspoint of every matrix has one pair of levels that exist, every bias a column."""
    pairs, biases, states = tables.frames["pairs"], tables.frames["biases"], tables.chip.devices.states
    matrices = {i: layer for i, layer in enumerate(tables.manifest.layers) if isinstance(layer, Matrix)}
    for table, frame in (("pairs", pairs), ("biases", biases)):
        lost = frame[~frame["layer"].isin(matrices)]
        yield from found(table, lost, "layer {layer}", "no matrix", f"one of the layers {sorted(matrices)}")
    twice = pairs[pairs.duplicated(["layer", "row", "column"])]
    yield from found("pairs", twice, AT, "more than one pair", "one")
    for side in ("level_plus", "level_minus"):
        wrong = pairs[(pairs[side] < 0) | (pairs[side] >= states)]
        yield from found(side, wrong, AT, f"{{{side}}}", f"0 to {states - 1}")
    for number, layer in matrices.items():
        own, added = pairs[pairs["layer"] == number], biases[biases["layer"] == number]
        beyond = own[~own["row"].between(0, layer.rows - 1) | ~own["column"].between(0, layer.columns - 1)]
        yield from found("crosspoint", beyond, AT, "outside", f"{layer.rows} rows and {layer.columns} columns")
        if len(own) != layer.rows * layer.columns:
            yield Finding("pairs", f"layer {number}", len(own), f"{layer.rows * layer.columns}, one a crosspoint")
        off = added[~added["column"].between(0, layer.columns - 1) | added.duplicated("column")]
        yield from found("bias", off, "layer {layer} column {column}", "not one of its columns", "each column once")


def _targets(tables: LayerTables) -> Iterator[Finding]:
    """Target conductances and pulses are those of the levels."""
    pairs, devices = tables.frames["pairs"], tables.chip.devices
    code = pairs["level_plus"] * devices.states + pairs["level_minus"]
    for side, share in zip(("plus", "minus"), pair_weights_of(tables.chip), strict=True):
        wanted = share[code.to_numpy()] * devices.g_max_us
        off = pairs[np.abs(pairs[f"g_{side}_us"] - wanted) > 1e-9 * devices.g_max_us]
        yield from found(f"g_{side}_us", off, AT, f"{{g_{side}_us}}", "the conductance of its level")
        wrong = pairs[pairs[f"pulses_{side}"] != pairs[f"level_{side}"] * devices.pulses]
        yield from found(f"pulses_{side}", wrong, AT, f"{{pulses_{side}}}", f"{devices.pulses} for every level")


def _tiles(tables: LayerTables) -> Iterator[Finding]:
    chip, shape = tables.chip, tables.chip.tiles

    def count(rows: int, columns: int) -> int:
        return -(-rows // shape.rows) * -(-columns // shape.columns)

    needed = sum(count(x.rows, x.columns) for x in tables.manifest.layers if isinstance(x, Matrix))
    there = chip.chips * chip.cores.per_chip * count(chip.cores.axons, chip.cores.neurons)
    if needed > there:
        yield Finding("tiles", "all layers", needed, there)


def _sums(tables: LayerTables) -> Iterator[Finding]:
    """Scales make sense, and a tile's sums are whole numbers float64 adds exactly."""
    devices, tiles = tables.chip.devices, tables.chip.tiles
    for number, layer in enumerate(tables.manifest.layers):
        if not isinstance(layer, Matrix):
            continue
        for name in ("base", "input_scale", "weight_scale"):
            if not 0 < getattr(layer, name) < float("inf"):
                yield Finding(name, f"layer {number}", getattr(layer, name), "a finite number above 0")
                return
        largest = layer.base * max(1.0, devices.gain) / 2.0**layer.grid_exponent
        units = largest * 2 ** (tiles.input.bits - 1) * min(layer.rows, tiles.rows)
        if units >= EXACT:
            yield Finding("sum of a tile", f"layer {number}", units, EXACT - 1)
