"""Tiles: for every tile of an array of conductance pairs, the levels, target conductances and pulses of its crosspoints.

    tiles.json                      tiles in use: file, chip, core, and which rows and columns of the core it holds
    tile-C-K-R-N.csv                chip C, core K, tile row R, tile column N; one line a crosspoint that is programmed
    tile-C-K-R-N.parquet            the same columns in its place, where asked or where there are over a million lines
    network/                        what no tile holds (see `neuro.formats.network`)

row and column count within the tile; a row is an axon of the core, a column a neuron, so the sums of tiles one below the
other are added. Conductances are targets in microsiemens, pulses those that lead there from the lowest state; text has six
decimals of them, Parquet all. A Parquet file stands in the index with its sha256.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd

from neuro.descriptor import Chip
from neuro.errors import DescriptionError, TableError
from neuro.formats.network import load, refuse_findings, save
from neuro.tables import Tables
from neuro.tables.columns import columns_of
from neuro.tables.joined import pair_weights_of
from neuro.tables.parquet import from_parquet, to_parquet
from neuro.tables.strict import as_ascii, parse_json, read_bytes
from neuro.tables.write import CSV_ROWS

INDEX = "tiles.json"
COLUMNS = ("row", "column", "level_plus", "level_minus", "g_plus_us", "g_minus_us", "pulses_plus", "pulses_minus")
KEPT = ("neurons", "weights", "axons", "routes", "inputs", "readout")
ABSENT = "name the folder an export wrote"
MAX_BYTES = 2**31
TILE_FILE = re.compile(r"tile-\d+-\d+-\d+-\d+\.(csv|parquet)")


def write(tables: Tables, folder: str | Path, overwrite: bool = False, parquet: bool = False) -> None:
    """Write a folder with one file a tile: CSV, or Parquet where asked or where there are over a million crosspoints.

    Raises DescriptionError for a chip without conductance pairs, TableError where a limit is broken or the folder cannot
    be written.
    """
    _refuse_other_chips(tables.chip)
    refuse_findings(tables)
    parquet = parquet or len(tables.frames["synapses"]) > CSV_ROWS
    index, files = [], {}
    for key, frame in _tiles(tables):
        data = to_parquet(frame) if parquet else _text(frame)
        entry = _entry(key, len(frame), tables.chip, hashlib.sha256(data).hexdigest() if parquet else None)
        index.append(entry)
        files[entry["file"]] = data
    files = {INDEX: json.dumps({"tiles": index}, indent=1) + "\n"} | files
    save(folder, files, tables, KEPT, overwrite, _tile_files(folder))


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
    if unlisted := set(_tile_files(folder)) - {entry["file"] for entry in listed}:
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


def _tile_files(folder: str | Path) -> list[str]:
    """The files of tiles, of either kind, that a folder holds."""
    return sorted(path.name for path in Path(folder).glob("tile-*") if TILE_FILE.fullmatch(path.name))


def _entry(key: tuple[int, ...], crosspoints: int, chip: Chip, sha256: str | None) -> dict:
    """What the index says of a tile; sha256: of a Parquet file, None for text."""
    c, k, row, column = key
    first = {"first_axon": row * chip.tiles.rows, "first_neuron": column * chip.tiles.columns}
    file = f"tile-{c}-{k}-{row}-{column}.{'csv' if sha256 is None else 'parquet'}"
    sealed = {} if sha256 is None else {"sha256": sha256}
    return {"file": file, "chip": c, "core": k, **first, "crosspoints": crosspoints, **sealed}


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
    sha256 = entry.get("sha256")
    sealed = sha256 is None or isinstance(sha256, str)
    if not whole or not sealed or entry != _entry(key, place["crosspoints"], chip, sha256):
        raise TableError(f"{folder / INDEX}: {str(entry)[:120]} is no tile of {chip.label}; export again")
    path = folder / entry["file"]
    data = read_bytes(path, MAX_BYTES, ABSENT)
    if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
        raise TableError(f"{path}: does not match its sha256 in {INDEX}: edited after export; export again")
    text = as_ascii(data, path.name) if sha256 is None else None
    frame = from_parquet(data, COLUMNS, str(path)) if text is None else _parsed(text, path)
    if len(frame) != place["crosspoints"]:
        raise TableError(
            f"{path}: has {len(frame)} crosspoints, allowed: the {place['crosspoints']} that {INDEX} states"
        )
    limits = {"row": shape.rows, "column": shape.columns} | {
        f"level_{s}": chip.devices.states for s in ("plus", "minus")
    }
    for name, limit in limits.items():
        wrong = np.flatnonzero((frame[name] < 0) | (frame[name] >= limit))
        if len(wrong):
            at = wrong[0]
            where = f"{path}, row {at + 1}" if text is None else f"{path}:{at + 2}"
            raise TableError(f"{where}: {name} is {frame[name][at]}, allowed: 0 to {limit - 1}")
    code = frame["level_plus"].to_numpy() * chip.devices.states + frame["level_minus"].to_numpy()
    again = frame[["row", "column"]].join(_targets(chip, code))
    if text is None:
        _refuse_other_cells(path, frame, again)
    else:
        _refuse_other_lines(path, text, again)
    words = pd.DataFrame({"chip": key[0], "core": key[1], "neuron": frame["column"] + place["first_neuron"]})
    words["slot"] = frame["row"] + place["first_axon"]
    tags = network.frames["axons"].rename(columns={"axon": "slot"})[["chip", "core", "slot", "tag"]]
    words = words.assign(type=-1, part=-1, code=code, delay=0).merge(tags, on=["chip", "core", "slot"], how="left")
    if words["tag"].isna().any():
        raise TableError(
            f"{path}: row {words['slot'][words['tag'].isna()].iloc[0]} is no axon in network/; export again"
        )
    return words[list(columns_of("synapses", chip))].astype(np.int64)


def _refuse_other_lines(path: Path, text: str, again: pd.DataFrame) -> None:
    """Raise TableError for the first line of text that is not what its levels stand for."""
    for number, (have, wanted) in enumerate(zip(text.split("\n"), _text(again).split("\n"), strict=False), 1):
        if have != wanted:
            raise TableError(f"{path}:{number}: is {have[:80]!r}, allowed: {wanted!r}, what its levels stand for")


def _refuse_other_cells(path: Path, frame: pd.DataFrame, again: pd.DataFrame) -> None:
    """Raise TableError for the first cell of a Parquet file that is not what its row's levels stand for."""
    for name in COLUMNS[4:]:
        wrong = np.flatnonzero(frame[name].to_numpy() != again[name].to_numpy())
        if len(wrong):
            at = wrong[0]
            raise TableError(
                f"{path}, row {at + 1}: {name} is {frame[name][at]}, allowed: {again[name][at]}, what its level stands for"
            )


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
