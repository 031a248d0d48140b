"""The part of a configuration no chip holds: populations, constants, read-outs; it stands beside a vendor's files.

`network/` is a folder of tables with the manifest and what a format does not say itself. A reader takes the rest from
the vendor's files: synapses, routes and latches as they stand there, currents by their codes, and base weights from
those currents, value = round_half_even(current / weight_unit_a / 2^exponent).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from neuro.descriptor import Chip
from neuro.errors import TableError
from neuro.tables import Tables, check, load_tables
from neuro.tables.folder import build_folder, write_file
from neuro.tables.joined import HERE, types_in_use

NETWORK = "network"


def refuse_findings(tables: Tables) -> None:
    """Raise TableError where a configuration breaks a limit, so that no file is written that programs nonsense."""
    if findings := check(tables):
        raise TableError(f"{len(findings)} limits of {tables.chip.label} exceeded, first: {findings[0]}")


def save(
    folder: str | Path,
    files: Mapping[str, str | bytes],
    tables: Tables,
    kept: Iterable[str],
    overwrite: bool,
    earlier: Iterable[str] = (),
) -> None:
    """Write a vendor's files, and the tables they do not hold, in one step; the first file marks the folder.

    earlier: names beside those of `files` that an export may have written there before, which `overwrite` replaces.
    """

    def fill(new: Path) -> None:
        for name, content in files.items():
            write_file(new / name, content if isinstance(content, bytes) else content.encode("ascii"))
        Tables(tables.manifest, {table: tables.frames[table] for table in kept}).save(new / NETWORK)

    build_folder(folder, fill, (*files, NETWORK, *earlier), overwrite)


def load(folder: Path, name: str) -> Tables:
    """Read what stands beside a vendor's files; raises TableError where the chip has no such format."""
    network = load_tables(folder / NETWORK)
    if name not in network.chip.formats:
        raise TableError(f"{folder / NETWORK}: {network.chip.label} has no format {name}; export again")
    return network


def completed(network: Tables, frames: Mapping[str, pd.DataFrame]) -> Tables:
    """Put what the vendor's files say beside the rest, rows in the order of neurons, and derive base weights.

    frames: `biases` without current_a; the other tables whole.
    """
    frames = dict(frames)
    for table, number in (("synapses", "slot"), ("routes", "route")):
        frames[table] = _in_order_of_neurons(frames[table], number, network)
    frames["biases"] = _with_currents(frames["biases"], network.chip)
    frames["weights"] = _base_weights(frames["biases"], network)
    return Tables(network.manifest, {**network.frames, **frames})


def refuse_other_weights(tables: Tables) -> None:
    """Raise TableError where a base weight is not what its bias gives: no vendor's file could say it."""
    derived = _base_weights(tables.frames["biases"], tables)
    key = ["chip", "core", "type", "part"]
    known = pd.MultiIndex.from_frame(derived[[*key, "value"]])
    rows = tables.frames["weights"]
    lost = rows[~pd.MultiIndex.from_frame(rows[[*key, "value"]]).isin(known)]
    if len(lost) or len(rows) != len(derived):
        row = (lost if len(lost) else rows).iloc[0]
        raise TableError(
            f"base weights of chip {row['chip']} core {row['core']} are not those of its biases; files of a board hold "
            "biases only, so export tables with a bias for every base weight of every core"
        )


def _in_order_of_neurons(frame: pd.DataFrame, number: str, network: Tables) -> pd.DataFrame:
    neurons = network.frames["neurons"][HERE].drop_duplicates()
    places = neurons.assign(place=np.arange(len(neurons)))
    place = frame[HERE].merge(places, on=HERE, how="left")["place"].fillna(len(neurons))
    return frame.iloc[np.lexsort((frame[number], place))].reset_index(drop=True)


def _with_currents(biases: pd.DataFrame, chip: Chip) -> pd.DataFrame:
    """Add the current of every code: from the N- or P-type table, as base weights are set or as the name ends."""
    if chip.bias_dac is None and len(biases):
        raise TableError(f"biases: {chip.label} has no bias generator")
    tables = {k: {(c, f): i for c, f, i in getattr(chip.bias_dac, k)} for k in "NP"} if len(biases) else {}
    own = {base.bias: chip.weights.dac for base in chip.weights.bases}
    currents = []
    for b in biases.itertuples(index=False):
        kind, where = own.get(b.name) or b.name[-1:], f"chip {b.chip} core {b.core} bias {b.name}"
        if kind not in tables:
            raise TableError(f"{where}: allowed: names that end in _N or _P, the two types of a bias")
        if (b.coarse, b.fine) not in tables[kind]:
            raise TableError(f"{where}: coarse {b.coarse} fine {b.fine} is no code of the DAC of {chip.label}")
        currents.append(tables[kind][b.coarse, b.fine])
    return biases.assign(current_a=np.array(currents, dtype=np.float64))


def _base_weights(biases: pd.DataFrame, network: Tables) -> pd.DataFrame:
    """Rows of `weights`, in the order cores and types stand in the manifest."""
    chip, manifest = network.chip.weights, network.manifest
    currents = {(b.chip, b.core, b.name): b.current_a for b in biases.itertuples(index=False)}
    used = types_in_use(network)
    rows = []
    for g in manifest.grid_exponents:
        for part, base in enumerate(chip.bases):
            current = currents.get((g.chip, g.core, base.bias))
            if current is None:
                continue
            value = int(np.round(current / chip.weight_unit_a / 2.0**g.exponent))
            if chip.kind == "masks":
                rows.append((g.chip, g.core, -1, -1, part, value))
            else:
                t = next(t for t in network.chip.types if t.name == base.name)
                if t.id in used:
                    rows.append((g.chip, g.core, -1, t.id, -1, t.sign * value))
    frame = pd.DataFrame(rows, columns=["chip", "core", "neuron", "type", "part", "value"])
    return frame if chip.kind == "masks" else _in_order_of_types(frame, network)


def _in_order_of_types(frame: pd.DataFrame, network: Tables) -> pd.DataFrame:
    cores = {(g.chip, g.core): i for i, g in enumerate(network.manifest.grid_exponents)}
    types = {t.id: i for i, t in enumerate(network.chip.types)}
    core = [cores[c, k] for c, k in zip(frame["chip"], frame["core"], strict=True)]
    return frame.iloc[np.lexsort((frame["type"].map(types), core))].reset_index(drop=True)
