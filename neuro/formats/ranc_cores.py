"""Cores as RANC's JSON has them: types of axons, neurons with their constants and destination, rows of connections."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from neuro.errors import TableError
from neuro.formats.ranc_grid import Grid, Place
from neuro.tables import Parameters, Tables, columns_of
from neuro.tables.joined import HERE

LOWEST = -(2**31) + 1  # a negative threshold no membrane reaches
SILENT = {"reset_potential": 0, "leak": 0, "positive_threshold": 1, "negative_threshold": 0, "reset_mode": 0}


def cores_of(tables: Tables, grid: Grid) -> list[dict]:
    """Give every core of a configuration in JSON-like values, in the order of chips and cores."""
    _refuse_idle_axons(tables)
    parts = {
        name: dict(list(tables.frames[name].groupby(["chip", "core"]))) for name in ("axons", "weights", "synapses")
    }
    described = _described(tables, grid)
    cores = []
    for place in grid.positions:
        axons, weights, words = (parts[name].get(place, tables.frames[name][:0]) for name in parts)
        neurons = described[place]
        size, chip = max(neurons) + 1, tables.chip
        types = np.zeros(chip.cores.axons, int)
        types[axons["axon"]] = axons["type"]
        held = np.zeros((size, chip.weights.axon_types), int)
        held[weights["neuron"], weights["part"]] = weights["value"]
        closed = np.zeros((size, chip.cores.axons), int)
        closed[words["neuron"], words["slot"]] = 1
        cores.append(
            {
                "coordinates": list(grid.positions[place]),
                "axons": types.tolist(),
                "neurons": [neuron_of(neurons.get(n), row) for n, row in enumerate(held.tolist())],
                "connections": closed.tolist(),
            }
        )
    return cores


def neuron_of(described: dict | None, weights: list[int]) -> dict:
    """Give one neuron with its weights; None stands for a place without a neuron, where RANC needs a silent one."""
    nowhere = {"destination_core_offset": [0, 0], "destination_axon": 0, "destination_tick": 0}
    return {"weights": weights, **(SILENT | nowhere if described is None else described), "current_potential": 0}


def _described(tables: Tables, grid: Grid) -> dict[Place, dict[int, dict]]:
    """Give constants and destination of every neuron: (chip, core) -> neuron -> fields."""
    sets, exponents = {p.id: p for p in tables.manifest.parameter_sets}, tables.exponents
    constants, found = {}, {place: {} for place in grid.positions}
    for (*at, number), way in zip(
        tables.frames["neurons"][[*HERE, "parameters"]].itertuples(index=False, name=None),
        _destinations(tables, grid),
        strict=True,
    ):
        place, key = (at[0], at[1]), (number, exponents[at[0], at[1]])
        if key not in constants:
            constants[key] = constants_of(sets[number], 2.0 ** key[1], tables)
        found[place][at[2]] = constants[key] | way
    return found


def constants_of(p: Parameters, unit: float, tables: Tables) -> dict[str, int]:
    """Give a neuron's constants in whole weight units; TableError for what RANC's neurons cannot do."""
    linear = tables.chip.neuron.reset == "subtract"
    if math.isfinite(p.floor) and (linear or p.v_reset != -p.floor):
        raise TableError(
            f"manifest parameter set {p.id}: floor {p.floor:g}, reset "
            f"{'by subtraction' if linear else f'to {p.v_reset:g}'}, allowed in format ranc: no floor, or a reset to the "
            "floor with its sign turned, as RANC resets so below its negative threshold"
        )
    whole = {
        "reset_potential": 0.0 if linear else p.v_reset,
        "leak": p.bias - p.leak,
        "positive_threshold": p.theta,
        "negative_threshold": p.floor if math.isfinite(p.floor) else LOWEST * unit,
    }
    for name, value in whole.items():
        if value / unit != round(value / unit):
            raise TableError(
                f"manifest parameter set {p.id}: {name} is {value / unit:g} weight units, allowed: whole ones"
            )
    return {name: round(value / unit) for name, value in whole.items()} | {"reset_mode": int(linear)}


def _destinations(tables: Tables, grid: Grid) -> list[dict]:
    """Give where each row of neurons sends: the axon of its route, or a line of the output bus."""
    neurons = tables.frames["neurons"]
    routes = {tuple(row[:3]): row[3:] for row in _single_routes(tables).itertuples(index=False, name=None)}
    lines = bus_lines(tables)
    found = []
    for at in neurons[HERE].itertuples(index=False, name=None):
        x, y = grid.positions[at[:2]]
        if at in routes:
            tag, chip, core, delay = routes[at]
            goal, axon, tick = grid.positions[chip, core], tag, delay - 1
        else:
            goal, axon, tick = grid.bus, lines[at], 0
        offset = [goal[0] - x, goal[1] - y]
        found.append({"destination_core_offset": offset, "destination_axon": axon, "destination_tick": tick})
    return found


def _single_routes(tables: Tables) -> pd.DataFrame:
    """Give chip, core, neuron, tag, target chip and core, delay of every route; a mask names one core here."""
    routes = tables.frames["routes"]
    if "core_mask" in routes:
        routes = routes.assign(target_core=np.log2(routes["core_mask"]).astype(int))
    return routes[[*HERE, "tag", "target_chip", "target_core", "delay"]]


def bus_lines(tables: Tables) -> dict[tuple[int, int, int], int]:
    """Give each neuron without a route its line of the output bus: first who is read out, as the manifest lists them."""
    sizes = list(tables.population_sizes)
    read = list(dict.fromkeys(sizes.index(output.population) for output in tables.manifest.outputs))
    order = [*read, *(number for number in range(len(sizes)) if number not in read)]
    neurons = tables.frames["neurons"]
    routed = pd.MultiIndex.from_frame(tables.frames["routes"][HERE])
    free = neurons[~pd.MultiIndex.from_frame(neurons[HERE]).isin(routed)]
    free = free.assign(rank=free["population"].map({number: k for k, number in enumerate(order)}))
    ordered = free.sort_values(["rank", "index"])[HERE].itertuples(index=False, name=None)
    return {at: line for line, at in enumerate(ordered)}


def _refuse_idle_axons(tables: Tables) -> None:
    key = ["chip", "core", "axon"]
    used = pd.MultiIndex.from_frame(tables.frames["synapses"][["chip", "core", "slot"]])
    axons = tables.frames["axons"]
    idle = axons[~pd.MultiIndex.from_frame(axons[key]).isin(used)]
    if len(idle):
        chip, core, axon = idle.iloc[0][key]
        raise TableError(
            f"axon {axon} of chip {chip} core {core} has no crosspoint: leave it out, RANC has all of them"
        )


def frames_of(cores: list[dict], network: Tables, grid: Grid) -> dict[str, pd.DataFrame]:
    """Give the tables that well-formed cores hold: weights, synapses, axons, routes."""
    places = {position: place for place, position in grid.positions.items()}
    homes = {place: np.sort(part) for place, part in network.frames["neurons"].groupby(["chip", "core"])["neuron"]}
    rows: dict[str, list] = {"weights": [], "synapses": [], "axons": [], "routes": []}
    for core in cores:
        place = places[tuple(core["coordinates"])]
        here = homes[place]
        closed, weights = np.array(core["connections"]), np.array([n["weights"] for n in core["neurons"]])
        n, axon = np.nonzero(closed)
        rows["synapses"].append(_rows(*place, n, axon, axon, -1, -1, 1, 0))
        axons = np.unique(axon)
        rows["axons"].append(_rows(*place, axons, axons, np.array(core["axons"])[axons]))
        n, part = (index.ravel() for index in np.indices((len(here), weights.shape[1])))
        rows["weights"].append(_rows(*place, here[n], -1, part, weights[here][n, part]))
        ways = [(k, *_way(core["neurons"][k], core["coordinates"])) for k in here.tolist()]
        sent = np.array([(k, axon, *places[goal], tick + 1) for k, goal, axon, tick in ways if goal != grid.bus])
        if len(sent):
            rows["routes"].append(_rows(*place, sent[:, 0], 0, *sent[:, 1:].T))
    return {table: _frame(table, parts, network) for table, parts in rows.items()}


def _way(neuron: dict, coordinates: list[int]) -> tuple[Place, int, int]:
    (dx, dy), (x, y) = neuron["destination_core_offset"], coordinates
    return (x + dx, y + dy), neuron["destination_axon"], neuron["destination_tick"]


def _rows(*columns) -> np.ndarray:
    return np.column_stack(np.broadcast_arrays(*columns))


def _frame(table: str, parts: list[np.ndarray], network: Tables) -> pd.DataFrame:
    columns = list(columns_of(table, network.chip))
    frame = pd.DataFrame(np.concatenate([np.zeros((0, len(columns)), np.int64), *parts]), columns=columns)
    if "core_mask" in columns:
        frame["core_mask"] = 1 << frame["core_mask"].to_numpy()
    return frame.sort_values(columns, ignore_index=True)
