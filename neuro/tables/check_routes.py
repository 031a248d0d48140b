"""Rules on routes: rows per neuron, how far they go, and how many input channels a chip can receive."""

from __future__ import annotations

from operator import itemgetter

import numpy as np

from neuro.tables.finding import CORE, NEURON, ROUTE, Finding, found
from neuro.tables.joined import HERE, Joined, spread_over_cores


def route_findings(joined: Joined) -> list[Finding]:
    """Find neurons with more routes than rows, routes that go too far, chips with too many input channels."""
    return [*_entries(joined), *_cores(joined), *_rows_of_cores(joined), *_hops(joined), *_channels(joined)]


def _entries(joined: Joined) -> list[Finding]:
    rows = joined.tables.frames["routes"].groupby(HERE)["route"].agg(["nunique", "max"]).reset_index()
    gaps = rows[rows["max"] != rows["nunique"] - 1]
    have = "{nunique} routes, the last numbered {max}"
    findings = found("route numbers", gaps, NEURON, have, "routes 0, 1, … without gaps")
    routes = joined.chip.routes
    if routes.entries is None:
        return findings
    limit = routes.entries - routes.reserved
    return findings + found("routes", rows[rows["nunique"] > limit], NEURON, itemgetter("nunique"), limit)


def _cores(joined: Joined) -> list[Finding]:
    limit = joined.chip.routes.cores
    if limit is None:
        return []
    routes = spread_over_cores(joined.tables.frames["routes"], joined.chip)
    reached = routes.groupby([*HERE, "route"])["target_core"].size().reset_index()
    over = reached[reached["target_core"] > limit]
    return found("cores of a route", over, ROUTE, itemgetter("target_core"), limit)


def _rows_of_cores(joined: Joined) -> list[Finding]:
    limit = joined.chip.routes.per_core
    if limit is None:
        return []
    rows = spread_over_cores(joined.tables.frames["routes"], joined.chip)
    rows = rows.groupby(["chip", "core"]).size().rename("rows").reset_index()
    return found("routes of a core", rows[rows["rows"] > limit], CORE, itemgetter("rows"), limit)


def _hops(joined: Joined) -> list[Finding]:
    limit = joined.chip.routes.max_hop
    if limit is None:
        return []
    x, y = ({p.chip: getattr(p, axis) for p in joined.manifest.chips} for axis in "xy")
    routes = joined.tables.frames["routes"]
    along = [(routes["target_chip"].map(axis) - routes["chip"].map(axis)).abs() for axis in (x, y)]
    routes = routes.assign(hops=np.maximum(*along))
    return found("hops", routes[routes["hops"] > limit], ROUTE, itemgetter("hops"), limit)


def _channels(joined: Joined) -> list[Finding]:
    limit = joined.chip.inputs.channels
    if limit is None:
        return []
    deliveries = joined.deliveries[joined.deliveries["source"] < joined.inputs]
    heard = deliveries.groupby("chip")["source"].nunique().reset_index()
    return found("input channels", heard[heard["source"] > limit], "chip {chip}", itemgetter("source"), limit)
