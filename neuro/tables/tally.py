"""Whole-table questions answered in one pass over arrays: is anything wrong at all?

The rules name who breaks a limit by joining tables, which takes many times the memory of the tables. These passes only say
that nobody does, in pieces of a few million rows; where they find something, or do not know, the rules look closer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from neuro.descriptor import Chip
from neuro.tables.model import Tables

PIECE = 2**22  # rows looked at together
LARGEST = 2**28  # cells of a table of marks; beyond, the rules look closer
KINDS = ("counts", "masks", "levels")


@dataclass(frozen=True)
class Tally:
    """Over all synapse words: slots numbered without gaps, most words of a neuron, whether all tags are delivered.

    opposed: some words of one source would cancel each other. largest: Σ|w|·events of any neuron and current.
    """

    numbered: bool
    most_words: int
    delivered: bool
    opposed: bool
    largest: float


def stand_once(synapses: pd.DataFrame, chip: Chip) -> bool:
    """Whether the words of each neuron stand together, in the order of their slots, none of which is there twice."""
    firsts, last_place, last_slot = [], -1, -1
    for part in pieces(synapses):
        place, slot = places(part, chip), part["slot"].to_numpy()
        new = np.append(place[0] != last_place, place[1:] != place[:-1])
        rises = np.append(slot[0] > last_slot, slot[1:] > slot[:-1])
        if not (new | rises).all():
            return False
        firsts.append(place[new])
        last_place, last_slot = place[-1], slot[-1]
    first = np.concatenate(firsts) if firsts else np.zeros(0, np.int64)
    return len(np.unique(first)) == len(first)


def places(frame: pd.DataFrame, chip: Chip) -> np.ndarray:
    """Number the place of a neuron on the board, for each row."""
    core = frame["chip"].to_numpy() * chip.cores.per_chip + frame["core"].to_numpy()
    return core * chip.cores.neurons + frame["neuron"].to_numpy()


def pieces(frame: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """A long table in parts that share its memory."""
    return (frame.iloc[at : at + PIECE] for at in range(0, len(frame), PIECE))


def are_neurons(frame: pd.DataFrame, neurons: pd.DataFrame, chip: Chip) -> bool:
    """Whether every row's neuron stands in `neurons`; False also where there are too many places to mark."""
    size = chip.chips * chip.cores.per_chip * chip.cores.neurons
    if size > LARGEST:
        return False
    known = np.zeros(size, bool)
    known[places(neurons, chip)] = True
    return all(known[places(part, chip)].all() for part in pieces(frame))


def word_values(tables: Tables) -> tuple[np.ndarray, np.ndarray] | None:
    """What words are worth: (place of each type id, value [cores, types, codes] with sign; 2^62 where a row is missing).

    None for kinds whose words are not worth the same in a whole core.
    """
    chip, kind = tables.chip, tables.chip.weights.kind
    if kind not in KINDS:
        return None
    ids = {t.id: i for i, t in enumerate(chip.types)}
    of_id = np.full(max(ids) + 1, -1)
    of_id[list(ids)] = list(ids.values())
    codes = {"counts": 2, "masks": 2 ** len(chip.weights.bases), "levels": len(chip.weights.levels or ())}[kind]
    cores = chip.chips * chip.cores.per_chip
    if cores * len(ids) * codes > LARGEST:
        return None
    missing = 2**62
    worth = np.full((cores, len(ids), codes), missing, np.int64)
    rows = tables.frames["weights"]
    core = (rows["chip"] * chip.cores.per_chip + rows["core"]).to_numpy()
    part, value = rows["part"].to_numpy(), rows["value"].to_numpy()
    if kind == "counts":
        worth[core, of_id[rows["type"].to_numpy()], 1] = value
    elif kind == "levels":
        worth[core, of_id[rows["type"].to_numpy()], part] = value
    else:
        bits = np.full((cores, len(chip.weights.bases)), missing, np.int64)
        bits[core, part] = value
        for code in range(codes):
            chosen = [b for b in range(bits.shape[1]) if code >> b & 1]
            total = np.where(
                (bits[:, chosen] == missing).any(1), missing, np.where(bits == missing, 0, bits)[:, chosen].sum(1)
            )
            worth[:, :, code] = total[:, None] * np.array([1 if (t.sign or 1) > 0 else -1 for t in chip.types])
            worth[total == missing, :, code] = missing
    return of_id, worth


def weights_are_there(tables: Tables) -> bool:
    """Whether every word has rows of `weights`; False also where that takes a closer look."""
    found = word_values(tables)
    if found is None:
        return False
    of_id, worth = found
    for part in pieces(tables.frames["synapses"]):
        core = part["chip"].to_numpy() * tables.chip.cores.per_chip + part["core"].to_numpy()
        if (worth[core, of_id[part["type"].to_numpy()], part["code"].to_numpy()] == 2**62).any():
            return False
    return True


def tally(tables: Tables, deliveries: pd.DataFrame, events: np.ndarray, current_of: dict[int, int]) -> Tally | None:
    """Look at all words once; events: how many each delivery brings in a step. None where that takes a closer look.

    current_of: the place of each synapse type's current, by the type's id.
    """
    chip, synapses, found = tables.chip, tables.frames["synapses"], word_values(tables)
    tags = 1 + max((int(f["tag"].max()) for f in (synapses, deliveries) if len(f)), default=0)
    cores, currents = chip.chips * chip.cores.per_chip, max(current_of.values(), default=0) + 1
    size = cores * chip.cores.neurons * currents
    known = found is not None and max(cores * tags, size) <= LARGEST and len(tables.manifest.delay_lines) < 2**10
    if not known or not stand_once(synapses, chip):
        return None
    of_id, worth = found
    arrive = np.bincount(
        (deliveries["chip"] * chip.cores.per_chip + deliveries["core"]).to_numpy() * tags
        + deliveries["tag"].to_numpy(),
        weights=events,
        minlength=cores * tags,
    )
    of_type = np.zeros(len(of_id), np.int64)
    of_type[list(current_of)] = list(current_of.values())
    line = {delay: i for i, delay in enumerate(tables.manifest.delay_lines)}
    words, last = np.zeros(cores * chip.cores.neurons, np.int64), np.full(cores * chip.cores.neurons, -1, np.int64)
    sums, delivered, opposed = np.zeros(size), True, False
    for part in _by_neuron(synapses, chip):
        place, kind, tag = places(part, chip), part["type"].to_numpy(), part["tag"].to_numpy()
        core, current = place // chip.cores.neurons, of_type[kind]
        value = worth[core, of_id[kind], part["code"].to_numpy()]
        coming = arrive[core * tags + tag]
        delivered &= bool((coming > 0).all())
        first = int(place.min())
        words[first : int(place.max()) + 1] += np.bincount(place - first)
        last[place] = part["slot"].to_numpy()  # slots rise, so a neuron's highest one is written last
        total = np.bincount((place - first) * currents + current, weights=np.abs(value) * coming)
        sums[first * currents : first * currents + len(total)] += total
        if chip.weights.kind == "counts":
            lines = part["delay"].map(line).to_numpy()
            key = ((place * tags + tag) * currents + current) * len(line) + lines
            opposed |= _both_signs(key, value > 0)
    return Tally(bool((last == words - 1).all()), int(words.max()), delivered, opposed, float(sums.max()))


def _by_neuron(synapses: pd.DataFrame, chip: Chip) -> Iterator[pd.DataFrame]:
    """Parts in which no neuron begins whose words go on in the next; those of a neuron stand together."""
    at = 0
    while at < len(synapses):
        end = min(at + PIECE, len(synapses))
        if end < len(synapses):
            place = places(synapses.iloc[at : end + 1], chip)
            starts = np.flatnonzero(place[1:] != place[:-1])
            end = at + int(starts[-1]) + 1 if len(starts) else len(synapses)
        yield synapses.iloc[at:end]
        at = end


def _both_signs(key: np.ndarray, positive: np.ndarray) -> bool:
    """Whether some key stands with either sign."""
    key = np.sort(key * 2 + positive)
    return bool(((key[1:] >> 1 == key[:-1] >> 1) & (key[1:] != key[:-1])).any())
