"""What pictures of cores show: where each core stands on the board, and how many sources of one core another hears."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from neuro.tables import Joined, Tables

SHOWN = 64  # rows and columns of a traffic matrix; on larger boards neighbouring cores are taken together


@dataclass(frozen=True)
class CoreGrid:
    """Every core of the board as a cell: places (chip, core) -> (row, column); chips stand a cell apart."""

    places: dict[tuple[int, int], tuple[int, int]]
    shape: tuple[int, int]

    def filled(self, values: dict[tuple[int, int], float], empty: float = 0.0) -> np.ndarray:
        """Give a picture of values by core: cores without one are `empty`, cells without a core NaN."""
        picture = np.full(self.shape, np.nan)
        for core, place in self.places.items():
            picture[place] = values.get(core, empty)
        return picture

    def names(self) -> np.ndarray:
        """What each cell is, as text."""
        text = np.full(self.shape, "", object)
        for (chip, core), place in self.places.items():
            text[place] = f"chip {chip} core {core}"
        return text


@dataclass(frozen=True)
class Traffic:
    """How many sources of a row (an input, or cores) the cores of a column hear: counts [R, C]."""

    rows: list[str]
    columns: list[str]
    counts: np.ndarray
    together: int


def core_grid(tables: Tables) -> CoreGrid:
    """Lay cores out as they stand: chips as on their board, the cores of a chip in rows."""
    chip = tables.chip
    across = chip.cores.columns or math.ceil(math.sqrt(chip.cores.per_chip))
    down = -(-chip.cores.per_chip // across)
    gap = int(chip.chips > 1)
    places = {}
    for c in range(chip.chips):
        top, left = c // chip.board.columns * (down + gap), c % chip.board.columns * (across + gap)
        for k in range(chip.cores.per_chip):
            places[c, k] = (top + k // across, left + k % across)
    size = (chip.board.rows * (down + gap) - gap, chip.board.columns * (across + gap) - gap)
    return CoreGrid(places, size)


def by_core(frame: pd.DataFrame, column: str | None = None) -> dict[tuple[int, int], int]:
    """Count a frame's rows for each (chip, core), or the distinct values of a column."""
    groups = frame.groupby(["chip", "core"])
    return (groups.size() if column is None else groups[column].nunique()).to_dict()


def traffic(joined: Joined) -> Traffic:
    """Count sources that cores hear from each other and from inputs."""
    neurons, chip = joined.neurons, joined.chip
    key = (neurons["chip"] * chip.cores.per_chip + neurons["core"]).to_numpy()
    cores = np.unique(key)
    together = -(-len(cores) // SHOWN)
    cells = -(-len(cores) // together)
    sent = joined.deliveries[["source", "chip", "core"]].drop_duplicates()
    to = (sent["chip"] * chip.cores.per_chip + sent["core"]).to_numpy()
    known = np.isin(to, cores)
    source, column = sent["source"].to_numpy()[known], np.searchsorted(cores, to[known]) // together
    inputs = [entry.name for entry in joined.manifest.inputs]
    row_of = np.concatenate(
        [np.repeat(np.arange(len(inputs)), joined.channels), len(inputs) + np.searchsorted(cores, key) // together]
    )
    counts = np.zeros((len(inputs) + cells, cells), np.int64)
    np.add.at(counts, (row_of[source], column), 1)
    names = [f"{c // chip.cores.per_chip}.{c % chip.cores.per_chip}" for c in cores[::together].tolist()]
    return Traffic([*inputs, *names], names, counts, together)
