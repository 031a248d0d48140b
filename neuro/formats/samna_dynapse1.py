"""What samna.dynapse1 calls the words of DYNAP-SE1: synapses listen to a core and neuron id, destinations carry a header.

A tag is a virtual core id (2 bits) and a neuron's own id (8 bits). The header says how many chips an event travels along
x (sx: 1 is west) and y (sy: 1 is south); the first destination of a neuron is samna's own, for its monitor.
Sources: samna documentation, reference/dynapse1; inivation/libcaer src/dynapse.c; nmi-lab/pyCAERdynapse CalculateBits.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from neuro.errors import TableError
from neuro.formats.layout import TEXT
from neuro.tables import Tables
from neuro.tables.joined import HERE

OWN_BITS = 8
OWN = 2**OWN_BITS
TYPES = {"GABA_B": 0, "GABA_A": 1, "NMDA": 2, "AMPA": 3}
SIZES = {
    "weights.kind": ("counts",),
    "board.columns": (1, 2),
    "board.rows": (1, 2),
    "cores.per_chip": range(1, 5),
    "cores.neurons": range(1, 257),
    "weights.slots": range(1, 65),
    "tags.bits": (10,),
    "tags.own_bits": (OWN_BITS,),
    "routes.entries": range(1, 5),
    "delays.route_max": (1,),
    "delays.line_max": (0,),
}
NEURON = {"chip": range(4), "core": range(4), "neuron": range(256)}
HEADER = {"sx": range(2), "dx": range(4), "sy": range(2), "dy": range(4)}
FIELDS = {
    "synapses": NEURON
    | {"index": range(64), "listen_core_id": range(4), "listen_neuron_id": range(OWN), "syn_type": range(4)},
    "destinations": NEURON
    | {"index": range(4), "virtual_core_id": range(4), "target_chip_id": range(4), "core_mask": range(1, 16)}
    | HEADER
    | {"in_use": range(1, 2)},
    "latches": NEURON | {"name": TEXT},
    "inputs": {
        "input": range(2**31),
        "channel": range(2**31),
        "neuron_id": range(4 * OWN),
        "target_chip": range(4),
        "core_mask": range(1, 16),
    },
}


def pack(tables: Tables) -> dict[str, pd.DataFrame]:
    """Give the rows of FIELDS that program a configuration."""
    frames = tables.frames
    synapses, routes = frames["synapses"], frames["routes"]
    return {
        "synapses": synapses[HERE].assign(
            index=synapses["slot"],
            listen_core_id=synapses["tag"] // OWN,
            listen_neuron_id=synapses["tag"] % OWN,
            syn_type=synapses["type"],
        ),
        "destinations": routes[HERE].assign(
            index=routes["route"] + tables.chip.routes.reserved,
            virtual_core_id=routes["tag"] // OWN,
            target_chip_id=routes["target_chip"],
            core_mask=routes["core_mask"],
            **header(routes["chip"], routes["target_chip"], tables),
            in_use=1,
        ),
        "latches": frames["latches"],
        "inputs": frames["inputs"][["input", "channel"]].assign(
            neuron_id=frames["inputs"]["tag"],
            target_chip=frames["inputs"]["target_chip"],
            core_mask=frames["inputs"]["core_mask"],
        ),
    }


def unpack(words: dict[str, pd.DataFrame], network: Tables) -> dict[str, pd.DataFrame]:
    """Read the rows of FIELDS as tables; raises TableError where a header does not lead to the chip it names."""
    synapses, rows = words["synapses"], words["destinations"]
    for name, wanted in header(rows["chip"], rows["target_chip_id"], network).items():
        wrong = np.flatnonzero(rows[name].to_numpy() != wanted)
        if len(wrong):
            row = rows.iloc[wrong[0]]
            raise TableError(
                f"destinations, row {wrong[0] + 1}: {name} is {row[name]}, allowed: {wanted[wrong[0]]}, on the way from "
                f"chip {row['chip']} to chip {row['target_chip_id']}"
            )
    return {
        "synapses": synapses[HERE].assign(
            slot=synapses["index"],
            tag=synapses["listen_core_id"] * OWN + synapses["listen_neuron_id"],
            type=synapses["syn_type"],
            part=-1,
            code=1,
            delay=0,
        ),
        "routes": rows[HERE].assign(
            route=rows["index"] - network.chip.routes.reserved,
            tag=rows["virtual_core_id"] * OWN + rows["neuron"],
            target_chip=rows["target_chip_id"],
            core_mask=rows["core_mask"],
            delay=1,
        ),
        "latches": words["latches"],
        "inputs": words["inputs"][["input", "channel"]].assign(
            tag=words["inputs"]["neuron_id"],
            target_chip=words["inputs"]["target_chip"],
            core_mask=words["inputs"]["core_mask"],
            delay=0,
        ),
    }


def header(chips: pd.Series, targets: pd.Series, tables: Tables) -> dict[str, np.ndarray]:
    """The way between chips of the board: sx, dx, sy, dy."""
    x, y = ({p.chip: getattr(p, axis) for p in tables.manifest.chips} for axis in "xy")
    lost = sorted({*chips, *targets} - set(x))
    if lost:
        raise TableError(f"destinations: chip {lost[0]} is not on the board, allowed: {', '.join(map(str, x))}")
    dx, dy = ((targets.map(axis) - chips.map(axis)).to_numpy(np.int64) for axis in (x, y))
    return {"sx": (dx < 0).astype(np.int64), "dx": np.abs(dx), "sy": (dy > 0).astype(np.int64), "dy": np.abs(dy)}
