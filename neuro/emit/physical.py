"""Which word of a neuron's memory holds what, on a measured board: each word one that works for its tag."""

from __future__ import annotations

import numpy as np

from neuro.descriptor import Chip


def physical_slots(chip: Chip, places: np.ndarray, tag: np.ndarray) -> np.ndarray:
    """Choose a slot for every word: places [W, 3] (chip, core, neuron), words of a neuron together; int [W].

    Words good for one half of the tags alone go first, so that those good for both are left to who needs them; within
    a half slots rise with the words. The network's budgets see to it that there are enough.
    """
    slots, high = np.zeros(len(tag), np.int64), tag >> (chip.tags.bits - 1)
    starts = np.flatnonzero(np.r_[True, (places[1:] != places[:-1]).any(1)][: len(tag)])
    for first, last in zip(starts, [*starts[1:], len(tag)], strict=True):
        works = chip.working_words[tuple(places[first])]
        works = works if works.shape[1] == 2 else works.repeat(2, 1)  # good for tags of both halves
        shared = np.flatnonzero(works.all(1))
        for half in range(2):
            mine = first + np.flatnonzero(high[first:last] == half)
            alone = np.flatnonzero(works[:, half] & ~works[:, 1 - half])[: len(mine)]
            borrowed, shared = np.split(shared, [len(mine) - len(alone)])
            slots[mine] = np.sort(np.r_[alone, borrowed])
    return slots
