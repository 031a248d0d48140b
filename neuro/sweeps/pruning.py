"""When a run is hopeless: half of the finished runs that take no more of the chip were better at the same epoch.

Optuna's pruners know one objective only; this is the median rule within those rivals, so that a run with few slots is
never held against one with many.
"""

from __future__ import annotations

import math
from statistics import median
from typing import NamedTuple

from neuro.sweeps.objectives import OBJECTIVES

LEAST_RIVALS, WARM_UP = 4, 0.25


class Rival(NamedTuple):
    """A finished run: best validation accuracy up to each epoch, and its figures by column."""

    curve: list[float]
    measures: dict


def hopeless(
    epoch: int, epochs: int, best: float, costs: dict, rivals: list[Rival], objectives: tuple[str, ...]
) -> str:
    """Say why a run whose best accuracy is `best` after `epoch` of `epochs` should stop; "" where it should go on."""
    if not math.ceil(WARM_UP * epochs) <= epoch < epochs:
        return ""
    columns = [OBJECTIVES[name].column for name in objectives if name != "accuracy"]
    near = [r.curve[epoch - 1] for r in rivals if len(r.curve) >= epoch and _takes_no_more(r, costs, columns)]
    if len(near) < LEAST_RIVALS or best >= median(near):
        return ""
    which = f" that take no more ({', '.join(columns)})" if columns else ""
    return (
        f"best validation accuracy {best:.1%} after epoch {epoch} is below {median(near):.1%}, the median of "
        f"{len(near)} finished runs{which}"
    )


def _takes_no_more(rival: Rival, costs: dict, columns: list[str]) -> bool:
    return all(rival.measures[column] <= costs[column] for column in columns)
