"""How the conductances of a device lie between its smallest and its largest."""

from __future__ import annotations

import math

import numpy as np

from neuro.errors import DescriptionError

MOST_LEVELS = 1024


def spaced_levels(states: int, ratio: float = math.inf, nonlinearity: float = 0.0) -> tuple[float, ...]:
    """Give the conductances of a device with so many states, from 1 / ratio to 1.

    g_k = g_min + (1 − g_min) · (1 − e^(−ν k / (L − 1))) / (1 − e^(−ν)), ν the nonlinearity, 0: evenly spaced. B bits are
    2^B states. Raises DescriptionError. Source: non-linear weights and finite ratio after arXiv 1809.04982.
    """
    if isinstance(states, bool) or not isinstance(states, int) or not 2 <= states <= MOST_LEVELS:
        raise DescriptionError(
            f"states is {states!r}, allowed: 2 to {MOST_LEVELS} conductances of a device, 2 to the number of bits"
        )
    if not ratio > 1:
        raise DescriptionError(
            f"ratio is {ratio!r}, allowed: above 1, or infinite; give the largest conductance over the smallest"
        )
    if not math.isfinite(nonlinearity) or abs(nonlinearity) > 20:
        raise DescriptionError(f"nonlinearity is {nonlinearity!r}, allowed: -20 to 20; 0 spaces levels evenly")
    step = np.arange(states) / (states - 1)
    rise = step if nonlinearity == 0 else np.expm1(-nonlinearity * step) / math.expm1(-nonlinearity)
    least = 1 / ratio
    return tuple((least + (1 - least) * rise).tolist())
