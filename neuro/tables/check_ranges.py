"""Rules on single cells: every number within what its column can mean on this chip."""

from __future__ import annotations

import numpy as np
import pandas as pd

from neuro.tables.columns import kind_of
from neuro.tables.finding import Finding, found
from neuro.tables.joined import types_in_use, untyped
from neuro.tables.manifest import MAX_DELAY
from neuro.tables.model import Tables

ANY = range(2**63)  # not negative
UNUSED = (-1,)


def range_findings(tables: Tables) -> list[Finding]:
    """Find cells that are out of range, named by table, row and column."""
    return [
        finding
        for table, columns in _allowed(tables).items()
        for column, allowed in columns.items()
        if column in tables.frames[table]
        for finding in _outside(table, column, tables.frames[table], allowed)
    ]


def _outside(table: str, column: str, frame: pd.DataFrame, allowed) -> list[Finding]:
    values = frame[column].to_numpy()
    if _all_within(values, allowed):
        return []
    if isinstance(allowed, range):
        good = (values >= allowed.start) & (values <= allowed.stop - 1)
        text = f"{allowed.start} to {allowed.stop - 1}" if allowed.stop < 2**62 else f"{allowed.start} or more"
    else:
        good = np.isin(values, np.array(allowed, dtype=values.dtype if kind_of(column) == "int" else object))
        text = ", ".join(map(str, allowed[:12])) + (", …" if len(allowed) > 12 else "")
    if good.all():
        return []
    bad = frame[~good].assign(row_number=np.flatnonzero(~good) + 1)
    return found(f"{table}.{column}", bad, f"{table} row {{row_number}}", lambda row: str(row[column]), text or "none")


def _all_within(values: np.ndarray, allowed) -> bool:
    """Whether the least and the most of whole numbers say that all are allowed."""
    if not len(values) or values.dtype.kind != "i":
        return not len(values)
    least, most = int(values.min()), int(values.max())
    if isinstance(allowed, range):
        return allowed.start <= least and most < allowed.stop
    return set(range(least, most + 1)) <= set(allowed) if most - least < len(allowed) else False


def _allowed(tables: Tables) -> dict[str, dict[str, range | tuple]]:
    chip, manifest = tables.chip, tables.manifest
    core = {"chip": tuple(p.chip for p in manifest.chips), "core": range(chip.cores.per_chip)}
    neuron = {**core, "neuron": range(chip.cores.neurons)}
    event = {
        "tag": range(2**chip.tags.bits),
        "target_chip": core["chip"],
        "core_mask": range(1, 2 ** min(chip.cores.per_chip, 62)),
        "target_core": core["core"],
    }
    populations = range(len(manifest.populations))
    ids = tuple(p.id for p in manifest.parameter_sets)
    types, parts, codes = _words(tables)
    crossbar, on_axons, axons = chip.weights.kind == "crossbar", untyped(chip), range(chip.cores.axons or 0)
    names = sorted({*chip.neuron.latches.values()})
    return {
        "neurons": {**neuron, "population": populations, "index": ANY, "parameters": ids},
        "weights": {
            **core,
            "neuron": neuron["neuron"] if crossbar else UNUSED,
            "type": UNUSED if on_axons or chip.weights.kind == "masks" else types,
            "part": parts,
            "value": range(1 - 2**24, 2**24),
        },
        "synapses": {
            **neuron,
            "slot": axons if on_axons else ANY,
            "tag": event["tag"],
            "type": UNUSED if on_axons else types,
            "part": UNUSED,
            "code": codes,
            "delay": manifest.delay_lines,
        },
        "axons": {
            **core,
            "axon": axons if on_axons else (),
            "tag": event["tag"],
            "type": parts if crossbar else UNUSED,
        },
        "routes": {**neuron, "route": ANY, **event, "delay": range(1, min(chip.delays.route_max, MAX_DELAY) + 1)},
        "inputs": {"input": range(len(manifest.inputs)), "channel": ANY, **event, "delay": range(MAX_DELAY + 1)},
        "readout": {
            "output": tuple(i for i, o in enumerate(manifest.outputs) if o.kind == "traces"),
            "row": ANY,
            "population": populations,
            "index": range(-1, 2**63),
        },
        "biases": {**core, "coarse": ANY, "fine": ANY},
        "latches": {**neuron, "name": tuple(names)},
    }


def _words(tables: Tables) -> tuple[tuple[int, ...], range | tuple, range]:
    """Types that words may have, parts that weights may have, codes that words may hold."""
    weights = tables.chip.weights
    types = tuple(types_in_use(tables))
    if weights.kind == "masks":
        return types, range(len(weights.bases)), range(1, 2 ** len(weights.bases))
    if weights.kind == "levels":
        return types, range(len(weights.levels)), range(len(weights.levels))
    if weights.kind == "conductance":
        pairs = range(tables.chip.devices.states**2)
        return types, pairs, pairs
    return types, range(weights.axon_types) if weights.kind == "crossbar" else UNUSED, range(1, 2)
