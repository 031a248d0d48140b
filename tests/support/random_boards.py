"""Boards with random defects, for any chip: some neurons have no word, some cores lose tags, words fail in runs."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

import neuro
from neuro.descriptor import Chip

PROBABILITIES = np.array([0.0, 0.05, 0.25, 0.5, 1.0], np.float32)


def random_board(rng: np.random.Generator, chip: Chip, classes: int, path: Path, yields=(0.2, 1.0)) -> Path:
    """Write a board's file for a chip; every core keeps a yield of its own."""
    cores, (neurons, words) = chip.chips * chip.cores.per_chip, (chip.cores.neurons, chip.weights.slots)
    share = rng.uniform(*yields, size=(cores, neurons, 1, classes)) * (rng.random((cores, neurons, 1, 1)) > 0.05)
    works = rng.random((cores, neurons, words, classes)) < share
    failed = np.where(
        works, PROBABILITIES[rng.integers(0, 2, works.shape)], PROBABILITIES[rng.integers(2, 5, works.shape)]
    )
    tags = rng.random((cores, 2**chip.tags.bits)) < rng.choice([0.7, 1.0], size=(cores, 1))
    np.savez_compressed(path, cam_failure_probability=failed if classes == 2 else failed[..., 0], usable_tag=tags)
    return path


def on(name: str, overrides, path: Path) -> Chip:
    """Load a chip as measured on the board of a file."""
    return neuro.load_chip(name, [*overrides, f"defects.file={path}"])


@cache
def file_of(path: Path) -> tuple[np.ndarray, np.ndarray]:
    with np.load(path, allow_pickle=False) as held:
        return held["cam_failure_probability"], held["usable_tag"]


def measured(chip: Chip, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """What works, from the file itself: words [chips, cores, neurons, words, halves of tags], tags [chips, cores, tags]."""
    failed, tags = file_of(path)
    words = (failed if failed.ndim == 4 else np.stack([failed, failed], -1)) <= np.float32(0.1)
    words = words if words.shape[-1] == 2 else words.repeat(2, -1)
    shape = (chip.chips, chip.cores.per_chip)
    return words.reshape(*shape, *words.shape[1:]), tags.reshape(*shape, -1)


def misused(tables, path: Path) -> list[str]:
    """Words that fail and tags that do not arrive, of those a configuration uses: row by row, from the board's file."""
    words, tags = measured(tables.chip, path)
    middle = 2 ** (tables.chip.tags.bits - 1)
    found = [
        f"slot {w.slot} of {w.chip, w.core, w.neuron} for tag {w.tag}"
        for w in tables.frames["synapses"].itertuples()
        if not words[w.chip, w.core, w.neuron, w.slot, int(w.tag >= middle)] or not tags[w.chip, w.core, w.tag]
    ]
    for table in ("routes", "inputs"):
        for r in tables.frames[table].itertuples():
            reached = [k for k in range(tables.chip.cores.per_chip) if r.core_mask >> k & 1]
            found += [f"{table}: tag {r.tag} to core {k}" for k in reached if not tags[r.target_chip, k, r.tag]]
    return found
