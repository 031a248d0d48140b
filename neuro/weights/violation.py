"""What a broken limit is, and the counting that finds it: plain numpy, nothing of the projections is used here."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

EVERY_ROW = -1


@dataclass(frozen=True)
class Violation:
    """Say which row breaks which limit; row −1 stands for all rows."""

    row: int
    what: str
    have: object
    allowed: object

    def __str__(self) -> str:
        where = "all rows" if self.row == EVERY_ROW else f"row {self.row}"
        return f"{where}: {self.what}: have {self.have}, allowed {self.allowed}"


def as_array(tensor) -> np.ndarray:
    """Copy a tensor of any device into a numpy array."""
    return tensor.detach().cpu().numpy()


def place(index, names=("column", "current", "line")) -> str:
    """Name an entry by its place after the row: `column 3, current 1`."""
    return ", ".join(f"{name} {int(i)}" for name, i in zip(names, index, strict=False))


def malformed(codes: np.ndarray, dimensions: tuple[int, ...]) -> list[Violation]:
    """Find a code that is no integer array of one of the given numbers of dimensions."""
    found = []
    if codes.dtype.kind not in "iu":
        found.append(Violation(EVERY_ROW, "data type of the code", codes.dtype.name, "an integer type"))
    if codes.ndim not in dimensions:
        found.append(Violation(EVERY_ROW, "dimensions of the code", codes.ndim, " or ".join(map(str, dimensions))))
    return found


def out_of_range(codes: np.ndarray, low: int, high: int, names=("column", "current", "line")) -> list[Violation]:
    """Find codes outside low..high."""
    wrong = np.argwhere((codes < low) | (codes > high))
    return [
        Violation(int(i[0]), f"code at {place(i[1:], names)}", int(codes[tuple(i)]), f"{low}..{high}") for i in wrong
    ]


def over_budget(words: np.ndarray, slots) -> list[Violation]:
    """Find rows of words [N, M, …] (counts, or bool) with more words than slots (one int, [N], or nested)."""
    used = words.sum(axis=tuple(range(1, words.ndim)))
    if hasattr(slots, "limits"):
        return _over_nested(words, used, as_array(slots.limits), as_array(slots.high))
    limits = np.broadcast_to(slots if isinstance(slots, int) else as_array(slots), used.shape)
    rows = np.flatnonzero(used > limits)
    return [Violation(int(row), "words in use", int(used[row]), f"{int(limits[row])} slots") for row in rows]


def _over_nested(words: np.ndarray, used: np.ndarray, limits: np.ndarray, high: np.ndarray) -> list[Violation]:
    """Count words by the half of tags their columns have, and all."""
    per_column = words.reshape(*words.shape[:2], -1).sum(2)
    by_half = [(per_column * half).sum(1) for half in (~high, high)]
    names = ("words with low tags", "words with high tags", "words in use")
    return [
        Violation(int(row), name, int(have[row]), f"{int(limits[row, k])} slots")
        for k, (name, have) in enumerate(zip(names, (*by_half, used), strict=True))
        for row in np.flatnonzero(have > limits[:, k])
    ]


def over_fan_out(used: np.ndarray, groups: np.ndarray, budgets) -> list[Violation]:
    """Find columns of entries in use (bool [N, M, …]) with more words in a group's rows than budgets [G, M] allow."""
    limits = as_array(budgets)
    found = []
    for name in np.unique(groups):
        members = np.flatnonzero(groups == name)
        words = used[members].reshape(len(members), used.shape[1], -1).sum((0, 2))
        found += [
            Violation(
                int(members[0]), f"words of column {column} in group {name}", int(words[column]), f"{limit} words"
            )
            for column, limit in enumerate(limits[name].tolist())
            if words[column] > limit
        ]
    return found


def not_allowed(used: np.ndarray, allowed) -> list[Violation]:
    """Find entries in use (bool, [N, M], [N, M, C] or [N, M, C, D]) at places `allowed` excludes."""
    if allowed is None:
        return []
    permitted = as_array(allowed)
    while permitted.ndim < used.ndim:
        permitted = permitted[..., None]
    wrong = np.argwhere(used & ~np.broadcast_to(permitted, used.shape))
    return [Violation(int(i[0]), f"connection at {place(i[1:])}", "in use", "no connection") for i in wrong]


def mixed_signs(plus: np.ndarray, minus: np.ndarray, by_source: bool, groups) -> list[Violation]:
    """Find rows, or sources within a group [N] of rows (None = all), whose entries [N, M(, C, D)] have both signs."""
    if not by_source:
        parts = [("signs of its sources", row, plus[row], minus[row]) for row in range(len(plus))]
    else:
        names = np.zeros(len(plus), int) if groups is None else as_array(groups)
        parts = [
            (f"signs of column {column} in group {name}", members[0], plus[members, column], minus[members, column])
            for name in np.unique(names)
            for members in [np.flatnonzero(names == name)]
            for column in range(plus.shape[1])
        ]
    return [
        Violation(int(row), what, f"{int(up.sum())} + and {int(down.sum())} -", "one sign")
        for what, row, up, down in parts
        if up.any() and down.any()
    ]


def axons(codes: np.ndarray, groups: np.ndarray, limit: int) -> list[Violation]:
    """Find cores (rows [N, M] of one group) that hear too many columns, and columns of two types in one core."""
    found = []
    for name in np.unique(groups):
        members = np.flatnonzero(groups == name)
        kinds = [np.unique(column[column > 0]) for column in codes[members].T]
        used = sum(len(kind) > 0 for kind in kinds)
        if used > limit:
            found.append(Violation(int(members[0]), f"axons of group {name}", used, f"{limit} axons"))
        found += [
            Violation(int(members[0]), f"types of column {column} in group {name}", (kind - 1).tolist(), "one type")
            for column, kind in enumerate(kinds)
            if len(kind) > 1
        ]
    return found
