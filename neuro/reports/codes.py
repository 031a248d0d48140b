"""What the words of a network hold, counted and explained."""

from __future__ import annotations

import numpy as np

WHAT = {  # by kind of weights: the name of an axis, and what a code is
    "counts": (
        "words of one type on a source, below 0 inhibitory",
        "A connection is a number of words, each one slot, of one synapse type that a neuron spends on a source; words of "
        "inhibitory types stand below 0.",
    ),
    "masks": (
        "mask of the word, below 0 inhibitory",
        "A word holds a mask: which base currents add up to its weight; words of inhibitory types stand below 0.",
    ),
    "crossbar": (
        "axon type of the crosspoint, from 1",
        "Crosspoints that are set, by the type of their axon, which picks one of the weights that their neuron has.",
    ),
    "levels": (
        "number of the level, from 0",
        "A word holds the number of one of the chip's weight levels, lowest first; where sources or rows have one sign, "
        "numbers go on with the same levels below 0.",
    ),
    "conductance": (
        "pair of levels",
        "A pair of devices holds levels i and j of L, counted from 0: its code is i · L + j.",
    ),
    "float": ("weight", "A float twin holds any weight."),
}


def signed_codes(network, target: str) -> tuple[np.ndarray, np.ndarray]:
    """Give the codes in a population's memory and how often each stands there; counts of inhibitory types below 0."""
    memory = network.memories[target]
    code = memory.code.cpu().numpy()
    if network.plan.chip.weights.kind == "counts":
        signs = np.array(memory.scheme.signs)
        code = code * signs.reshape(1, 1, -1, *[1] * (code.ndim - 3))
    return np.unique(code[code != getattr(memory.scheme, "empty", 0)], return_counts=True)
