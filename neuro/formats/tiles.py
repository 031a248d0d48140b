"""Tiles: for every tile of an array of conductance pairs, the levels, target conductances and pulses of its crosspoints.

    tiles.json                      tiles in use: file, chip, core, and which rows and columns of the core it holds
    tile-C-K-R-N.csv                chip C, core K, tile row R, tile column N; one line a crosspoint that is programmed
    network/                        what no tile holds (see `neuro.formats.network`)

row and column count within the tile; a row is an axon of the core, a column a neuron, so the sums of tiles one below the
other are added. Conductances are targets in microsiemens, pulses those that lead there from the lowest state.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

from neuro.descriptor import Chip
from neuro.errors import DescriptionError, TableError
from neuro.formats.network import load, refuse_findings, save
from neuro.tables import Tables
from neuro.tables.columns import columns_of
from neuro.tables.joined import pair_weights_of
from neuro.tables.strict import as_ascii, parse_json, read_bytes

INDEX = "tiles.json"
COLUMNS = ("row", "column", "level_plus", "level_minus", "g_plus_us", "g_minus_us", "pulses_plus", "pulses_minus")
KEPT = ("neurons", "weights", "axons", "routes", "inputs", "readout")
ABSENT = "name the folder an export wrote"
MAX_BYTES = 2**31


def write(tables: Tables, folder: str | Path, overwrite: bool = False) -> None:
    """Write a folder with one file a tile.

    Raises DescriptionError for a chip without conductance pairs, TableError where a limit is broken or the folder cannot
    be written.
    """
    _refuse_other_chips(tables.chip)
    refuse_findings(tables)
    tiles = {_file(key): (key, frame) for key, frame in _tiles(tables)}
    index = [_entry(key, len(frame), tables.chip) for key, frame in tiles.values()]
    files = {INDEX: json.dumps({"tiles": index}, indent=1) + "\n"}
    files |= {name: _text(frame) for name, (_, frame) in tiles.items()}
    save(folder, files, tables, KEPT, overwrite)


def read(folder: str | Path) -> Tables:
    """Read such a folder back; raises TableError naming the file and the first thing that is wrong."""
    folder = Path(folder)
    network = load(folder, "tiles")
    _refuse_other_chips(network.chip)
    index = parse_json(read_bytes(folder / INDEX, MAX_BYTES, ABSENT), str(folder / INDEX))
    listed = index.get("tiles") if isinstance(index, dict) else None
    if not isinstance(listed, list) or not all(isinstance(entry, dict) for entry in listed):
        raise TableError(f"{folder / INDEX}: holds no list of tiles; export again")
    parts = [_crosspoints(folder, entry, network) for entry in listed]
    if unlisted := {path.name for path in folder.glob("tile-*.csv")} - {entry["file"] for entry in listed}:
        raise TableError(f"{folder / sorted(unlisted)[0]}: is not listed in {INDEX}; add it, or take it away")
    frame = pd.concat(parts) if parts else pd.DataFrame(columns=list(columns_of("synapses", network.chip)))
    synapses = frame.sort_values(["chip", "core", "neuron", "slot"], ignore_index=True)
    return Tables(network.manifest, {**network.frames, "synapses": synapses})


def _refuse_other_chips(chip: Chip) -> None:
    if chip.weights.kind != "conductance":
        have = chip.weights.kind
        raise DescriptionError(f"weights.kind is {have} on {chip.label}, allowed in format tiles: conductance")


def _tiles(tables: Tables):
    """Give every tile in use, (chip, core, tile row, tile column), with its crosspoints."""
    shape, words = tables.chip.tiles, tables.frames["synapses"]
    words = words.assign(r=words["slot"] // shape.rows, n=words["neuron"] // shape.columns)
    for key, rows in words.groupby(["chip", "core", "r", "n"]):
        frame = _targets(tables.chip, rows["code"].to_numpy())
        frame.insert(0, "row", (rows["slot"] % shape.rows).to_numpy())
        frame.insert(1, "column", (rows["neuron"] % shape.columns).to_numpy())
        yield tuple(map(int, key)), frame.sort_values(["row", "column"], ignore_index=True)


def _targets(chip: Chip, code: np.ndarray) -> pd.DataFrame:
    devices = chip.devices
    sides = dict(zip(("plus", "minus"), np.divmod(code, devices.states), strict=True))
    shares = dict(zip(sides, (side[code] for side in pair_weights_of(chip)), strict=True))
    return pd.DataFrame(
        {f"level_{side}": level for side, level in sides.items()}
        | {f"g_{side}_us": share * devices.g_max_us for side, share in shares.items()}
        | {f"pulses_{side}": level * devices.pulses for side, level in sides.items()}
    )


def _file(key: tuple[int, ...]) -> str:
    return f"tile-{'-'.join(map(str, key))}.csv"


def _entry(key: tuple[int, ...], crosspoints: int, chip: Chip) -> dict:
    c, k, row, column = key
    first = {"first_axon": row * chip.tiles.rows, "first_neuron": column * chip.tiles.columns}
    return {"file": _file(key), "chip": c, "core": k, **first, "crosspoints": crosspoints}


def _text(frame: pd.DataFrame) -> str:
    return frame.to_csv(index=False, lineterminator="\n", float_format="%.6f")


def _crosspoints(folder: Path, entry: dict, network: Tables) -> pd.DataFrame:
    """Turn one tile's file into words."""
    chip, shape = network.chip, network.chip.tiles
    place = {name: entry.get(name) for name in ("chip", "core", "first_axon", "first_neuron", "crosspoints")}
    whole = all(type(value) is int and value >= 0 for value in place.values())
    key = (0, 0, 0, 0)
    if whole:
        key = (place["chip"], place["core"], place["first_axon"] // shape.rows, place["first_neuron"] // shape.columns)
    if not whole or entry != _entry(key, place["crosspoints"], chip):
        raise TableError(f"{folder / INDEX}: {str(entry)[:120]} is no tile of {chip.label}; export again")
    path = folder / entry["file"]
    text = as_ascii(read_bytes(path, MAX_BYTES, ABSENT), entry["file"])
    frame = _parsed(text, path)
    if len(frame) != place["crosspoints"]:
        raise TableError(
            f"{path}: has {len(frame)} crosspoints, allowed: the {place['crosspoints']} that {INDEX} states"
        )
    levels = [frame[f"level_{side}"].to_numpy() for side in ("plus", "minus")]
    limits = {"row": shape.rows, "column": shape.columns} | {
        f"level_{s}": chip.devices.states for s in ("plus", "minus")
    }
    for name, limit in limits.items():
        wrong = np.flatnonzero((frame[name] < 0) | (frame[name] >= limit))
        if len(wrong):
            at = wrong[0]
            raise TableError(f"{path}:{at + 2}: {name} is {frame[name][at]}, allowed: 0 to {limit - 1}")
    code = levels[0] * chip.devices.states + levels[1]
    again = _text(frame[["row", "column"]].join(_targets(chip, code))).split("\n")
    for number, (have, wanted) in enumerate(zip(text.split("\n"), again, strict=False), 1):
        if have != wanted:
            raise TableError(f"{path}:{number}: is {have[:80]!r}, allowed: {wanted!r}, what its levels stand for")
    words = pd.DataFrame({"chip": key[0], "core": key[1], "neuron": frame["column"] + place["first_neuron"]})
    words["slot"] = frame["row"] + place["first_axon"]
    tags = network.frames["axons"].rename(columns={"axon": "slot"})[["chip", "core", "slot", "tag"]]
    words = words.assign(type=-1, part=-1, code=code, delay=0).merge(tags, on=["chip", "core", "slot"], how="left")
    if words["tag"].isna().any():
        raise TableError(
            f"{path}: row {words['slot'][words['tag'].isna()].iloc[0]} is no axon in network/; export again"
        )
    return words[list(columns_of("synapses", chip))].astype(np.int64)


def _parsed(text: str, path: Path) -> pd.DataFrame:
    lines = text.split("\n")
    if lines[0] != ",".join(COLUMNS):
        raise TableError(f"{path}:1: columns are {lines[0][:120]}; allowed: exactly {','.join(COLUMNS)}")
    rows = []
    for number, line in enumerate(lines[1:-1], 2):
        cells = line.split(",")
        if len(cells) != len(COLUMNS) or not all(cell.isascii() and cell.isdigit() for cell in cells[:4]):
            raise TableError(f"{path}:{number}: is {line[:80]!r}, allowed: {len(COLUMNS)} cells, the first four whole")
        rows.append([int(cell) if len(cell) < 10 else 10**9 for cell in cells[:4]])
    return pd.DataFrame(rows, columns=list(COLUMNS[:4]), dtype=np.int64)
