"""Rules on axons: which event drives them, and on crossbars that a neuron that is read out sends nowhere else."""

from __future__ import annotations

from neuro.tables.finding import CORE, ROUTE, SYNAPSE, Finding, found
from neuro.tables.joined import HERE, Joined, rest_weighs

CORE_KEY = ["chip", "core"]


def axon_findings(joined: Joined) -> list[Finding]:
    """Find axons and crosspoints of other tags than theirs, neurons with two destinations, crosspoints left out."""
    if joined.chip.weights.kind == "conductance":
        return [*_rows(joined), *_left_out(joined)]
    if joined.chip.weights.kind != "crossbar":
        return []
    axons, words = joined.tables.frames["axons"], joined.tables.frames["synapses"]
    named = "the number of its axon"
    return [
        *found("tag of an axon", axons[axons["tag"] != axons["axon"]], CORE + " axon {axon}", "{tag}", named),
        *found("tag of a crosspoint", words[words["tag"] != words["slot"]], SYNAPSE, "{tag}", named),
        *_read_out(joined),
    ]


def _rows(joined: Joined) -> list[Finding]:
    """A row of an array carries the events of one tag, and no tag has two rows."""
    axons, words = joined.tables.frames["axons"], joined.tables.frames["synapses"]
    twice = axons[axons.duplicated([*CORE_KEY, "tag"])]
    tags = words.merge(axons.rename(columns={"axon": "slot", "tag": "row"})[[*CORE_KEY, "slot", "row"]])
    return [
        *found("rows of a tag", twice, CORE + " axon {axon}", "tag {tag} again", "one row for a tag"),
        *found("tag of a crosspoint", tags[tags["tag"] != tags["row"]], SYNAPSE, "{tag}", "{row}, that of its row"),
    ]


def _left_out(joined: Joined) -> list[Finding]:
    """Where pairs weigh something at rest, a neuron has a word for every row of its core."""
    if not rest_weighs(joined.chip):
        return []
    axons, words, neurons = (joined.tables.frames[table] for table in ("axons", "synapses", "neurons"))
    needed = neurons[HERE].merge(axons[[*CORE_KEY, "axon"]], on=CORE_KEY).rename(columns={"axon": "slot"})
    both = needed.merge(words[[*HERE, "slot"]], how="left", indicator="seen")
    lost = both[both["seen"] == "left_only"]
    return found("crosspoint", lost, SYNAPSE, "no word", "a word: no pair of this array weighs 0 at rest")


def _read_out(joined: Joined) -> list[Finding]:
    """The one destination of a neuron that is read out is outside."""
    names = list(joined.tables.population_sizes)
    read = {names.index(output.population) for output in joined.manifest.outputs}
    routes = joined.tables.frames["routes"].merge(joined.neurons[[*HERE, "population"]], on=HERE)
    sent = routes[routes["population"].isin(read)]
    return found(
        "read-out", sent, ROUTE, "a route of a neuron that is read out", "none: let a copy of it be listened to"
    )
