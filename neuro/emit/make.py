"""From a network to tables: copy the synapse memories, the plan and the constants out, nothing more."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd

from neuro.dynamics import ParameterSet
from neuro.emit.biases import with_constants
from neuro.emit.conductance import pair_weights, with_rows
from neuro.emit.crossbar import SPLITTER_EXPONENT, crossbar_frames, relays_of, splitter_set
from neuro.emit.layers import export_layers
from neuro.emit.physical import physical_slots
from neuro.errors import FeasibilityError, NeuroError
from neuro.nn import Network
from neuro.nn.constrain import Constrained
from neuro.placement import Plan, Route
from neuro.tables import Tables, make_tables
from neuro.tables.layers import LayerTables


def export(source) -> Tables | LayerTables:
    """Give the tables of a network, a run (its best network on validation), a run's path, or a model on tiles.

    Raises FeasibilityError where the network breaks a limit, NeuroError for the float twin, which no chip can hold.
    """
    if isinstance(source, Constrained):
        return export_layers(source)
    network = _network_of(source)
    plan = network.plan
    if plan.chip.weights.kind == "float":
        raise NeuroError("a float twin has no chip configuration; train with the chip's own weights to export")
    violations = network.violations()
    if violations:
        raise FeasibilityError(f"the network breaks {len(violations)} limits, first: {violations[0]}")
    splits = [splitter_set(plan)] if plan.splitter_cores else []
    of_population = {name: _parameter_sets(network, name) for name in plan.spec.populations}
    sets = list(dict.fromkeys([*(s for own, _ in of_population.values() for s in own), *splits]))
    frames = {
        "neurons": _neurons(plan, sets, of_population),
        **(crossbar_frames(network) if plan.fanouts else _memory_frames(network)),
        "readout": _readout(network),
        "biases": _biases(network),
        "latches": pd.DataFrame(_latches(network, of_population), columns=["chip", "core", "neuron", "name"]),
    }
    return with_constants(make_tables(_manifest(network, sets), frames))


def _memory_frames(network: Network) -> dict[str, pd.DataFrame]:
    """Give the frames of synapse memory and routing where placement has routed everything."""
    plan, synapses = network.plan, _synapses(network)
    pairs = plan.chip.weights.kind == "conductance"
    synapses, axons = with_rows(synapses) if pairs else (synapses, None)
    return {
        "weights": pair_weights(network) if pairs else _weights(network),
        "synapses": synapses,
        **({"axons": axons} if pairs else {}),
        "routes": _routes(plan, _heard(plan.routes, synapses)),
        "inputs": _inputs(plan, _heard(plan.inputs, synapses)),
    }


def _network_of(source) -> Network:
    if isinstance(source, Network):
        return source
    if isinstance(source, str | Path):
        from neuro.runs import load_run

        source = load_run(source)
    return source.network


def _manifest(network: Network, sets: list) -> dict:
    plan, spec = network.plan, network.plan.spec
    columns = plan.chip.board.columns
    chips = sorted({chip for chip, _ in (*plan.cores, *plan.splitter_cores)})
    return {
        "chip": plan.chip,
        "dt_s": spec.dt_s,
        "chips": [{"chip": c, "x": c % columns, "y": c // columns} for c in chips],
        "inputs": [{"name": name, "channels": size} for name, size in spec.inputs.items()],
        "populations": [
            *({"name": name, "size": p.size} for name, p in spec.populations.items()),
            *({"name": relay.name, "size": len(relay.places)} for relay in relays_of(plan)),
        ],
        "outputs": [_output(network, name) for name in spec.outputs],
        "currents": list(plan.currents),
        "shunting_as_subtractive": spec.shunting_as_subtractive,
        "delay_lines": list(spec.delay_lines),
        "grid_exponents": [
            *(
                {"chip": chip, "core": core, "exponent": int(e)}
                for (chip, core), e in zip(plan.cores, network.bases.exponents, strict=True)
            ),
            *({"chip": c, "core": k, "exponent": SPLITTER_EXPONENT} for c, k in plan.splitter_cores),
        ],
        "parameter_sets": [{"id": i, **_constants(s)} for i, s in enumerate(sets)],
    }


def _output(network: Network, name: str) -> dict:
    output = network.plan.spec.outputs[name]
    linear = output.readout == "linear"
    return {
        "name": name,
        "population": output.population,
        "kind": "traces" if linear else "spikes",
        "classes": output.classes,
        "decay": float(network.readouts[name].decay).hex() if linear else None,
    }


def _constants(constants: ParameterSet) -> dict:
    """The constants of a set; the unit of whole numbers is that of its core's grid exponent."""
    return _hexed({name: value for name, value in asdict(constants).items() if name != "unit"})


def _hexed(values: dict) -> dict:
    def text(value):
        if isinstance(value, tuple):
            return [float(v).hex() for v in value]
        return float(value).hex() if isinstance(value, float) else value

    return {name: text(value) for name, value in values.items()}


def _parameter_sets(network: Network, name: str) -> tuple[list, np.ndarray]:
    """The sets of constants in a population, several where cores have trained their own, and which each neuron has."""
    if network.constants is not None:
        return network.constants.parameter_sets(name)
    return [network.plan.parameters[name]], np.zeros(network.plan.spec.size_of(name), np.int64)


def _latches(network: Network, of_population: dict[str, tuple[list, np.ndarray]]) -> list[tuple]:
    """The plan's latches; where training has made both membrane time constants of a core one, none is set."""
    plan, values = network.plan, {}
    for name, (sets, index) in of_population.items():
        for (chip, core, _), number in zip(plan.locations[name].tolist(), index.tolist(), strict=True):
            values.setdefault((chip, core), set()).add(sets[number].leak)
    leaks = plan.chip.neuron.latches.get("tau_mem") if network.constants is not None else None
    return [place for place in plan.latches if place[3] != leaks or len(values[place[:2]]) > 1]


def _neurons(plan: Plan, sets: list, of_population: dict[str, tuple[list, np.ndarray]]) -> pd.DataFrame:
    own = [(places, *of_population[name]) for name, places in plan.locations.items()]
    splits = [splitter_set(plan)] if plan.splitter_cores else []
    added = [(r.places, splits, None) if r.splits else (r.places, *of_population[r.source]) for r in relays_of(plan)]
    parts = []
    for number, (places, its_sets, index) in enumerate((*own, *added)):
        part = pd.DataFrame(places, columns=["chip", "core", "neuron"])
        part["population"], part["index"] = number, np.arange(len(places))
        part["parameters"] = np.array([sets.index(s) for s in its_sets])[0 if index is None else index]
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def _weights(network: Network) -> pd.DataFrame:
    plan, rows = network.plan, []
    for (chip, core), units in zip(plan.cores, network.bases.units.tolist(), strict=True):
        for kind, part, value in _words(network, units):
            rows.append((chip, core, -1, kind, part, value))
    return pd.DataFrame(rows, columns=["chip", "core", "neuron", "type", "part", "value"])


def _words(network: Network, units: list[int]):
    """What the words of one core are worth: (type, part, value on the core's grid)."""
    plan, w = network.plan, network.plan.chip.weights
    if w.kind == "counts":
        by_name = {t.name: t for t in plan.types}
        return [(by_name[n].id, -1, by_name[n].sign * u) for n, u in zip(network.bases.names, units, strict=True)]
    if w.kind == "masks":
        return [(-1, bit, u) for bit, u in enumerate(units)]
    levels = sorted(w.levels)
    values = [int(np.round(level * units[0])) for level in levels]
    if w.sign in ("source", "row"):
        return [(t.id, i, t.sign * v) for t in plan.types for i, v in enumerate(values)]
    return [(t.id, i, v) for t in plan.types for i, v in enumerate(values) if np.sign(v) == t.sign]


def _synapses(network: Network) -> pd.DataFrame:
    parts = [_synapses_of(network, name) for name in network.plan.spec.populations]
    return pd.concat(parts, ignore_index=True)


def _synapses_of(network: Network, target: str) -> pd.DataFrame:
    """One row a word, sorted by neuron, source, current or type, and line; slots are numbered in that order.

    On a measured board slots are those of words that work, and rows are sorted by them.
    """
    plan = network.plan
    memory = network.memories[target]
    code = memory.code.cpu().numpy()
    counts = plan.chip.weights.kind == "counts"
    row, column, kind, line = np.nonzero(code != memory.scheme.empty)
    value = code[row, column, kind, line].astype(np.int64)
    if counts:
        row, column, kind, line = (np.repeat(a, value) for a in (row, column, kind, line))
        value = np.ones(len(row), np.int64)
    if memory.source is not None:
        column = memory.source.cpu().numpy()[row, column]
    types, value = _types_and_codes(network, target, kind, value)
    places, index = plan.locations[target], plan.core_index(target)
    tag = _tags(plan, target)[column, index[row] if plan.chip.defects else places[row, 0]]
    first = np.searchsorted(row, row)
    frame = pd.DataFrame(
        {
            "chip": places[row, 0],
            "core": places[row, 1],
            "neuron": places[row, 2],
            "slot": physical_slots(plan.chip, places[row], tag) if plan.chip.defects else np.arange(len(row)) - first,
            "tag": tag,
            "type": types,
            "part": -1,
            "code": value,
            "delay": np.array(plan.spec.delay_lines)[line],
        }
    )
    return frame.iloc[np.lexsort((frame["slot"], row))].reset_index(drop=True) if plan.chip.defects else frame


def _types_and_codes(network: Network, target: str, kind: np.ndarray, code: np.ndarray):
    """The synapse type's id, −1 where words have none, and the unsigned code of each word."""
    plan, w = network.plan, network.plan.chip.weights
    if w.kind == "counts":
        ids = {t.name: t.id for t in plan.types}
        return np.array([ids[n] for n in network.bases.names])[kind], code
    if w.kind == "conductance":
        return -1, code
    if w.kind == "masks":
        sign, code = np.sign(code), np.abs(code)
    elif w.sign in ("source", "row"):
        sign, code = np.where(code >= len(w.levels), -1, 1), code % len(w.levels)
    else:
        sign = np.sign(np.array(sorted(w.levels))[code]).astype(int)
    ids = np.array([[getattr(plan.type_of(c, s), "id", -1) for c in plan.currents] for s in (-1, 1)])
    return ids[(sign > 0).astype(int), kind], code


def _tags(plan: Plan, target: str) -> np.ndarray:
    """The tag each column of a population's memory carries on each chip, −1 where it does not go: [M, chips].

    On a measured board cores of one chip may hear it by different tags: [M, cores of the plan].
    """
    columns, measured = plan.columns(target), plan.chip.defects is not None
    position = {core: i for i, core in enumerate(plan.cores)} if measured else {}
    table = np.full((plan.width(target), len(position) or plan.chip.chips), -1, np.int64)
    for r in (*plan.routes, *plan.inputs):
        if r.source in columns:
            at = [position[r.target_chip, k] for k in r.cores if (r.target_chip, k) in position]
            table[columns[r.source].start + r.index, at if measured else r.target_chip] = r.tag
    return table


def _heard(routes: tuple[Route, ...], synapses: pd.DataFrame) -> list[Route]:
    """Routes to the cores where somebody listens; a plan leads wherever training might have listened."""
    listening = set(zip(synapses["chip"], synapses["core"], synapses["tag"], strict=True))
    kept = (replace(r, cores=tuple(k for k in r.cores if (r.target_chip, k, r.tag) in listening)) for r in routes)
    return [r for r in kept if r.cores]


def _cores(plan: Plan, routes: list[Route]):
    """Rows of a route table: one a route where cores fit a mask, else one a core."""
    if plan.chip.cores.per_chip <= 32:
        return "core_mask", [(r, sum(1 << k for k in r.cores)) for r in routes]
    return "target_core", [(r, k) for r in routes for k in r.cores]


def _routes(plan: Plan, routes: list[Route]) -> pd.DataFrame:
    column, rows = _cores(plan, routes)
    places = {name: where.tolist() for name, where in plan.locations.items()}
    seen: dict[tuple, dict] = {}
    data = []
    for r, cores in rows:
        numbers = seen.setdefault((r.source, r.index), {})
        number = numbers.setdefault((r.target_chip, r.tag), len(numbers))
        data.append((*places[r.source][r.index], number, r.tag, r.target_chip, cores, r.delay))
    return pd.DataFrame(data, columns=["chip", "core", "neuron", "route", "tag", "target_chip", column, "delay"])


def _inputs(plan: Plan, routes: list[Route]) -> pd.DataFrame:
    column, rows = _cores(plan, routes)
    names = list(plan.spec.inputs)
    data = [(names.index(r.source), r.index, r.tag, r.target_chip, cores, r.delay) for r, cores in rows]
    return pd.DataFrame(data, columns=["input", "channel", "tag", "target_chip", column, "delay"])


def _readout(network: Network) -> pd.DataFrame:
    spec, rows = network.plan.spec, []
    for number, (name, output) in enumerate(spec.outputs.items()):
        if output.readout != "linear":
            continue
        layer, population = network.readouts[name], list(spec.populations).index(output.population)
        for row, (weights, bias) in enumerate(zip(layer.weight.tolist(), layer.bias.tolist(), strict=True)):
            rows += [(number, row, population, i, w) for i, w in enumerate(weights)]
            rows.append((number, row, population, -1, bias))
    return pd.DataFrame(rows, columns=["output", "row", "population", "index", "weight"])


def _biases(network: Network) -> pd.DataFrame:
    plan, rows = network.plan, []
    names = {b.name: b.bias for b in plan.chip.weights.bases}
    if network.bases.dac is not None:
        for core, (chip, number) in enumerate(plan.cores):
            for part, name in enumerate(network.bases.names):
                if names[name] is not None:
                    rows.append((chip, number, names[name], *network.bases.bias(core, part)))
    return pd.DataFrame(rows, columns=["chip", "core", "name", "coarse", "fine", "current_a"])
