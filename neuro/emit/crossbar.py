"""Tables of crossbars: who got an axon where, copies that hear the same, and splitters that repeat a spike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from neuro.dynamics import ParameterSet
from neuro.nn import Network
from neuro.placement import Fanout, Plan
from neuro.tables import columns_of

SPLITTER_EXPONENT = 0  # a splitter's unit is 1: one event through its weight of one unit is its threshold


@dataclass(frozen=True, eq=False)
class Relay:
    """A population that placement added to pass on another one's spikes: a copy, or the splitters' neurons of one way."""

    name: str
    source: str
    number: int
    places: np.ndarray
    splits: bool


def relays_of(plan: Plan) -> list[Relay]:
    """List the populations that copies and splitters make up, in the order of the tables."""
    found = []
    for name, fanout in plan.fanouts.items():
        found += [Relay(f"{name}.copy{k}", name, k, places, False) for k, places in enumerate(fanout.copies, 1)]
        ways = fanout.ways if fanout.splits else ()
        found += [Relay(f"{name}.splitter{k}", name, k, places, True) for k, places in enumerate(ways, 1)]
    return found


def splitter_set(plan: Plan) -> ParameterSet:
    """Constants of a splitter: it fires in the step in which its axon is active, and forgets."""
    floor = -np.inf if plan.chip.neuron.floor is None else float(np.float32(plan.chip.neuron.floor))
    return ParameterSet(leak=0.0, decay_syn=(0.0,) * len(plan.currents), theta=1.0, floor=floor)


def crossbar_frames(network: Network) -> dict[str, pd.DataFrame]:
    """Give the frames of synapse memory and routing: weights, synapses, axons, routes, inputs."""
    plan = network.plan
    rows: dict[str, list] = {"weights": [], "synapses": [], "axons": [], "routes": [], "inputs": []}
    for name in plan.spec.populations:
        code = network.memories[name].code.cpu().numpy().reshape(plan.spec.size_of(name), -1)
        values = network.memories[name].scheme.values.cpu().numpy()
        homes = np.stack([plan.locations[name], *plan.fanouts[name].copies])
        for core, members, heard in _cores(plan, name, code):
            axon_of = np.full(code.shape[1], -1)
            axon_of[heard] = np.arange(len(heard))
            kinds = code[members][:, heard].max(0) - 1
            rows["axons"].append(_axons(core, kinds))
            for places in homes[:, members]:
                rows["weights"].append(_weights(places, values[members]))
                rows["synapses"].append(_synapses(places, code[members], axon_of))
            for kind, part in _arriving(plan, name, core, axon_of):
                rows[kind].append(part)
    for fanout in plan.fanouts.values():
        if fanout.splits:
            for kind, part in _splitters(fanout, plan.chip.weights.axon_types):
                rows[kind].append(part)
    return {table: _frame(table, parts, plan) for table, parts in rows.items()}


def _frame(table: str, parts: list[np.ndarray], plan: Plan) -> pd.DataFrame:
    """Stack rows, a route's core in the column before last, as the chip's tables name it; sorted by place."""
    columns = columns_of(table, plan.chip)
    cells = np.concatenate([np.zeros((0, len(columns)), np.int64), *parts])
    frame = pd.DataFrame(cells, columns=list(columns))
    if "core_mask" in columns:
        frame["core_mask"] = 1 << frame["core_mask"].to_numpy()
    return frame.sort_values(list(columns), ignore_index=True)


def _cores(plan: Plan, name: str, code: np.ndarray) -> Iterator[tuple[tuple[int, int], np.ndarray, np.ndarray]]:
    """Each core of a population, which of its neurons live there, and the columns these hear."""
    index = plan.core_index(name)
    for number in np.unique(index):
        members = np.flatnonzero(index == number)
        yield plan.cores[number], members, np.flatnonzero((code[members] > 0).any(0))


def _rows(*columns) -> np.ndarray:
    return np.column_stack(np.broadcast_arrays(*columns))


def _axons(core: tuple[int, int], kinds: np.ndarray) -> np.ndarray:
    number = np.arange(len(kinds))
    return _rows(*core, number, number, kinds)


def _weights(places: np.ndarray, values: np.ndarray) -> np.ndarray:
    n, g = (index.ravel() for index in np.indices(values.shape))
    return _rows(*places[n].T, -1, g, values[n, g])


def _synapses(places: np.ndarray, code: np.ndarray, axon_of: np.ndarray) -> np.ndarray:
    n, m = np.nonzero(code)
    return _rows(*places[n].T, axon_of[m], axon_of[m], -1, -1, 1, 0)


def _arriving(plan: Plan, target: str, core: tuple[int, int], axon_of: np.ndarray):
    """Routes and inputs to one core: a row for every source that has an axon there."""
    for source, columns in plan.columns(target).items():
        axons = axon_of[columns]
        index = np.flatnonzero(axons >= 0)
        if source in plan.spec.inputs:
            number = list(plan.spec.inputs).index(source)
            yield "inputs", _rows(number, index, axons[index], *core, 0)
        else:
            fanout = plan.fanouts[source]
            places = fanout.ways[fanout.targets.index(core)][index]
            delay = plan.spec.populations[source].route_delay
            yield "routes", _rows(*places.T, 0, axons[index], *core, delay)


def _splitters(fanout: Fanout, types: int):
    """What makes splitters of neurons: a route and an axon for each source, a crosspoint and a weight of 1 for each way."""
    chip, core, axon = fanout.axons.T
    yield "routes", _rows(*fanout.feeders.T, 0, axon, chip, core, 1)
    yield "axons", _rows(chip, core, axon, axon, 0)
    for places in fanout.ways:
        yield "synapses", _rows(*places.T, axon, axon, -1, -1, 1, 0)
        yield "weights", _weights(places, np.eye(1, types, dtype=np.int64).repeat(len(places), 0))
