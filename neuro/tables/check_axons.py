"""Rules on crossbars: events name axons, and a neuron that is read out sends nowhere else."""

from __future__ import annotations

from neuro.tables.finding import CORE, ROUTE, SYNAPSE, Finding, found
from neuro.tables.joined import HERE, Joined


def axon_findings(joined: Joined) -> list[Finding]:
    """Find axons and crosspoints whose tag is not the number of their axon, and neurons with two destinations."""
    if joined.chip.weights.kind != "crossbar":
        return []
    axons, words = joined.tables.frames["axons"], joined.tables.frames["synapses"]
    named = "the number of its axon"
    return [
        *found("tag of an axon", axons[axons["tag"] != axons["axon"]], CORE + " axon {axon}", "{tag}", named),
        *found("tag of a crosspoint", words[words["tag"] != words["slot"]], SYNAPSE, "{tag}", named),
        *_read_out(joined),
    ]


def _read_out(joined: Joined) -> list[Finding]:
    """The one destination of a neuron that is read out is outside."""
    names = list(joined.tables.population_sizes)
    read = {names.index(output.population) for output in joined.manifest.outputs}
    routes = joined.tables.frames["routes"].merge(joined.neurons[[*HERE, "population"]], on=HERE)
    sent = routes[routes["population"].isin(read)]
    return found(
        "read-out", sent, ROUTE, "a route of a neuron that is read out", "none: let a copy of it be listened to"
    )
