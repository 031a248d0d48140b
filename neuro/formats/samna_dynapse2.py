"""What samna.dynapse2 calls the words of DYNAP-SE2: synapses and destinations with free tags, hops between chips.

A synapse names its dendrite and the base weights it adds (bit b of `weight` is base b), and takes one of three delays:
none (line 0, no steps), precise, mismatched, here the delay lines that add steps in rising order. A destination names
cores (bit c of `core` is core c) and hops of −7 to 7 along x and y; the first one sends every spike off the board (tag
256 · core + neuron, x_hop −7).
Sources: synsense/rockpool devices/dynapse/samna_alias; Maryada-27/dynapse_homeostasis lib. That y_hop counts as rows do,
downwards, is an assumption; boards of one row never hop along y.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from neuro.errors import TableError
from neuro.formats.layout import TEXT
from neuro.tables import Tables
from neuro.tables.joined import HERE

TYPES = {"AMPA": 1024, "GABA_B": 512, "NMDA": 256, "SHUNT": 128}
SIZES = {
    "weights.kind": ("masks",),
    "board.columns": range(1, 16),
    "board.rows": range(1, 16),
    "cores.per_chip": range(1, 5),
    "cores.neurons": range(1, 257),
    "weights.slots": range(1, 65),
    "tags.bits": range(1, 12),
    "tags.own_bits": (0,),
    "routes.entries": range(1, 5),
    "delays.route_max": (1,),
    "delays.lines": range(1, 4),
    "delays.undelayed": (True,),
}
MONITOR = {"core_mask": 15, "x_hop": -7, "y_hop": 0}
HOPS = ("x_hop", "y_hop")
NEURON = {"chip": range(15 * 15), "core": range(4), "neuron": range(256)}
EVENT = {"tag": range(2048), "core_mask": range(1, 16), "x_hop": range(-7, 8), "y_hop": range(-7, 8)}
FIELDS = {
    "synapses": NEURON
    | {"index": range(64), "tag": range(2048), "dendrite": range(128, 1025), "weight": range(1, 16)}
    | {"stp": range(1), "precise_delay": range(2), "mismatched_delay": range(2)},
    "destinations": NEURON | {"index": range(4)} | EVENT,
    "latches": NEURON | {"name": TEXT},
    "inputs": {"input": range(2**31), "channel": range(2**31)} | EVENT | {"x_hop": range(15), "y_hop": range(15)},
}


def pack(tables: Tables) -> dict[str, pd.DataFrame]:
    """Give the rows of FIELDS that program a configuration."""
    frames = tables.frames
    synapses, routes, inputs = frames["synapses"], frames["routes"], frames["inputs"]
    lines = tables.manifest.delay_lines
    line = synapses["delay"].map({steps: tables.chip.line_of(steps, lines) for steps in lines})
    x_hop, y_hop = _hops(routes["chip"], routes["target_chip"], tables)
    destinations = routes[HERE].assign(
        index=routes["route"] + tables.chip.routes.reserved,
        tag=routes["tag"],
        core_mask=routes["core_mask"],
        x_hop=x_hop,
        y_hop=y_hop,
    )
    x, y = _positions(tables)
    return {
        "synapses": synapses[HERE].assign(
            index=synapses["slot"],
            tag=synapses["tag"],
            dendrite=synapses["type"],
            weight=synapses["code"],
            stp=0,
            precise_delay=line.eq(1).astype(np.int64),
            mismatched_delay=line.eq(2).astype(np.int64),
        ),
        "destinations": pd.concat([_monitor(tables), destinations], ignore_index=True),
        "latches": frames["latches"],
        "inputs": inputs[["input", "channel", "tag", "core_mask"]].assign(
            x_hop=inputs["target_chip"].map(x), y_hop=inputs["target_chip"].map(y)
        ),
    }


def unpack(words: dict[str, pd.DataFrame], network: Tables) -> dict[str, pd.DataFrame]:
    """Read the rows of FIELDS as tables; raises TableError for a delay, a monitor or a hop that means nothing here."""
    synapses, rows, inputs = words["synapses"], words["destinations"], words["inputs"]
    lines = network.manifest.delay_lines
    line = synapses["precise_delay"] + 2 * synapses["mismatched_delay"]
    delay = line.map({network.chip.line_of(steps, lines): steps for steps in lines})
    unknown = np.flatnonzero(delay.isna())
    if len(unknown):
        raise TableError(
            f"synapses, row {unknown[0] + 1}: has delay {line[unknown[0]]} of none, precise, mismatched, allowed: one of "
            f"the {len(lines)} delay_lines of the manifest"
        )
    routes = rows[rows["index"] >= network.chip.routes.reserved].reset_index(drop=True)
    _refuse_other_monitors(rows[rows["index"] < network.chip.routes.reserved], network)
    x, y = (routes["chip"].map(axis) + routes[hop] for axis, hop in zip(_positions(network), HOPS, strict=True))
    return {
        "synapses": synapses[HERE].assign(
            slot=synapses["index"],
            tag=synapses["tag"],
            type=synapses["dendrite"],
            part=-1,
            code=synapses["weight"],
            delay=delay.astype(np.int64),
        ),
        "routes": routes[HERE].assign(
            route=routes["index"] - network.chip.routes.reserved,
            tag=routes["tag"],
            target_chip=_chips_at(x, y, network, "destinations"),
            core_mask=routes["core_mask"],
            delay=1,
        ),
        "latches": words["latches"],
        "inputs": inputs[["input", "channel", "tag"]].assign(
            target_chip=_chips_at(inputs["x_hop"], inputs["y_hop"], network, "inputs"),
            core_mask=inputs["core_mask"],
            delay=0,
        ),
    }


def _positions(tables: Tables) -> tuple[dict[int, int], dict[int, int]]:
    x, y = ({p.chip: getattr(p, axis) for p in tables.manifest.chips} for axis in "xy")
    return x, y


def _hops(chips: pd.Series, targets: pd.Series, tables: Tables) -> list[pd.Series]:
    return [targets.map(axis) - chips.map(axis) for axis in _positions(tables)]


def _chips_at(x: pd.Series, y: pd.Series, tables: Tables, table: str) -> np.ndarray:
    chips = {(p.x, p.y): p.chip for p in tables.manifest.chips}
    places = list(zip(x, y, strict=True))
    for row, place in enumerate(places):
        if place not in chips:
            raise TableError(
                f"{table}, row {row + 1}: leads to no chip of the board, at x {place[0]:g}, y {place[1]:g}"
            )
    return np.array([chips[place] for place in places], dtype=np.int64)


def _monitor(tables: Tables) -> pd.DataFrame:
    """The first destination of every neuron, where one is reserved: it sends spikes off the board."""
    neurons = tables.frames["neurons"][HERE][: None if tables.chip.routes.reserved else 0]
    return neurons.assign(index=0, tag=256 * neurons["core"] + neurons["neuron"], **MONITOR)


def _refuse_other_monitors(rows: pd.DataFrame, network: Tables) -> None:
    wanted = _monitor(network)
    have = rows[wanted.columns].sort_values(HERE, ignore_index=True)
    if not have.equals(wanted.sort_values(HERE, ignore_index=True)):
        raise TableError(
            "destinations: those with index 0 are not the monitors of the network's neurons (tag 256 core + neuron, all "
            "cores, x_hop -7, y_hop 0); export again"
        )
