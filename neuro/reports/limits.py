"""A table of limits: what a configuration has of each in its fullest place, and what its chip allows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from neuro.placement.boards import tags_per_core
from neuro.tables import Joined, Tables, check, ill_formed
from neuro.tables.check_sources import memory_bits, words_of_neurons

CORE = ["chip", "core"]
NEURON = [*CORE, "neuron"]


class Limit(NamedTuple):
    """allowed None = the chip sets no such limit."""

    what: str
    have: int
    allowed: int | None

    @property
    def kept(self) -> bool:
        return self.allowed is None or self.have <= self.allowed


def limits_of(tables: Tables) -> list[Limit]:
    """Measure tables against the limits of their chip; the last row counts what the checker finds, of every kind."""
    chip, frames = tables.chip, tables.frames
    routes, inputs = frames["routes"], frames["inputs"]
    rows = None if chip.routes.entries is None else chip.routes.entries - chip.routes.reserved
    limits = [
        Limit("cores", frames["neurons"].groupby(CORE).ngroups, chip.chips * chip.cores.per_chip),
        Limit("neurons of the fullest core", _most(frames["neurons"], CORE), chip.cores.neurons),
        Limit("slots of the fullest neuron", _most(frames["synapses"], NEURON), chip.weights.slots),
        *([_most_on_board(tables)] if chip.defects else []),
    ]
    if len(frames["axons"]):
        limits.append(Limit("axons of the fullest core", _most(frames["axons"], CORE), chip.cores.axons))
    else:
        limits.append(Limit("sources told apart by the fullest core", _heard(routes, inputs), tags_per_core(chip)))
    return [
        *limits,
        *_of_sources(tables),
        Limit("route rows of a neuron", _most(routes, NEURON), rows),
        Limit("hops along one axis", _hops(routes, chip.board.columns), chip.routes.max_hop),
        Limit("input channels of a chip", _most(_channels(inputs), ["target_chip"]), chip.inputs.channels),
        Limit("limits exceeded, all kinds", len(check(tables)), 0),
    ]


def _of_sources(tables: Tables) -> list[Limit]:
    """What sources take, on chips that limit it."""
    chip, findings = tables.chip, ill_formed(tables)
    if findings or (chip.cores.memory is None and chip.weights.fan_out is None):
        return []
    joined, limits = Joined(tables), []
    if chip.weights.fan_out is not None:
        words = words_of_neurons(joined)["words"]
        limits.append(Limit("words of the busiest neuron", int(words.max()) if len(words) else 0, chip.weights.fan_out))
    if chip.cores.memory is not None:
        bits = memory_bits(joined)["bits"]
        most = int(bits.max()) if len(bits) else 0
        limits.append(Limit("bits of the fullest synapse memory", most, chip.cores.memory.bits))
    return limits


def _most(frame: pd.DataFrame, by: list[str]) -> int:
    """Rows of the largest group."""
    return int(frame.groupby(by).size().max()) if len(frame) else 0


def _most_on_board(tables: Tables) -> Limit:
    """The neuron that uses the largest share of its words that work on a measured board."""
    used = tables.frames["synapses"].groupby(NEURON).size()
    works = tables.chip.working_words.any(-1).sum(-1)
    own = works[tuple(used.index.get_level_values(name) for name in NEURON)]
    fullest = int((used.to_numpy() / np.maximum(own, 0.5)).argmax()) if len(used) else None
    have, allowed = (0, 0) if fullest is None else (int(used.iloc[fullest]), int(own[fullest]))
    return Limit("slots of the neuron that is fullest for its board", have, allowed)


def _channels(inputs: pd.DataFrame) -> pd.DataFrame:
    return inputs.drop_duplicates(["input", "channel", "target_chip"])


def _heard(routes: pd.DataFrame, inputs: pd.DataFrame) -> int:
    """Tags that the fullest core can hear."""
    rows = pd.concat([routes, inputs])
    if "target_core" in rows:
        return _most(rows.drop_duplicates(["target_chip", "target_core", "tag"]), ["target_chip", "target_core"])
    most = 0
    for core in range(32):
        heard = rows[rows.core_mask.to_numpy() >> core & 1 == 1]
        most = max(most, _most(heard.drop_duplicates(["target_chip", "tag"]), ["target_chip"]))
    return most


def _hops(routes: pd.DataFrame, columns: int) -> int:
    if not len(routes):
        return 0
    home, target = routes.chip.to_numpy(), routes.target_chip.to_numpy()
    return int(np.maximum(abs(target % columns - home % columns), abs(target // columns - home // columns)).max())
