"""RANC's file read strictly: the right keys, whole numbers it has room for, and nothing we would not write ourselves."""

from __future__ import annotations

from neuro.errors import TableError
from neuro.formats.ranc_cores import SILENT
from neuro.formats.ranc_grid import Grid
from neuro.tables import Tables

ANY = range(-(2**31) + 1, 2**31)


def refuse_misshapen(content: object, network: Tables, grid: Grid, file: str) -> None:
    """Raise TableError where a parsed file does not have the form of this network's cores."""
    chip, homes = network.chip, network.frames["neurons"]
    _refuse(content, _form(chip.cores.axons, chip.weights.axon_types), file)
    positions = [list(position) for position in grid.positions.values()]
    if [core["coordinates"] for core in content["cores"]] != positions:
        raise TableError(f"{file}: cores: allowed: one at each of {str(positions)[:120]}, in this order; export again")
    sizes = (homes.groupby(["chip", "core"])["neuron"].max() + 1).to_dict()
    goals = {*grid.positions.values(), grid.bus}
    for number, (place, core) in enumerate(zip(grid.positions, content["cores"], strict=True)):
        where = f"{file}: cores.{number}"
        for key in ("neurons", "connections"):
            if len(core[key]) != sizes[place]:
                raise TableError(f"{where}.{key}: have {len(core[key])}, allowed: {sizes[place]}; export again")
        for k, neuron in enumerate(core["neurons"]):
            (dx, dy), (x, y) = neuron["destination_core_offset"], core["coordinates"]
            if (x + dx, y + dy) not in goals:
                raise TableError(f"{where}.neurons.{k}.destination_core_offset: leads to no core ({x + dx}, {y + dy})")


def _form(axons: int, types: int) -> dict:
    """What a file holds: objects by their keys, lists by an item and their length, whole numbers by their range."""
    neuron = {"weights": (ANY, types), **dict.fromkeys(SILENT, ANY), "destination_core_offset": (ANY, 2)}
    neuron |= dict.fromkeys(("destination_axon", "destination_tick", "current_potential"), ANY)
    core = {
        "coordinates": (ANY, 2),
        "axons": (range(types), axons),
        "neurons": (neuron, None),
        "connections": ((range(2), axons), None),
    }
    return {
        "packets": (ANY, 0),
        "output_bus": {"coordinates": (ANY, 2), "num_outputs": ANY},
        "cores": (core, None),
    }


def _refuse(value: object, form: dict | tuple | range, where: str) -> None:
    if isinstance(form, range):
        if type(value) is not int or value not in form:
            raise TableError(f"{where} is {str(value)[:60]!r}, allowed: {form.start} to {form.stop - 1}; export again")
    elif isinstance(form, dict):
        if not isinstance(value, dict) or value.keys() != form.keys():
            raise TableError(f"{where}: allowed: an object with {', '.join(form)}; export again")
        for key, item in form.items():
            _refuse(value[key], item, f"{where}: {key}" if ": " not in where else f"{where}.{key}")
    else:
        item, count = form
        if not isinstance(value, list) or count not in (None, len(value)):
            raise TableError(f"{where}: allowed: a list{'' if count is None else f' of {count}'}; export again")
        for number, entry in enumerate(value):
            _refuse(entry, item, f"{where}.{number}")
