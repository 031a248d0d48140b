"""Rules on crossbars: an event names the axon it arrives on, and so does every crosspoint."""

from __future__ import annotations

from neuro.tables.finding import CORE, SYNAPSE, Finding, found
from neuro.tables.joined import Joined


def axon_findings(joined: Joined) -> list[Finding]:
    """Find axons and crosspoints whose tag is not the number of their axon."""
    if joined.chip.weights.kind != "crossbar":
        return []
    axons, words = joined.tables.frames["axons"], joined.tables.frames["synapses"]
    named = "the number of its axon"
    return [
        *found("tag of an axon", axons[axons["tag"] != axons["axon"]], CORE + " axon {axon}", "{tag}", named),
        *found("tag of a crosspoint", words[words["tag"] != words["slot"]], SYNAPSE, "{tag}", named),
    ]
