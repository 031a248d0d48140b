"""A graph of known connections laid out on a chip: cores, ids, routes and tags, or what is short, where, by how much."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from neuro.descriptor import Chip
from neuro.errors import FitError
from neuro.placement.graph import Destinations, Graph
from neuro.placement.partition import far_routes, limits_of, net_of, pairs_of, partition
from neuro.placement.search import Limits, Net, State
from neuro.placement.tagging import Rows, free_tags, number_neurons, own_tags, rows_of


@dataclass(frozen=True)
class Kinds:
    """Which neurons may share a core: kind [N]; values [kinds, Q], of which a core holds at most `most` [Q] each."""

    kind: np.ndarray
    values: np.ndarray
    most: np.ndarray


@dataclass(frozen=True, eq=False)
class Layout:
    """Where neurons sit, places [N, 3] of (chip, core, neuron), and a row with a tag [R] for each source and chip."""

    places: np.ndarray
    rows: Rows
    tag: np.ndarray
    cost: Destinations


def lay_out(
    graph: Graph,
    chip: Chip,
    kinds: Kinds,
    name_of: Callable[[int], str],
    seed: int = 0,
    start: str = "best",
    present: np.ndarray | None = None,
) -> Layout:
    """Partition a graph and route it; name_of names a source in messages. See `neuro.placement.partition.partition`.

    Raises FitError (resource, place, have, allowed, the smallest change that would fit).
    """
    limits, net = limits_of(chip, kinds.values, kinds.most), net_of(graph, kinds.kind)
    _refuse_too_many(graph, chip, limits, name_of)
    core, state = partition(graph, kinds.kind, limits, seed, start, present)
    _refuse_broken(net, limits, state, chip, name_of)
    source, at = pairs_of(net, state)
    rows = rows_of(source, at, limits.per_chip)
    if chip.tags.own_bits:
        neuron, tag, stuck = own_tags(rows, graph.inputs, core, net.loud, chip, seed)
        _refuse_own_id(stuck, chip, name_of)
    else:
        neuron = number_neurons(core, net.loud, chip)
        tag, stuck = free_tags(rows, chip, len(limits.silent), seed)
        _refuse_tag(stuck, rows, limits, chip, name_of)
    places = np.column_stack([core // limits.per_chip, core % limits.per_chip, neuron])
    cost = Destinations(
        int(state.reach.sum()), int(state.length.sum()), int(state.reach.max(initial=0)), int((state.length > 0).sum())
    )
    return Layout(places, rows, tag, cost)


def _refuse_too_many(graph: Graph, chip: Chip, limits: Limits, name_of) -> None:
    heard, loud = np.diff(graph.starts), int(graph.heard.sum())
    most = int(heard.max(initial=0))
    if most > limits.sources:
        n = int(heard.argmax())
        raise FitError(
            f"{_of_core(chip)}: {name_of(graph.inputs + n)} hears {most} sources, allowed: {limits.sources} on "
            f"{chip.label}; take {most - limits.sources} of them away"
        )
    places = len(limits.silent) * limits.neurons
    for what, have, room in (
        ("neurons", graph.neurons, places),
        ("neurons that others hear", loud, places - int(limits.silent.sum())),
    ):
        if have > room:
            raise FitError(
                f"{what}: the network has {have}, allowed: {room} on {chip.label} ({len(limits.silent)} cores); make it "
                f"smaller by {have - room} neurons"
            )


def _of_core(chip: Chip) -> str:
    tags = 2**chip.tags.bits - len(chip.tags.forbidden)
    return "axons of one core" if chip.cores.axons and chip.cores.axons < tags else "tags of one core"


def _refuse_broken(net: Net, limits: Limits, state: State, chip: Chip, name_of) -> None:
    per_chip = limits.per_chip
    if (state.core < 0).any():
        n = int((state.core < 0).argmax())
        shared = ", ".join(f"{most} values of {what}" for what, most in chip.neuron.distinct_per_core.items())
        raise FitError(
            f"cores: {int((state.core < 0).sum())} neurons found no core, first {name_of(net.inputs + n)}, allowed: "
            f"{len(limits.silent)} cores of {limits.neurons} neurons on {chip.label}, with "
            f"{shared or 'any constants'} in one; "
            "make the network smaller by as many neurons, or give populations equal constants"
        )
    if (state.heard > limits.sources).any():
        core, most = int(state.heard.argmax()), int(state.heard.max())
        raise FitError(
            f"{_of_core(chip)}: chip {core // per_chip} core {core % per_chip} would hear {most} sources, allowed: "
            f"{limits.sources} on {chip.label}, in the best placement found; let its {state.fill[core]} neurons share "
            f"more sources, {most - limits.sources} fewer distinct ones, or take a board with more cores"
        )
    reach = state.reach[net.inputs :]
    if limits.rows >= 0 and (reach > limits.rows).any():
        n, over = int(reach.argmax()), int((reach > limits.rows).sum())
        raise FitError(
            f"routes: {name_of(net.inputs + n)} must reach {int(reach.max())} chips, allowed: {limits.rows} on "
            f"{chip.label} ({chip.routes.entries} rows less {chip.routes.reserved} for monitoring), in the best placement "
            f"found; {over} neurons reach too many: take their listeners on "
            f"{int(np.maximum(reach - limits.rows, 0).sum())} chips away"
        )
    if limits.hops >= 0 and len(far := far_routes(net, limits, state)):
        n, home, target = far[0].tolist()
        raise FitError(
            f"hops: {name_of(net.inputs + n)} on chip {home} must reach chip {target}, allowed: {limits.hops} chips along "
            f"one axis on {chip.label}, in the best placement found; take these listeners away (of {len(far)} routes), or "
            "make the network smaller"
        )
    if limits.channels >= 0 and (state.channels > limits.channels).any():
        c, most = int(state.channels.argmax()), int(state.channels.max())
        raise FitError(
            f"input channels: chip {c} would receive {most}, allowed: {limits.channels} on {chip.label}, in the best "
            f"placement found; take {most - limits.channels} channels away"
        )


def _refuse_tag(stuck: int, rows: Rows, limits: Limits, chip: Chip, name_of) -> None:
    if stuck < 0:
        return
    cores = rows.cores[rows.starts[stuck] : rows.starts[stuck + 1]]
    here = rows.chip == rows.chip[stuck]
    heard = np.bincount(rows.cores[np.repeat(here, rows.width)], minlength=int(cores.max()) + 1)
    raise FitError(
        f"tags: {name_of(int(rows.source[stuck]))} needs one tag that is free in cores "
        f"{', '.join(str(k % limits.per_chip) for k in cores)} of chip {rows.chip[stuck]}, which hear up to "
        f"{int(heard[cores].max())} sources, allowed: {limits.sources} a core on {chip.label}; take a source away from "
        "what these cores hear"
    )


def _refuse_own_id(stuck: int, chip: Chip, name_of) -> None:
    if stuck < 0:
        return
    what = name_of(stuck)
    each = 2 ** (chip.tags.bits - chip.tags.own_bits)
    raise FitError(
        f"tags: no own id is left for {what} whose tags are free in all cores that hear it, allowed: {each} sources "
        f"of one id a core on {chip.label}; take a source away from what these cores hear, or use more cores"
    )
