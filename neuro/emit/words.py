"""Synapse words: what every neuron's memory holds, taken from a network, and the table that programs it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from neuro.emit.physical import physical_slots
from neuro.nn import Network
from neuro.placement import Plan


@dataclass(frozen=True, eq=False)
class Words:
    """The words of one population, sorted by row (its neuron), then column (of its memory); arrays of one length.

    type: id of the synapse type. code: what the word holds, unsigned. delay: steps of its delay line.
    """

    row: np.ndarray
    column: np.ndarray
    type: np.ndarray
    code: np.ndarray
    delay: np.ndarray


def words_of(network: Network, target: str) -> Words:
    """Give one word a row of the table, sorted by neuron, source, current or type, and line."""
    plan, memory = network.plan, network.memories[target]
    code = memory.code.cpu().numpy()
    row, column, kind, line = np.nonzero(code != memory.scheme.empty)
    value = code[row, column, kind, line].astype(np.int64)
    if plan.chip.weights.kind == "counts":
        row, column, kind, line = (np.repeat(a, value) for a in (row, column, kind, line))
        value = np.ones(len(row), np.int64)
    if memory.source is not None:
        column = memory.source.cpu().numpy()[row, column]
    types, value = _types_and_codes(network, kind, value)
    return Words(row, column, types, value, np.array(plan.spec.delay_lines)[line])


def _types_and_codes(network: Network, kind: np.ndarray, code: np.ndarray):
    """The synapse type's id, −1 where words have none, and the unsigned code of each word."""
    plan, w = network.plan, network.plan.chip.weights
    if w.kind == "counts":
        ids = {t.name: t.id for t in plan.types}
        return np.array([ids[n] for n in network.bases.names])[kind], code
    if w.kind == "conductance":
        return np.full(len(code), -1), code
    if w.kind == "masks":
        sign, code = np.sign(code), np.abs(code)
    elif w.sign in ("source", "row"):
        sign, code = np.where(code >= len(w.levels), -1, 1), code % len(w.levels)
    else:
        sign = np.sign(np.array(sorted(w.levels))[code]).astype(int)
    ids = np.array([[getattr(plan.type_of(c, s), "id", -1) for c in plan.currents] for s in (-1, 1)])
    return ids[(sign > 0).astype(int), kind], code


def synapse_frame(plan: Plan, words: dict[str, Words]) -> pd.DataFrame:
    """Give the table of all populations' words, each with the tag that reaches its chip; slots are numbered in order.

    On a measured board slots are those of words that work, and rows are sorted by them. Columns are as narrow as
    their numbers allow: there can be a hundred million words.
    """
    parts = [_part(plan, target, of) for target, of in words.items()]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return pd.DataFrame(columns, copy=False)


def _part(plan: Plan, target: str, words: Words) -> dict[str, np.ndarray]:
    places = plan.locations[target].astype(np.int32)
    counts = np.bincount(words.row, minlength=len(places))
    first = (np.cumsum(counts) - counts).astype(np.int64)
    chip = places[:, 0][words.row]
    core = places[:, 1][words.row]
    tag = _tags(plan, target, words.column, chip, core)
    part = {
        "chip": chip,
        "core": core,
        "neuron": places[:, 2][words.row],
        "slot": (np.arange(len(words.row)) - first[words.row]).astype(np.int32),
        "tag": tag,
        "type": _narrow(words.type),
        "part": np.full(len(words.row), -1, np.int8),
        "code": _narrow(words.code),
        "delay": _narrow(words.delay),
    }
    if plan.chip.defects is None:
        return part
    part["slot"] = physical_slots(plan.chip, plan.locations[target][words.row], tag)
    order = np.lexsort((part["slot"], words.row))
    return {name: column[order] for name, column in part.items()}


def _narrow(values: np.ndarray) -> np.ndarray:
    """Whole numbers in as few bytes as hold them, with sign."""
    most = max(int(values.max(initial=0)), -int(values.min(initial=0)) - 1)
    kind = next(kind for kind in (np.int8, np.int16, np.int32, np.int64) if most <= np.iinfo(kind).max)
    return values.astype(kind)


def _tags(plan: Plan, target: str, column: np.ndarray, chip: np.ndarray, core: np.ndarray) -> np.ndarray:
    """The tag that each word's source carries to the word's core."""
    tags = np.full(len(column), -1, np.int64 if plan.chip.tags.bits > 31 else np.int32)
    start = {source: place.start for source, place in plan.columns(target).items()}
    for table in plan.tables_of_routes:
        table.look_up(start, plan.width(target), column, (chip, core), tags)
    return tags
