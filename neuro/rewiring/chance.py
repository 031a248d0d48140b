"""Random numbers of one step: they follow from a seed and the step alone, so that a resumed run repeats them."""

from __future__ import annotations

import numpy as np
import torch

from neuro.errors import NeuroError


def generator(purpose: str, seed: int, step: int, memory: int) -> torch.Generator:
    """Give the random numbers of one purpose, step and synapse memory, on the CPU: the same for every device."""
    words = [seed, step, memory, *purpose.encode()]
    return torch.Generator().manual_seed(int(np.random.SeedSequence(words).generate_state(1, np.uint64)[0] >> 1))


def check_seed(seed: int) -> None:
    """Raise NeuroError for what is no seed."""
    if not isinstance(seed, int) or seed < 0:
        raise NeuroError(f"seed is {seed!r}, allowed: a whole number from 0")


def check_share(name: str, share: float) -> None:
    """Raise NeuroError for what is no share of a whole."""
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
        raise NeuroError(f"{name} is {share!r}, allowed: 0 to 1")
