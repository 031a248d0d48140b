"""What a measured board can hold: which neurons are good for much, which tags reach a core, how many words are left.

A word is good for tags of the lower half, of the upper half, or of both; a neuron's budget is then three nested numbers.
Chips without a board have every word and tag.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neuro.descriptor import Chip

if TYPE_CHECKING:
    from neuro.placement.plan import Plan


def neuron_words(chip: Chip, c: int, k: int) -> np.ndarray:
    """Words each neuron of a core has for the half of tags that most words of its core are good for: int [neurons]."""
    if chip.working_words is None:
        return np.full(chip.cores.neurons, chip.weights.slots or 1)
    words = chip.working_words[c, k].sum(1)
    return words[:, words.sum(0).argmax()]


def is_alive(chip: Chip, c: int, k: int) -> np.ndarray:
    """Which neurons of a core have a word that works: bool [neurons]."""
    if chip.working_words is None:
        return np.ones(chip.cores.neurons, bool)
    return chip.working_words[c, k].any((1, 2))


def usable_tags(chip: Chip, c: int, cores, size: int) -> np.ndarray:
    """Which of the first `size` tags reach all of some cores and are not forbidden: bool [size]."""
    tags = chip.working_tags
    usable = np.ones(size, bool) if tags is None else tags[c, list(cores), :size].all(0)
    usable[[t for t in chip.tags.forbidden if t < size]] = False
    return usable


def tags_of_core(chip: Chip, c: int, k: int) -> int:
    """How many sources one core can tell apart by their tags."""
    if chip.working_tags is None:
        return 2**chip.tags.bits - len(set(chip.tags.forbidden))
    return int(usable_tags(chip, c, [k], 2**chip.tags.bits).sum())


def tags_per_core(chip: Chip) -> int:
    """How many sources a core can tell apart by their tags, at most."""
    cores = ((c, k) for c in range(chip.chips) for k in range(chip.cores.per_chip)) if chip.defects else ((0, 0),)
    return max(tags_of_core(chip, c, k) for c, k in cores)


def best_tags_first(chip: Chip, c: int, cores, tags: np.ndarray) -> np.ndarray:
    """Order ascending tags so that those come first for which some cores have the most words."""
    if chip.working_words is None or chip.working_words.shape[-1] == 1:
        return tags
    words = chip.working_words[c, list(cores)].sum((0, 1, 2))
    return tags[np.argsort(-words[_half(chip, tags)], kind="stable")]


def word_limits(plan: Plan, target: str) -> np.ndarray | None:
    """Words of each neuron of a population: int [n, 3] for low tags, for high tags, in all; None where all work.

    Where words are good for any tag the three are [n, 1], their number.
    """
    if plan.chip.working_words is None:
        return None
    words = plan.chip.working_words[tuple(plan.locations[target].T)]
    if words.shape[-1] == 1:
        return words[..., 0].sum(1, keepdims=True)
    return np.column_stack([words.sum(1), words.any(2).sum(1)])


def high_columns(plan: Plan, target: str) -> np.ndarray:
    """Which columns of a population's memory come by tags of the upper half: bool [n, M], or [1, M] where all agree."""
    columns, position = plan.columns(target), {core: i for i, core in enumerate(plan.cores)}
    table = np.zeros((len(plan.cores), plan.width(target)), bool)
    for r in (*plan.routes, *plan.inputs):
        if r.source in columns and _half(plan.chip, r.tag):
            rows = [position[r.target_chip, k] for k in r.cores if (r.target_chip, k) in position]
            table[rows, columns[r.source].start + r.index] = True
    index = plan.core_index(target)
    here = table[np.unique(index)]
    return here[:1] if (here == here[0]).all() else table[index]


def _half(chip: Chip, tags):
    return tags >> (chip.tags.bits - 1)
