"""What a pair of conductances cannot be, one message each."""

from __future__ import annotations

import math

import torch

from neuro.errors import DescriptionError
from neuro.weights.spacing import MOST_LEVELS


def check_levels(levels: tuple[float, ...]) -> None:
    """Refuse levels that do not rise, are negative, or are too many."""
    if not 2 <= len(levels) <= MOST_LEVELS:
        raise DescriptionError(f"levels has {len(levels)} conductances, allowed: 2 to {MOST_LEVELS}")
    for i, level in enumerate(levels):
        if not 0 <= level < math.inf:
            raise DescriptionError(
                f"levels[{i}] is {level:g}, allowed: 0 and above; a conductance is not negative, the pair makes the sign"
            )
        if i and level <= levels[i - 1]:
            raise DescriptionError(
                f"levels[{i}] is {level:g} after {levels[i - 1]:g}, allowed: each level above the one before; "
                "give the conductances in rising order"
            )


def check_gain(gain: float, bases: torch.Tensor) -> None:
    """Refuse gains and numbers of bases that no pair has."""
    if bases.shape[-1] > 2:
        raise DescriptionError(f"bases has {bases.shape[-1]} columns, allowed: 1, or 2 for a pair of bases")
    if isinstance(gain, bool) or not isinstance(gain, int | float) or not 0 < gain < math.inf:
        raise DescriptionError(f"gain is {gain!r}, allowed: a finite number above 0, of G- over G+")
    if bases.shape[-1] == 2 and gain != 1:
        raise DescriptionError(f"gain is {gain!r} beside two bases, allowed: 1; the second base is the gain of G-")


def check_signs(levels: tuple[float, ...], both: torch.Tensor) -> None:
    """Refuse bases, b₊ and b₋ a row, with which one sign cannot be made."""
    low, high = levels[0], levels[-1]
    wrong = (both[:, 0] * high <= both[:, 1] * low) | (both[:, 1] * high <= both[:, 0] * low)
    if wrong.any():
        plus, minus = both[int(wrong.nonzero()[0, 0])].tolist()
        sign = "positive" if plus * high <= minus * low else "negative"
        raise DescriptionError(
            f"a pair that adds {plus:g} and takes away {minus:g} times {low:g} to {high:g} makes no {sign} weight; "
            "allowed: weights of both signs; raise the on/off ratio, or bring the gain nearer to 1"
        )


def check_variance(variance: tuple[float, ...], levels: tuple[float, ...]) -> None:
    """Refuse variances that are not one a level."""
    if len(variance) != len(levels) or not all(0 <= v < math.inf for v in variance):
        raise DescriptionError(
            f"variance has {len(variance)} entries, allowed: {len(levels)} finite ones from 0, one a level"
        )
