"""A configuration placed anew: the same words, base weights, constants and delays, on cores that fewer routes lead to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from neuro.emit.biases import with_constants
from neuro.emit.make import export
from neuro.errors import FeasibilityError, FitError
from neuro.placement.concrete import Kinds, Layout, lay_out
from neuro.placement.cores import CONSTANTS, signs_by_source
from neuro.placement.graph import Destinations, Graph, destinations, graph_of_pairs
from neuro.placement.known import distinct_values, refuse_shared_rows
from neuro.tables import GridExponent, Joined, Position, Tables, check, columns_of

HERE = ["chip", "core", "neuron"]
HEARD = ["chip", "core", "tag"]


@dataclass(frozen=True)
class Moved:
    """Tables placed anew, and the destinations of sources before and after."""

    tables: Tables
    before: Destinations
    after: Destinations


@dataclass(frozen=True, eq=False)
class _Known:
    """A configuration as a graph: which source each word hears, the group of each neuron's core, delays of sources."""

    joined: Joined
    graph: Graph
    word_source: np.ndarray
    group: np.ndarray
    groups: list
    delay: np.ndarray


def replace(source, seed: int = 0, start: str = "best") -> Tables:
    """Place a trained network (network, run or its path) or a configuration anew, so that sources reach fewer cores.

    Neurons change places only between cores with the same base weights, biases and grid; every word, constant and delay
    stays, which is checked. The result is never worse than what was given. See `neuro.place` for `start`. Raises
    FitError where that cannot be, FeasibilityError where a limit was broken before.
    """
    return moved(source, seed, start).tables


def moved(source, seed: int = 0, start: str = "best") -> Moved:
    """Like `replace`, with what it gained."""
    tables = source if isinstance(source, Tables) else export(source)
    if not isinstance(tables, Tables):
        raise FitError("layers on tiles have no routes, allowed for placing anew: networks of spiking neurons")
    findings = check(tables)
    if findings:
        raise FeasibilityError(f"{len(findings)} limits are broken, so nothing is placed anew; first: {findings[0]}")
    refuse_shared_rows(tables.chip)
    known, chip = _known(tables), tables.chip
    neurons, per_chip = known.joined.neurons, chip.cores.per_chip
    present = (neurons["chip"] * per_chip + neurons["core"]).to_numpy()
    layout = lay_out(known.graph, chip, _kinds(known), known.joined.name, seed, start, present)
    made = _tables(known, layout)
    if findings := check(made):
        raise FeasibilityError(f"placed anew, {len(findings)} limits would be broken, first: {findings[0]}")
    refuse_changed(tables, made)
    return Moved(made, destinations(known.graph, present, per_chip), layout.cost)


def connections_of(tables: Tables) -> Graph:
    """Read who hears whom out of a configuration: sources are channels, then neurons by population and index."""
    return _known(tables).graph


def refuse_changed(tables: Tables, other: Tables) -> None:
    """Raise FeasibilityError where neurons of two configurations differ in a word, a base weight, a constant or a delay."""
    for what, have in _content(tables).items():
        if not np.array_equal(have, _content(other)[what]):
            raise FeasibilityError(f"placed anew, the {what} would change, allowed: the same for every neuron")


def _content(tables: Tables) -> dict[str, np.ndarray]:
    """What each neuron computes with, wherever it sits, sorted."""
    joined, exponents = Joined(tables), tables.exponents
    heard = joined.words.merge(joined.deliveries.rename(columns={"delay": "way"}), on=HEARD)
    columns = ["target", "source", "current", "delay", "way", "type", "code", "value"]
    words = heard[columns].sort_values(columns).to_numpy()
    places = zip(joined.neurons["chip"], joined.neurons["core"], strict=True)
    return {
        "words, base weights or delays": words,
        "constants": joined.neurons[["population", "index", "parameters"]].to_numpy(),
        "grid": np.array([exponents[place] for place in places]),
    }


def _known(tables: Tables) -> _Known:
    joined = Joined(tables)
    deliveries = joined.deliveries
    ways = deliveries.groupby("source")["delay"].agg(["min", "max"])
    if (ways["min"] != ways["max"]).any():
        source = int(ways.index[(ways["min"] != ways["max"]).to_numpy().argmax()])
        raise FitError(
            f"delays: {joined.name(source)} sends with delays {ways['min'][source]} and {ways['max'][source]}, allowed for "
            "placing anew: one delay a source"
        )
    delay = np.zeros(joined.inputs + len(joined.neurons), np.int64)
    delay[ways.index.to_numpy()] = ways["min"].to_numpy()
    words = joined.words
    first = deliveries.drop_duplicates(HEARD)[[*HEARD, "source"]]
    source = words[HEARD].merge(first, on=HEARD, how="left")["source"].to_numpy()
    graph = graph_of_pairs(joined.inputs, len(joined.neurons), words["target"].to_numpy(), source)
    group, groups = _groups(tables, joined)
    return _Known(joined, graph, source, group, groups, delay)


def _groups(tables: Tables, joined: Joined) -> tuple[np.ndarray, list]:
    """Number cores by what they share: (number for each neuron, [(grid exponent, weights, biases no constant sets)])."""
    chip, neurons = tables.chip, joined.neurons
    set_by_constants = {s.name for s in chip.circuits.biases if s.constant} if chip.circuits else set()
    weights = {place: rows for place, rows in tables.frames["weights"].groupby(["chip", "core"])}
    biases = tables.frames["biases"]
    biases = {p: rows for p, rows in biases[~biases["name"].isin(set_by_constants)].groupby(["chip", "core"])}
    numbers, groups, of_core = {}, [], {}
    for place, exponent in tables.exponents.items():
        shared = (exponent, *(_cells(frames.get(place)) for frames in (weights, biases)))
        if signs_by_source(chip):  # a source may have another sign in each core
            shared = (*shared, place)
        if shared not in numbers:
            numbers[shared] = len(groups)
            groups.append((exponent, weights.get(place), biases.get(place)))
        of_core[place] = numbers[shared]
    places = zip(neurons["chip"], neurons["core"], strict=True)
    return np.array([of_core[place] for place in places]), groups


def _cells(rows: pd.DataFrame | None) -> tuple:
    """A core's rows without the core, in any order."""
    return () if rows is None else tuple(sorted(rows.drop(columns=["chip", "core"]).itertuples(index=False, name=None)))


def _kinds(known: _Known) -> Kinds:
    chip, sets = known.joined.chip, {p.id: p for p in known.joined.manifest.parameter_sets}
    pairs = list(zip(known.joined.neurons["parameters"].tolist(), known.group.tolist(), strict=True))
    distinct = list(dict.fromkeys(pairs))
    number = {pair: i for i, pair in enumerate(distinct)}
    limited = chip.neuron.distinct_per_core
    rows = [(*(CONSTANTS[c](sets[p]) for c in limited), group) for p, group in distinct]
    return Kinds(np.array([number[p] for p in pairs]), distinct_values(rows), np.array([*limited.values(), 1]))


def _tables(known: _Known, layout: Layout) -> Tables:
    tables, places = known.joined.tables, layout.places
    neurons = known.joined.neurons[["population", "index", "parameters"]].assign(**_columns(places))
    used = {}
    for place, group in zip(map(tuple, places[:, :2].tolist()), known.group.tolist(), strict=True):
        used[place] = known.groups[group]
    across = tables.chip.board.columns
    manifest = tables.manifest.model_copy(
        update={
            "chips": tuple(Position(chip=c, x=c % across, y=c // across) for c in sorted({c for c, _ in used})),
            "grid_exponents": tuple(GridExponent(chip=c, core=k, exponent=used[c, k][0]) for c, k in sorted(used)),
        }
    )
    frames = {
        **tables.frames,
        "neurons": neurons[list(columns_of("neurons", tables.chip))],
        "weights": _of_cores(used, 1, tables.frames["weights"]),
        "biases": _of_cores(used, 2, tables.frames["biases"]),
        "synapses": _synapses(known, layout),
        "latches": _latches(known, places),
        **_routing(known, layout),
    }
    return with_constants(Tables(manifest, frames))


def _columns(places: np.ndarray) -> dict[str, np.ndarray]:
    return dict(zip(HERE, places.T, strict=True))


def _of_cores(used: dict, part: int, like: pd.DataFrame) -> pd.DataFrame:
    """The rows of each core's group, on its new place."""
    rows = [of[part].assign(chip=c, core=k) for (c, k), of in sorted(used.items()) if of[part] is not None]
    return pd.concat(rows, ignore_index=True) if rows else like[:0]


def _synapses(known: _Known, layout: Layout) -> pd.DataFrame:
    words, chips = known.joined.words, known.joined.chip.chips
    places = layout.places[words["target"].to_numpy()]
    keys = layout.rows.source.astype(np.int64) * chips + layout.rows.chip
    tag = layout.tag[np.searchsorted(keys, known.word_source.astype(np.int64) * chips + places[:, 0])]
    columns = list(columns_of("synapses", known.joined.chip))
    made = words.assign(**_columns(places), tag=tag).sort_values(["target", "slot"])
    return made[columns].reset_index(drop=True)


def _routing(known: _Known, layout: Layout) -> dict[str, pd.DataFrame]:
    joined, rows, chip = known.joined, layout.rows, known.joined.chip
    row = np.repeat(np.arange(len(rows.source)), rows.width)
    core = rows.cores % chip.cores.per_chip
    table = pd.DataFrame({"source": rows.source, "tag": layout.tag, "target_chip": rows.chip})
    table["delay"] = known.delay[rows.source]
    table["route"] = table.groupby("source").cumcount()
    if "core_mask" in columns_of("routes", chip):
        table["core_mask"] = np.bincount(row, weights=2.0**core, minlength=len(table)).astype(np.int64)
    else:
        table = table.iloc[row].assign(target_core=core)
    from_inputs = table["source"].to_numpy() < joined.inputs
    inputs, routes = table[from_inputs], table[~from_inputs]
    first = np.cumsum([0, *joined.channels])
    number = np.searchsorted(first, inputs["source"].to_numpy(), side="right") - 1
    inputs = inputs.assign(input=number, channel=inputs["source"].to_numpy() - first[number])
    routes = routes.assign(**_columns(layout.places[routes["source"].to_numpy() - joined.inputs]))
    frames = {"inputs": inputs, "routes": routes}
    return {name: f[list(columns_of(name, chip))].reset_index(drop=True) for name, f in frames.items()}


def _latches(known: _Known, places: np.ndarray) -> pd.DataFrame:
    """Neurons that take the second of two values of their new core."""
    sets, rows = {p.id: p for p in known.joined.manifest.parameter_sets}, []
    parameters = known.joined.neurons["parameters"].tolist()
    for constant, latch in known.joined.chip.neuron.latches.items():
        first: dict = {}
        for (c, k, n), p in zip(places.tolist(), parameters, strict=True):
            value = CONSTANTS[constant](sets[p])
            if first.setdefault((c, k), value) != value:
                rows.append((c, k, n, latch))
    return pd.DataFrame(sorted(set(rows)), columns=[*HERE, "name"])
