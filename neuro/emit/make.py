"""From a network to tables: copy the synapse memories, the plan and the constants out, nothing more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from neuro.dynamics import ParameterSet
from neuro.emit.biases import with_constants
from neuro.emit.conductance import pair_weights, with_rows
from neuro.emit.crossbar import SPLITTER_EXPONENT, crossbar_frames, relays_of, splitter_set
from neuro.emit.layers import export_layers
from neuro.emit.routing import routing_frames
from neuro.emit.words import Words, synapse_frame, words_of
from neuro.errors import FeasibilityError, NeuroError
from neuro.nn import Network
from neuro.nn.bases import BaseWeights
from neuro.nn.constrain import Constrained
from neuro.nn.schemes import build_bases
from neuro.placement import Plan
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
    if plan.fanouts:
        return _assembled(network, crossbar_frames(network))
    return _assembled(network, _memory_frames(network, {name: words_of(network, name) for name in plan.locations}))


@dataclass(frozen=True, eq=False)
class _Untrained:
    """What of a network its tables are made from, where its words came from elsewhere."""

    plan: Plan
    bases: BaseWeights
    readouts: dict = field(default_factory=dict)
    constants: None = None


def configuration(plan: Plan, words: Mapping[str, Words], base: float = 1 / 16) -> Tables:
    """Give the tables of a plan whose words are known, population by population, without a network to train.

    base: the value of every base weight, in thresholds of its core, brought to the nearest that the core can give. For
    outputs that are read as spikes.
    """
    bases = build_bases(plan)
    thetas = {core: plan.parameters[name].theta for name in plan.locations for core in plan.core_index(name).tolist()}
    wanted = torch.tensor([[base * thetas[core]] for core in range(len(plan.cores))])
    bases.set(wanted.expand(-1, len(bases.names)))
    return _assembled(_Untrained(plan, bases), _memory_frames(_Untrained(plan, bases), words))


def _assembled(network: Network | _Untrained, memory: dict[str, pd.DataFrame]) -> Tables:
    plan = network.plan
    splits = [splitter_set(plan)] if plan.splitter_cores else []
    of_population = {name: _parameter_sets(network, name) for name in plan.spec.populations}
    sets = list(dict.fromkeys([*(s for own, _ in of_population.values() for s in own), *splits]))
    frames = {
        "neurons": _neurons(plan, sets, of_population),
        **memory,
        "readout": _readout(network),
        "biases": _biases(network),
        "latches": pd.DataFrame(_latches(network, of_population), columns=["chip", "core", "neuron", "name"]),
    }
    return with_constants(make_tables(_manifest(network, sets), frames))


def _memory_frames(network: Network | _Untrained, words: Mapping[str, Words]) -> dict[str, pd.DataFrame]:
    """Give the frames of synapse memory and routing where placement has routed everything."""
    plan = network.plan
    synapses = synapse_frame(plan, words)
    pairs = plan.chip.weights.kind == "conductance"
    synapses, axons = with_rows(synapses) if pairs else (synapses, None)
    return {
        "weights": pair_weights(network) if pairs else _weights(network),
        "synapses": synapses,
        **({"axons": axons} if pairs else {}),
        **routing_frames(plan, synapses),
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
    if not plan.latches:
        return []
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
