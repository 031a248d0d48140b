"""Cores of crossbars as machine code for the CPU: the same codes and weights as `neuro.weights.crosspoints`, sooner."""

from __future__ import annotations

import numpy as np

from neuro.jit import compiled
from neuro.weights.compiled_sums import folded
from neuro.weights.compiled_values import best_rows


@compiled
def fit_core(wanted, values, scale, axons, most):
    """Set values [R, G] to what the nearest code and the best values, in turns, end with; see `crosspoints.fit`."""
    code, other = np.zeros(wanted.shape, np.int64), np.empty_like(values)
    total = nearest_core(wanted, values, scale, axons, code)
    while True:
        other[:] = values
        _refit(wanted, other, code, most)
        better = nearest_core(wanted, other, scale, axons, code)
        if not better > total:
            return
        values[:] = other
        total = better


@compiled
def nearest_core(wanted, values, scale, axons, code):
    """Set code [R, M] to the nearest one; gives by how much it lowers the squared error of an empty one."""
    rows, columns = wanted.shape
    best, kind = np.zeros((1, columns)), np.zeros(columns, np.int64)
    terms, kept = np.empty(max(rows, columns)), np.zeros((1, columns), np.bool_)
    across, weights = np.ascontiguousarray(wanted.T), np.ascontiguousarray(values.T).astype(np.float64)
    for m in range(columns):
        for g in range(values.shape[1]):
            for r in range(rows):
                terms[r] = _gain(weights[g, r], across[m, r]) * scale[r]
            total = folded(terms, rows)
            if g == 0 or total > best[0, m]:
                best[0, m], kind[m] = total, g
    if columns:
        best_rows(best, np.full(1, axons), kept)
    for m in range(columns):
        terms[m] = best[0, m] if kept[0, m] else 0.0
        for r in range(rows):
            closed = kept[0, m] and _gain(values[r, kind[m]], wanted[r, m]) * scale[r] > 0
            code[r, m] = kind[m] + 1 if closed else 0
    return folded(terms, columns)


@compiled
def _gain(value, target):
    """w² − (w − u)², or 0 where a closed crosspoint would be farther off than an open one."""
    return max(value * (2 * target - value), 0.0)


@compiled
def _refit(wanted, values, code, most):
    rows, columns = wanted.shape
    kind, off, terms = np.zeros(columns, np.int64), np.empty(columns), np.empty(max(rows, columns))
    for m in range(columns):
        for r in range(rows):
            kind[m] = max(kind[m], code[r, m])
            now = values[r, code[r, m] - 1] if code[r, m] else 0
            terms[r] = (wanted[r, m] - now) * (wanted[r, m] - now)
        off[m] = -folded(terms, rows)
    farthest, given = np.argsort(off, kind="mergesort"), 0
    entries, ordered = np.empty(columns), np.empty(columns)
    for g in range(values.shape[1]):
        chosen = np.flatnonzero(kind == g + 1)
        if not len(chosen) and given < columns:
            chosen, given = farthest[given : given + 1], given + 1
        for r in range(rows if len(chosen) else 0):
            for k in range(len(chosen)):
                entries[k] = wanted[r, chosen[k]]
            values[r, g] = _best_value(entries, len(chosen), values[r, g], most, ordered, terms)


@compiled
def _best_value(entries, count, present, most, ordered, terms):
    """The best whole number for some entries; see `crosspoints.best_value`."""
    ordered[:count] = np.sort(entries[:count])
    best, unit = -1.0, 0.0
    for side in range(2):
        total = 0.0
        for k in range(count):
            total += max(-ordered[k] if side else ordered[count - 1 - k], 0.0)
            candidate = min(np.rint(total / (k + 1)), most)
            value = candidate * (2 * total - (k + 1) * candidate)
            if value > best:
                best, unit = value, -candidate if side else candidate
    for k in range(count):
        terms[k] = _gain(present, entries[k])
    return int(unit) if best > folded(terms, count) else present
