"""What well-formed tables say once they are joined the way a chip joins them: on chip, core and tag.

Sources are numbered: input channels first, in manifest order, then neurons by population and index.
"""

from __future__ import annotations

import math
from functools import cached_property
from itertools import accumulate

import numpy as np
import pandas as pd

from neuro.descriptor import Chip, SynapseType
from neuro.tables.model import Tables
from neuro.tables.tally import Tally, tally

HERE = ["chip", "core", "neuron"]
WEIGHT_KEY = [*HERE, "type", "part"]


def types_in_use(tables: Tables) -> dict[int, tuple[SynapseType, int]]:
    """Give each usable type by id, with the place of its current among those in use."""
    manifest, by_name = tables.manifest, {t.name: t for t in tables.chip.types}
    place = {name: k for k, name in enumerate(manifest.currents)}
    result = {}
    for current in tables.chip.currents:
        names = (*current.types, *(current.shunting if manifest.shunting_as_subtractive else ()))
        if current.name in place:
            result.update({by_name[name].id: (by_name[name], place[current.name]) for name in names})
    return result


def untyped(chip: Chip) -> bool:
    """Whether words name no synapse type, as their weights have signs of their own, and stand on axons."""
    return chip.weights.kind in ("crossbar", "conductance")


def weight_rows_of(tables: Tables) -> pd.DataFrame:
    """Name the rows of `weights` each word adds up: columns word (row of synapses), chip, core, neuron, type, part.

    The neuron is −1 where weights belong to a core. On crossbars the part is the type of the word's axon; words on no
    axon have none.
    """
    chip, synapses = tables.chip, tables.frames["synapses"]
    words = synapses[["chip", "core", "neuron", "type", "part", "code"]].assign(word=np.arange(len(synapses)))
    if chip.weights.kind == "crossbar":
        axons = tables.frames["axons"].rename(columns={"axon": "slot", "type": "axon_type"})
        words = words.assign(slot=synapses["slot"]).merge(axons, on=["chip", "core", "slot"])
        return words.assign(part=words["axon_type"])[["word", *WEIGHT_KEY]]
    words["neuron"] = -1
    if chip.weights.kind in ("levels", "conductance"):
        words["part"] = words["code"]
    if chip.weights.kind == "masks":
        bits = range(len(chip.weights.bases))
        words = pd.concat([words[(words["code"].to_numpy() >> b) & 1 == 1].assign(type=-1, part=b) for b in bits])
    return words[["word", *WEIGHT_KEY]]


def levels_of(chip: Chip) -> np.ndarray:
    """The values a level word can take, in rising order: what its code, the level's index, counts through."""
    return np.sort(np.array(chip.weights.levels, dtype=np.float64))


def pair_weights_of(chip: Chip) -> tuple[np.ndarray, np.ndarray]:
    """What the two devices of every pair conduct, in shares of g_max, [L²] each in the order of the codes i · L + j."""
    devices = chip.devices
    step = np.arange(devices.states) / (devices.states - 1)
    if devices.nonlinearity:
        step = np.expm1(-devices.nonlinearity * step) / math.expm1(-devices.nonlinearity)
    least = 0.0 if devices.ratio is None else 1 / devices.ratio
    levels = least + (1 - least) * step
    return np.repeat(levels, devices.states), np.tile(levels, devices.states)


def rest_weighs(chip: Chip) -> bool:
    """Whether a pair of conductances that nobody programmed has a weight, so that no crosspoint is without one."""
    devices = chip.devices
    return devices is not None and devices.ratio is not None and devices.gain != 1


def spread_over_cores(frame: pd.DataFrame, chip: Chip) -> pd.DataFrame:
    """Give one row for each core that a route's events reach, with `target_core` in place of the mask."""
    if "target_core" in frame:
        return frame
    hit = (frame["core_mask"].to_numpy()[:, None] >> np.arange(chip.cores.per_chip)) & 1
    rows, cores = np.nonzero(hit)
    return frame.drop(columns="core_mask").iloc[rows].assign(target_core=cores)


class Joined:
    """The joins of well-formed tables, each made once, when first asked for."""

    def __init__(self, tables: Tables):
        self.tables, self.chip, self.manifest = tables, tables.chip, tables.manifest
        self.channels = tuple(tables.input_channels.values())
        self.inputs = sum(self.channels)

    @cached_property
    def neurons(self) -> pd.DataFrame:
        """Neurons by population and index, with `target` (0, 1, …) and `source` numbers."""
        ordered = self.tables.frames["neurons"].sort_values(["population", "index"], ignore_index=True)
        numbers = np.arange(len(ordered))
        return ordered.assign(target=numbers, source=self.inputs + numbers)

    @cached_property
    def deliveries(self) -> pd.DataFrame:
        """Every (source, chip, core, tag, delay) by which events arrive."""
        frames = self.tables.frames
        routes = frames["routes"].merge(self.neurons[[*HERE, "source"]], on=HERE)
        first = np.array([0, *accumulate(self.channels)], dtype=np.int64)
        inputs = frames["inputs"]
        inputs = inputs.assign(source=first[inputs["input"].to_numpy()] + inputs["channel"])
        shared = ["source", "tag", "target_chip", "target_core", "delay"]
        both = pd.concat([spread_over_cores(f, self.chip)[shared] for f in (inputs, routes)], ignore_index=True)
        return both.rename(columns={"target_chip": "chip", "target_core": "core"})

    @cached_property
    def tally(self) -> Tally | None:
        """All words looked at once, without joining them; None where that does not do for this kind of tables."""
        events = np.where(self.deliveries["source"] < self.inputs, self.chip.inputs.events_per_step, 1)
        currents = {i: place for i, (_, place) in types_in_use(self.tables).items()}
        return tally(self.tables, self.deliveries, events, currents)

    @cached_property
    def words(self) -> pd.DataFrame:
        """Every occupied slot, with its `target`, the place of its `current`, its `sign` and its signed `value`."""
        return self.words_of(self.pieces["value"])

    @cached_property
    def pieces(self) -> pd.DataFrame:
        """What each word adds up: its row in `synapses` as `word`, and the `value` of one of its rows in `weights`."""
        return weight_rows_of(self.tables).merge(self.tables.frames["weights"], on=WEIGHT_KEY)

    def words_of(self, values: pd.Series) -> pd.DataFrame:
        """Give `words` with other values of their pieces."""
        synapses = self.tables.frames["synapses"]
        used = types_in_use(self.tables)
        value = values.groupby(self.pieces["word"]).sum().reindex(range(len(synapses)), fill_value=0).to_numpy()
        if untyped(self.chip):
            words = synapses.assign(sign=np.sign(value), current=0, value=value)
            return words.merge(self.neurons[[*HERE, "target"]], on=HERE)
        sign = synapses["type"].map({i: t.sign for i, (t, _) in used.items()}).to_numpy(np.int64)
        current = synapses["type"].map({i: k for i, (_, k) in used.items()}).to_numpy(np.int64)
        value = value * sign if self.chip.weights.kind == "masks" else value
        words = synapses.assign(sign=sign, current=current, value=value)
        return words.merge(self.neurons[[*HERE, "target"]], on=HERE)

    def name(self, source: int) -> str:
        """Name a source as a person would look for it."""
        if source >= self.inputs:
            row = self.neurons.iloc[source - self.inputs]
            return f"chip {row['chip']} core {row['core']} neuron {row['neuron']}"
        for entry in self.manifest.inputs:
            if source < entry.channels:
                return f"input {entry.name} channel {source}"
            source -= entry.channels
        raise IndexError(source)
