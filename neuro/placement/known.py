"""A network whose connections are known: its populations as kinds of neurons, its layout as locations and routes."""

from __future__ import annotations

import numpy as np

from neuro.descriptor import Chip
from neuro.dynamics import ParameterSet
from neuro.errors import FitError
from neuro.placement.concrete import Kinds, Layout, lay_out
from neuro.placement.cores import CONSTANTS, signs_by_source
from neuro.placement.graph import graph_of
from neuro.placement.routes import RouteTable
from neuro.task import NetworkSpec


def lay_out_graph(
    spec: NetworkSpec, chip: Chip, parameters: dict[str, ParameterSet], graph, seed: int, start: str
) -> tuple[dict[str, np.ndarray], RouteTable, RouteTable]:
    """Give locations, routes and inputs of a network by its connections; see `neuro.place`."""
    refuse_shared_rows(chip)
    graph = graph_of(spec, graph)
    sizes = [population.size for population in spec.populations.values()]
    kinds = Kinds(np.repeat(np.arange(len(sizes)), sizes), *_values(spec, chip, parameters))
    layout = lay_out(graph, chip, kinds, _namer(spec), seed, start)
    places = np.split(layout.places, np.cumsum(sizes)[:-1])
    return dict(zip(spec.populations, places, strict=True)), *_routes(spec, chip, layout)


def refuse_shared_rows(chip: Chip) -> None:
    """Raise FitError for chips on which where a neuron sits is part of what it computes with.

    On measured boards neurons and tags are not alike. On crossbars each neuron has one destination, and copies and
    splitters do the rest; in arrays of conductances every pair of a row weighs something.
    """
    if chip.weights.axon_types is not None:
        raise FitError(
            f"routes: neurons of {chip.label} have one destination each, allowed for placing by connections: chips whose "
            "neurons have several; place its populations, without a graph"
        )
    if chip.defects is not None:
        raise FitError(
            f"words: neurons of {chip.label} hold different numbers of words for different tags, allowed for placing by "
            "connections: chips without a board file; place its populations, without a graph"
        )
    budgets = (chip.cores.outputs, chip.cores.memory, chip.weights.fan_out, chip.weights.fan_out_mean)
    if any(budget is not None for budget in budgets):
        raise FitError(
            f"words: {chip.label} keeps words by core or by source, or places for neurons that are read out, allowed for "
            "placing by connections: chips whose neurons have a memory of their own; place its populations, without a graph"
        )
    if chip.weights.kind == "conductance":
        raise FitError(
            f"rows: neurons of {chip.label} share the rows of their array, allowed for placing by connections: chips whose "
            "neurons have a memory of their own; place its populations, without a graph"
        )


def distinct_values(rows: list[tuple]) -> np.ndarray:
    """Number the distinct values of each column of some rows, in the order they come: int [rows, columns]."""
    columns = []
    for column in zip(*rows, strict=True):
        known: dict = {}
        columns.append([known.setdefault(value, len(known)) for value in column])
    return np.array(columns, np.int32).reshape(len(columns), len(rows)).T


def _values(spec: NetworkSpec, chip: Chip, parameters: dict[str, ParameterSet]) -> tuple[np.ndarray, np.ndarray]:
    """What the populations need of a core's constants, and how many values of each a core can hold."""
    limited = chip.neuron.distinct_per_core
    own = signs_by_source(chip)
    rows = [(*(CONSTANTS[c](p) for c in limited), *([name] if own else [])) for name, p in parameters.items()]
    return distinct_values(rows), np.array([*limited.values(), *([1] if own else [])], np.int32)


def _namer(spec: NetworkSpec):
    def name(source: int) -> str:
        for kind, sizes in (("channel", spec.inputs), ("neuron", {n: p.size for n, p in spec.populations.items()})):
            for of, size in sizes.items():
                if source < size:
                    return f"{kind} {source} of {of}"
                source -= size
        raise IndexError(source)

    return name


def _routes(spec: NetworkSpec, chip: Chip, layout: Layout) -> tuple[RouteTable, RouteTable]:
    sizes = [spec.size_of(name) for name in (*spec.inputs, *spec.populations)]
    first, inputs = np.concatenate([[0], np.cumsum(sizes)]), len(spec.inputs)
    rows, split = layout.rows, int(np.searchsorted(layout.rows.source, sum(spec.inputs.values())))
    of = np.searchsorted(first, rows.source, side="right") - 1
    delays = np.array([0] * inputs + [p.route_delay for p in spec.populations.values()])
    cores = rows.cores % chip.cores.per_chip

    def table(names, here: slice, start: int) -> RouteTable:
        bounds = rows.starts[here.start : here.stop + 1]
        return RouteTable(
            tuple(names), of[here] - start, (rows.source - first[of])[here], layout.tag[here], rows.chip[here],
            delays[of][here], bounds - bounds[0], cores[bounds[0] : bounds[-1]],
        )  # fmt: skip

    return table(spec.populations, slice(split, len(of)), inputs), table(spec.inputs, slice(0, split), 0)
