"""What a checker reports: which limit, where, what is there against what is allowed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd

SHOWN = 20  # places of one broken rule that are named one by one

CORE = "chip {chip} core {core}"
NEURON = CORE + " neuron {neuron}"
SYNAPSE = NEURON + " slot {slot}"
WEIGHT = CORE + " type {type} part {part}"
ROUTE = NEURON + " route {route}"


@dataclass(frozen=True)
class Finding:
    """One broken limit."""

    what: str
    where: str
    have: int | float | str
    allowed: int | float | str

    def __str__(self) -> str:
        return f"{self.what}: {self.where}: have {self.have}, allowed {self.allowed}"

    @property
    def excess(self) -> float:
        """How many times over a countable limit; 0 where have and allowed are not amounts."""
        amounts = all(isinstance(x, int | float) for x in (self.have, self.allowed))
        return self.have / self.allowed if amounts and self.allowed > 0 else 0.0


def found(what: str, rows: pd.DataFrame, where: str, have: Any, allowed: Any) -> list[Finding]:
    """Name every row as a finding; texts are filled in from the row, callables are given it, other values stand."""
    if rows.empty:
        return []
    findings = [
        Finding(what, where.format(**row), _fill(have, row), _fill(allowed, row))
        for row in rows.head(SHOWN).to_dict("records")
    ]
    if len(rows) > SHOWN:
        findings.append(Finding(what, f"{len(rows) - SHOWN} more places", "the same", "as above"))
    return findings


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Sort by how far a resource is exceeded; what has no amount keeps its order, after the rest."""
    return sorted(findings, key=lambda finding: -finding.excess)


def _fill(value: str | Callable | int | float, row: dict):
    if isinstance(value, str):
        return value.format(**row)
    return value(row) if callable(value) else value
