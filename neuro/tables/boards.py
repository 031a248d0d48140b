"""A configuration put on a measured board as it is: what is left of it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from neuro.descriptor import Chip
from neuro.errors import TableError
from neuro.tables.columns import columns_of
from neuro.tables.joined import HERE, spread_over_cores
from neuro.tables.manifest import chip_sha256
from neuro.tables.model import Tables


def on_board(tables: Tables, chip: Chip) -> Tables:
    """Take away the words that fail on a board and the events that do not arrive there.

    chip: the tables' chip with a board (`load_chip(name, ["defects.file=…"])`). What is left is what the board would
    compute, were it programmed with these tables: `neuro.replay` runs it. Raises TableError for another chip.
    """
    if chip.defects is None or _ideal(chip) != _ideal(tables.chip):
        raise TableError(
            f"tables of {tables.chip.label} cannot be put on {chip.label}; allowed: a board of the same chip"
        )
    manifest = tables.manifest.model_copy(update={"chip": chip, "chip_sha256": chip_sha256(chip)})
    frames = dict(tables.frames)
    for table in ("routes", "inputs"):
        frames[table] = _arriving(frames[table], table, chip)
    frames["synapses"] = _working(frames, chip)
    return Tables(manifest, frames)


def _ideal(chip: Chip) -> Chip:
    return chip.model_copy(update={"defects": None})


def _arriving(frame: pd.DataFrame, table: str, chip: Chip) -> pd.DataFrame:
    """Keep of each row the cores that its tag reaches; routes are numbered anew."""
    rows = spread_over_cores(frame.assign(row=np.arange(len(frame))), chip)
    rows = rows[chip.working_tags[rows["target_chip"], rows["target_core"], rows["tag"]]]
    if "core_mask" in frame:
        mask = np.left_shift(1, rows["target_core"]).groupby(rows["row"]).sum()
        rows = frame.iloc[mask.index].assign(core_mask=mask.to_numpy())
    if table == "routes":
        rows = rows.assign(route=rows.groupby(HERE)["route"].rank("dense").astype(np.int64) - 1)
    return rows[list(columns_of(table, chip))].reset_index(drop=True)


def _working(frames: Mapping[str, pd.DataFrame], chip: Chip) -> pd.DataFrame:
    """Keep words that work for their tag and that some event still reaches."""
    words, works = frames["synapses"], chip.working_words
    half = words["tag"] * works.shape[-1] // 2**chip.tags.bits
    good = works[words["chip"], words["core"], words["neuron"], words["slot"], half]
    heard = ["target_chip", "target_core", "tag"]
    events = pd.concat([spread_over_cores(frames[table], chip)[heard] for table in ("routes", "inputs")])
    arrives = pd.MultiIndex.from_frame(words[["chip", "core", "tag"]]).isin(pd.MultiIndex.from_frame(events))
    return words[good & arrives].reset_index(drop=True)
