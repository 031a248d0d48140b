"""Rules between tables: rows stand once, neurons exist, populations and read-outs are complete, words have a weight."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from neuro.tables.columns import COLUMNS, key_of
from neuro.tables.finding import CORE, NEURON, SYNAPSE, WEIGHT, Finding, found
from neuro.tables.joined import HERE, WEIGHT_KEY, untyped, weight_rows_of
from neuro.tables.model import Tables
from neuro.tables.tally import are_neurons, stand_once, weights_are_there


def reference_findings(tables: Tables) -> list[Finding]:
    """Find rows that stand twice or refer to nothing, and what is incomplete."""
    rules: tuple[Callable[[Tables], list[Finding]], ...] = (
        _duplicates,
        _neurons_exist,
        _populations,
        _channels,
        _exponents,
        _axons,
        _weights,
        _readout,
    )
    return [finding for rule in rules for finding in rule(tables)]


def _duplicates(tables: Tables) -> list[Finding]:
    findings = []
    for table in COLUMNS:
        key = list(key_of(table, tables.chip))
        frame = tables.frames[table]
        if table == "synapses" and stand_once(frame, tables.chip):
            continue
        twice = frame[frame.duplicated(key)].drop_duplicates(key)
        where = f"{table}: " + ", ".join(f"{name} {{{name}}}" for name in key)
        findings += found(f"duplicate rows in {table}", twice, where, "more than one row", "one")
    return findings


def _neurons_exist(tables: Tables) -> list[Finding]:
    findings = []
    for table in ("synapses", "routes", "latches", *(("weights",) if tables.chip.weights.kind == "crossbar" else ())):
        if are_neurons(tables.frames[table], tables.frames["neurons"], tables.chip):
            continue
        lost = _without(tables.frames[table][HERE].drop_duplicates(), tables.frames["neurons"], HERE)
        findings += found("neuron", lost, f"{table}: {NEURON}", "no such neuron", "neurons that stand in neurons")
    return findings


def _without(rows: pd.DataFrame, others: pd.DataFrame, key: list[str]) -> pd.DataFrame:
    """Rows whose key does not stand in another frame."""
    known = pd.MultiIndex.from_frame(others[key])
    return rows[~pd.MultiIndex.from_frame(rows[key]).isin(known)]


def _populations(tables: Tables) -> list[Finding]:
    neurons, findings = tables.frames["neurons"], []
    twice = neurons[neurons.duplicated(["population", "index"])]
    findings += found("population index", twice, NEURON, "population {population} index {index} again", "once each")
    for number, (name, size) in enumerate(tables.population_sizes.items()):
        rows = neurons[neurons["population"] == number]
        beyond = rows[rows["index"] >= size]
        findings += found("population index", beyond, NEURON, "{index}", f"0 to {size - 1} in population {name}")
        if len(rows) < size:
            findings.append(Finding("population size", f"population {name}", f"{len(rows)} neurons", f"{size}"))
    return findings


def _channels(tables: Tables) -> list[Finding]:
    inputs, findings = tables.frames["inputs"], []
    for number, (name, channels) in enumerate(tables.input_channels.items()):
        beyond = inputs[(inputs["input"] == number) & (inputs["channel"] >= channels)]
        findings += found("input channel", beyond, f"input {name}", "channel {channel}", f"0 to {channels - 1}")
    return findings


def _exponents(tables: Tables) -> list[Finding]:
    known = pd.DataFrame(list(tables.exponents), columns=["chip", "core"], dtype=np.int64)
    here = pd.concat([tables.frames[t][["chip", "core"]] for t in ("neurons", "weights")]).drop_duplicates()
    lost = _without(here, known, ["chip", "core"])
    return found("grid exponent", lost, CORE, "none", "one entry of manifest grid_exponents")


def _axons(tables: Tables) -> list[Finding]:
    """Crossbars and arrays: a word is a crosspoint with an axon of its core."""
    if not untyped(tables.chip):
        return []
    axons = tables.frames["axons"].rename(columns={"axon": "slot"})
    lost = _without(tables.frames["synapses"], axons, ["chip", "core", "slot"])
    return found("axon", lost, SYNAPSE, "no such axon", "axons that stand in axons")


def _weights(tables: Tables) -> list[Finding]:
    if weights_are_there(tables):
        return []
    needed = weight_rows_of(tables)[WEIGHT_KEY].drop_duplicates()
    return found(
        "weight", _without(needed, tables.frames["weights"], WEIGHT_KEY), WEIGHT, "no row", "a row for every word"
    )


def _readout(tables: Tables) -> list[Finding]:
    sizes, findings = list(tables.population_sizes.items()), []
    for number, output in enumerate(tables.manifest.outputs):
        if output.kind != "traces":
            continue
        wanted = next(i for i, (name, _) in enumerate(sizes) if name == output.population)
        rows = tables.frames["readout"]
        rows = rows[rows["output"] == number]
        bad = rows[
            (rows["row"] >= output.classes) | (rows["index"] >= sizes[wanted][1]) | (rows["population"] != wanted)
        ]
        allowed = f"row below {output.classes}, population {wanted}, index below {sizes[wanted][1]}"
        have = "row {row}, population {population}, index {index}"
        findings += found("read-out", bad, f"output {output.name}", have, allowed)
        complete = output.classes * (sizes[wanted][1] + 1)
        if len(rows) != complete:
            have, allowed = f"{len(rows)} weights", f"{complete}: every class and neuron, and a bias each"
            findings.append(Finding("read-out", f"output {output.name}", have, allowed))
    return findings
