"""Rules on synapse memory: words per neuron, signs of one source, and how many sources a core can tell apart."""

from __future__ import annotations

from operator import itemgetter

from neuro.tables.finding import CORE, NEURON, Finding, found
from neuro.tables.joined import HERE, Joined, untyped


def synapse_findings(joined: Joined) -> list[Finding]:
    """Find neurons and cores whose synapse memory holds more than it can, or signs that exclude each other."""
    return [*_slots(joined), *_axons(joined), *_opposed(joined), *_signs(joined)]


def _slots(joined: Joined) -> list[Finding]:
    if untyped(joined.chip):
        return []
    limit, tally = joined.chip.weights.slots, joined.tally
    if tally is not None and tally.numbered and (limit is None or tally.most_words <= limit):
        return []
    words = joined.words.groupby(HERE)["slot"].agg(["size", "max"]).reset_index()
    gaps = words[words["max"] != words["size"] - 1] if joined.chip.defects is None else words[:0]
    findings = found("slot numbers", gaps, NEURON, "{size} words, last slot {max}", "slots 0, 1, … without gaps")
    if limit is None:
        return findings
    return findings + found("slots", words[words["size"] > limit], NEURON, itemgetter("size"), limit)


def _axons(joined: Joined) -> list[Finding]:
    limit = joined.chip.cores.axons
    if limit is None:
        return []
    heard = joined.words.groupby(["chip", "core"])["tag"].nunique().reset_index()
    return found("axons", heard[heard["tag"] > limit], CORE, itemgetter("tag"), limit)


def _opposed(joined: Joined) -> list[Finding]:
    """Counts: words of one source that would cancel each other in a current."""
    if joined.chip.weights.kind != "counts" or (joined.tally is not None and not joined.tally.opposed):
        return []
    key = [*HERE, "tag", "current", "delay"]
    signs = joined.words.groupby(key)["sign"].nunique().reset_index()
    where = NEURON + " tag {tag}"
    return found("both signs of one source", signs[signs["sign"] > 1], where, "both signs in one current", "one sign")


def _signs(joined: Joined) -> list[Finding]:
    """Levels: a source has one sign in a core, or a neuron has one sign, where the chip stores signs so."""
    rule = joined.chip.weights.sign
    if joined.chip.weights.kind != "levels" or rule not in ("source", "row"):
        return []
    key, where = (["chip", "core", "tag"], CORE + " tag {tag}") if rule == "source" else (HERE, NEURON)
    signs = joined.words.groupby(key)["sign"].nunique().reset_index()
    return found(f"sign per {rule}", signs[signs["sign"] > 1], where, "both signs", "one sign")
