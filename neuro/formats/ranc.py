"""RANC: a crossbar's cores, axons and neurons as the JSON that RANC's simulator and its hardware tools read.

    ranc.json     cores, an output bus beside them, and no packets: `network/inputs.csv` says which a channel sends
    config.json   sizes of the architecture
    network/      what no core holds (see `neuro.formats.network`)

A core stands at (x, y) on one grid of all chips, the output bus in a column of its own. RANC adds a step to what a packet
says: destination_tick is the delay less one, and an event of step t travels in packets[t] with its input's delay as
destination_tick. A neuron without a route sends to the output bus: first the populations that are read out, as the
manifest lists them, then the others. Source: UA-RCL/RANC@08ae4bd, simulator (decode, scheduler, neuron block).
"""

from __future__ import annotations

import json
from pathlib import Path

from neuro.descriptor import Chip
from neuro.errors import DescriptionError, TableError
from neuro.formats.differences import refuse_differences
from neuro.formats.network import load, refuse_findings, save
from neuro.formats.ranc_cores import bus_lines, cores_of, frames_of
from neuro.formats.ranc_file import refuse_misshapen
from neuro.formats.ranc_grid import Grid
from neuro.tables import Tables
from neuro.tables.strict import parse_json, read_bytes

CORES, ARCHITECTURE = "ranc.json", "config.json"
MAX_BYTES = 2**31
NEEDED = {"weights.kind": "crossbar", "neuron.leak": "linear", "neuron.refractory": "none", "neuron.adaptation": "none"}
QUIET = ("neuron_block_trace_verbosity", "core_controller_trace_verbosity", "scheduler_trace_verbosity")


def write(tables: Tables, folder: str | Path, overwrite: bool = False) -> None:
    """Write a folder that RANC runs.

    Raises DescriptionError for a chip that is not of RANC's kind, TableError where a limit is broken, a membrane has a
    floor RANC's has not, or the folder cannot be written.
    """
    _refuse_other_chips(tables.chip)
    refuse_findings(tables)
    grid = Grid.of(tables)
    architecture = json.dumps(_architecture(tables.chip, grid), indent=1) + "\n"
    files = {CORES: _text(_content(tables, grid)), ARCHITECTURE: architecture}
    save(folder, files, tables, ("neurons", "inputs", "readout"), overwrite)


def read(folder: str | Path) -> Tables:
    """Read such a folder back; raises TableError naming the file and the first thing that is wrong."""
    folder = Path(folder)
    network = load(folder, "ranc")
    _refuse_other_chips(network.chip)
    grid = Grid.of(network)
    architecture, content = (
        parse_json(read_bytes(folder / name, MAX_BYTES, "name the folder an export wrote"), str(folder / name))
        for name in (ARCHITECTURE, CORES)
    )
    if architecture != _architecture(network.chip, grid):
        raise TableError(f"{folder / ARCHITECTURE}: is not the architecture of {network.chip.label}; export again")
    refuse_misshapen(content, network, grid, CORES)
    tables = Tables(network.manifest, {**network.frames, **frames_of(content["cores"], network, grid)})
    refuse_differences(content, _content(tables, grid), CORES)
    return tables


def _content(tables: Tables, grid: Grid) -> dict:
    bus = {"coordinates": list(grid.bus), "num_outputs": len(bus_lines(tables))}
    return {"packets": [], "output_bus": bus, "cores": cores_of(tables, grid)}


def _refuse_other_chips(chip: Chip) -> None:
    """Raise DescriptionError where a chip's neurons or synapses are not RANC's."""
    for path, allowed in NEEDED.items():
        room, key = path.split(".")
        have = getattr(getattr(chip, room), key)
        if have != allowed:
            raise DescriptionError(f"{path} is {have} on {chip.label}, allowed in format ranc: {allowed}")


def _architecture(chip: Chip, grid: Grid) -> dict[str, int]:
    return {
        "num_neurons": chip.cores.neurons,
        "num_axons": chip.cores.axons,
        "num_cores_x": grid.columns,
        "num_cores_y": grid.rows,
        "num_weights": chip.weights.axon_types,
        "max_tick_offset": chip.delays.route_max + 1,
        **dict.fromkeys(QUIET, 0),
        "neuron_reset_type": 0,
    }


def _text(content: dict) -> str:
    """JSON with one line a core, a neuron, and a row of connections."""
    text = json.dumps(content, separators=(",", ":"))
    return text.replace(",{", ",\n{").replace("],[", "],\n[") + "\n"
