"""A concrete graph onto cores: the best of several beginnings, each improved by local search, every limit exact."""

from __future__ import annotations

import math

import numpy as np

from neuro.descriptor import Chip
from neuro.errors import DescriptionError
from neuro.placement.graph import Graph, fewest_destinations
from neuro.placement.growth import grown, in_order
from neuro.placement.search import EXCESS, Limits, Net, State, improve, new_state, put

ROW = 4  # what a destination chip costs, in destination cores: it takes a routing entry, a core of it only a bit
PASSES = 12
ENOUGH = 2e-3  # a pass that gains less than this part of the cost is the last
LARGE = 3_000_000  # connections, beyond which only the cheaper beginning is improved, in two passes
NEAR = 3  # times the lower bound: a large graph whose order does as well needs no other beginning


def limits_of(chip: Chip, values: np.ndarray, most: np.ndarray) -> Limits:
    """Give a chip's limits as arrays; values [kinds, Q] of each kind of neuron, at most `most` [Q] of them in a core."""
    silent = np.tile(
        [sum(k == core for k, _ in chip.tags.silent_sources) for core in range(chip.cores.per_chip)], chip.chips
    )
    tags = 2**chip.tags.bits - sum(t < 2**chip.tags.bits for t in set(chip.tags.forbidden))
    routes = chip.routes
    return Limits(
        per_chip=chip.cores.per_chip,
        columns=chip.board.columns,
        neurons=chip.cores.neurons,
        silent=silent.astype(np.int32),
        sources=min(tags, chip.cores.axons or tags),
        rows=-1 if routes.entries is None else routes.entries - routes.reserved,
        hops=-1 if routes.max_hop is None else routes.max_hop,
        channels=-1 if chip.inputs.channels is None else chip.inputs.channels,
        values=np.ascontiguousarray(values, np.int32).reshape(len(values), -1),
        most=np.asarray(most, np.int32),
        row=ROW,
    )


def net_of(graph: Graph, kind: np.ndarray) -> Net:
    """Give a graph as arrays for search; kind [N]."""
    return Net(
        graph.starts.astype(np.int64),
        graph.sources.astype(np.int32),
        graph.targets[0].astype(np.int64),
        graph.inputs,
        kind.astype(np.int32),
        graph.heard,
    )


def partition(
    graph: Graph,
    kind: np.ndarray,
    limits: Limits,
    seed: int = 0,
    start: str = "best",
    present: np.ndarray | None = None,
) -> tuple[np.ndarray, State]:
    """Choose a core for every neuron: (core [N], −1 where nothing was left; what is counted of it).

    start: where the search begins: "grown", "order", "mtkahypar" (that package must be installed), or "best" of the
    first two; `present`, a placement to improve on, joins them. The same seed gives the same cores.
    """
    net = net_of(graph, kind)
    beginnings = _beginnings(graph, net, limits, seed, start)
    if present is not None:
        beginnings.append(present.astype(np.int32))
    states = [_placed(net, limits, wanted) for wanted in beginnings]
    if len(graph.sources) > LARGE and len(states) > 1:
        states = [min(states, key=lambda state: cost_of(net, limits, state))]
    passes = PASSES if len(graph.sources) <= LARGE else 2
    for number, state in enumerate(states):
        _improve(net, limits, state, np.random.default_rng([seed, number]), passes)
    best = min(states, key=lambda state: cost_of(net, limits, state))
    return best.core.astype(np.int64), best


def cost_of(net: Net, limits: Limits, state: State) -> int:
    """What local search makes smaller: neurons without a place, then limits exceeded, then destinations."""
    over = broken(net, limits, state)
    lost = int((state.core < 0).sum())
    return (
        lost * EXCESS * 2**16 + sum(over.values()) * EXCESS + int(state.length.sum() + limits.row * state.reach.sum())
    )


def broken(net: Net, limits: Limits, state: State) -> dict[str, int]:
    """By how much each limit is exceeded, over all cores and sources; counted anew, not from the search."""
    over = {"sources": int(np.maximum(state.heard - limits.sources, 0).sum()) if limits.sources >= 0 else 0}
    rows = state.reach[net.inputs :]
    over["rows"] = int(np.maximum(rows - limits.rows, 0).sum()) if limits.rows >= 0 else 0
    over["channels"] = int(np.maximum(state.channels - limits.channels, 0).sum()) if limits.channels >= 0 else 0
    over["hops"] = len(far_routes(net, limits, state)) if limits.hops >= 0 else 0
    return over


def pairs_of(net: Net, state: State) -> tuple[np.ndarray, np.ndarray]:
    """Every (source, core) that must be reached, sorted."""
    source = np.repeat(np.arange(len(state.length)), state.length)
    first = np.cumsum(state.length, dtype=np.int64) - state.length
    entry = net.where[source] + np.arange(len(source)) - first[source]
    return source, state.at[entry].astype(np.int64)


def far_routes(net: Net, limits: Limits, state: State) -> np.ndarray:
    """Routes that go too far: [R, 3] of neuron, its chip, the chip it must reach."""
    source, core = pairs_of(net, state)
    neuron, chip = source[source >= net.inputs] - net.inputs, core[source >= net.inputs] // limits.per_chip
    home = state.core[neuron] // limits.per_chip
    across = np.abs(home % limits.columns - chip % limits.columns)
    down = np.abs(home // limits.columns - chip // limits.columns)
    far = (np.maximum(across, down) > limits.hops) & (home >= 0)
    return np.unique(np.column_stack([neuron, home, chip])[far], axis=0)


def _beginnings(graph: Graph, net: Net, limits: Limits, seed: int, start: str) -> list[np.ndarray]:
    order, cores = np.arange(graph.neurons), along_the_board(limits)
    if start == "order":
        return [in_order(net, limits, order, cores)]
    if start == "mtkahypar":
        from neuro.placement.hypergraph import by_mtkahypar

        return [by_mtkahypar(graph, limits, seed, cores)]
    if start not in ("best", "grown"):
        raise DescriptionError(f"start is {start!r}, allowed: best, grown, order, mtkahypar")
    as_given = [] if start == "grown" else [in_order(net, limits, order, cores)]
    if as_given and len(graph.sources) > LARGE and (as_given[0] >= 0).all():
        least = fewest_destinations(graph, limits.neurons, limits.per_chip)
        if cost_of(net, limits, _placed(net, limits, as_given[0])) <= NEAR * (least.cores + limits.row * least.chips):
            return as_given
    return [*as_given, grown(net, limits, graph.targets[1], order, cores)]


def along_the_board(limits: Limits) -> np.ndarray:
    """Cores in an order in which those that follow each other are neighbours: rows of chips, there and back again."""
    chips = np.arange(math.ceil(len(limits.silent) / limits.per_chip))
    rows = chips // limits.columns
    column = np.where(rows % 2, limits.columns - 1 - chips % limits.columns, chips % limits.columns)
    return ((rows * limits.columns + column)[:, None] * limits.per_chip + np.arange(limits.per_chip)).ravel()


def _placed(net: Net, limits: Limits, wanted: np.ndarray) -> State:
    state = new_state(net, limits)
    put(net, limits, state, np.arange(len(wanted)), wanted)
    return state


def _improve(net: Net, limits: Limits, state: State, rng: np.random.Generator, passes: int) -> None:
    if (state.core < 0).any():
        return
    for _ in range(passes):
        before = cost_of(net, limits, state)
        large = len(net.source) > LARGE  # then neighbours in memory are visited together
        order = np.arange(len(state.core)) if large else rng.permutation(len(state.core))
        gained = improve(net, limits, state, order, before < EXCESS)
        if gained < (ENOUGH * before if before < EXCESS else 1):
            break
