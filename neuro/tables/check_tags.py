"""Rules on tags: which may be used, that one tag means one source in a core, and that words hear somebody."""

from __future__ import annotations

import pandas as pd

from neuro.tables.finding import CORE, ROUTE, SYNAPSE, Finding, found
from neuro.tables.joined import Joined

HEARD = ["chip", "core", "tag"]


def tag_findings(joined: Joined) -> list[Finding]:
    """Find tags that are forbidden, not the source's own, shared by two sources in a core, or sent by nobody."""
    rules = (_forbidden, _own, _silent, _shared, _repeated, _unknown)
    return [finding for rule in rules for finding in rule(joined)]


def _forbidden(joined: Joined) -> list[Finding]:
    tags, frames = joined.chip.tags.forbidden, joined.tables.frames
    allowed = "any tag but " + ", ".join(map(str, tags))
    places = {"routes": ROUTE, "inputs": "input {input} channel {channel}", "synapses": SYNAPSE}
    return [
        finding
        for table, where in places.items()
        for finding in found("forbidden tag", frames[table][frames[table]["tag"].isin(tags)], where, "{tag}", allowed)
    ]


def _own(joined: Joined) -> list[Finding]:
    """The low bits of a neuron's tag are wired to its own id."""
    if not joined.chip.tags.own_bits:
        return []
    low = 2**joined.chip.tags.own_bits - 1
    routes = joined.tables.frames["routes"]
    own = routes["neuron"] & low
    bad = routes[(routes["tag"] & low) != own].assign(low=low)
    have, allowed = "tag {tag}", f"tags whose low {joined.chip.tags.own_bits} bits are the neuron's own id"
    return found("own tag", bad, ROUTE, have, allowed)


def _silent(joined: Joined) -> list[Finding]:
    if not joined.chip.tags.silent_sources:
        return []
    silent = pd.DataFrame(joined.chip.tags.silent_sources, columns=["core", "neuron"], dtype="int64")
    loud = joined.tables.frames["routes"].merge(silent, on=["core", "neuron"])
    return found("silent source", loud, ROUTE, "a route", "no route: this neuron's events look like an empty word")


def _shared(joined: Joined) -> list[Finding]:
    sources = joined.deliveries.groupby(HEARD)["source"].agg(["min", "max"]).reset_index()
    clash = sources[sources["min"] != sources["max"]]

    def both(row: dict) -> str:
        return f"{joined.name(row['min'])} and {joined.name(row['max'])}"

    return found("tag clash", clash, CORE + " tag {tag}", both, "one source a core")


def _repeated(joined: Joined) -> list[Finding]:
    """One event that would reach a core twice in the same step."""
    deliveries = joined.deliveries
    twice = deliveries[deliveries.duplicated()].drop_duplicates()

    def source(row: dict) -> str:
        return f"{joined.name(row['source'])} twice after {row['delay']} steps"

    return found("duplicate delivery", twice, CORE + " tag {tag}", source, "once")


def _unknown(joined: Joined) -> list[Finding]:
    if joined.tally is not None and joined.tally.delivered:
        return []
    merged = joined.words.merge(joined.deliveries[HEARD].drop_duplicates(), on=HEARD, how="left", indicator="seen")
    deaf = merged[merged["seen"] == "left_only"]
    return found("unknown tag", deaf, SYNAPSE, "{tag}", "a tag that some route or input delivers to this core")
