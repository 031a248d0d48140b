"""Slow and obvious ways to find what the schemes must find: Python numbers, every word, every point."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import torch


def base_table(bases, rows):
    return np.broadcast_to(np.asarray(bases, dtype=np.float64), (rows, np.shape(bases)[-1]))


def limits(slots, rows):
    return [int(slots)] * rows if not torch.is_tensor(slots) else slots.tolist()


def full_mask(allowed, shape):
    if allowed is None:
        return np.ones(shape, dtype=bool)
    mask = allowed.numpy()
    return np.broadcast_to(mask.reshape(mask.shape + (1,) * (len(shape) - mask.ndim)), shape)


def greedy_counts(latent, bases, signs, slots, currents=None, allowed=None):
    """Take words one by one in the order of falling gain, then column, current, line; floats as the design says."""
    currents = currents or [0] * len(signs)
    w = latent.double().numpy()
    w = w.reshape(*w.shape, *(1,) * (4 - w.ndim))
    mask = full_mask(allowed, latent.shape).reshape(w.shape)
    table, limit = base_table(bases, len(w)), limits(slots, len(w))
    code = np.zeros((*w.shape[:2], len(signs), w.shape[3]), dtype=np.int64)
    for row in range(len(w)):
        words = []
        for place in np.ndindex(w.shape[1:]):
            value = float(w[row][place])
            kinds = [k for k, (s, c) in enumerate(zip(signs, currents, strict=True)) if c == place[1] and s * value > 0]
            if not kinds or not mask[row][place]:
                continue
            base = float(table[row, kinds[0]])
            for m in range(limit[row]):
                gain = base * base * (2 * (abs(value) / base - m) - 1)
                if gain <= 0:
                    break
                words.append((-gain, place, m, kinds[0]))
        for _, (column, _, line), _, kind in sorted(words)[: limit[row]]:
            code[row, column, kind, line] += 1
    return code if latent.dim() == 4 else code[..., 0]


def ball_points(entries, budget):
    """List every integer point with Σ |n| <= budget."""
    if entries == 0:
        return [()]
    return [
        (n, *rest)
        for n in range(-budget, budget + 1)
        for rest in ball_points(entries - 1, budget - abs(n))
    ]  # fmt: skip


def nearest_value(values, target):
    """Return (value, name) of the nearest value; at equal distance nearer to 0, then the smaller name. All exact."""
    return min(
        ((Fraction(float(v)), name) for v, name in values),
        key=lambda pair: (abs(Fraction(float(target)) - pair[0]), abs(pair[0]), pair[1]),
    )


def single_gain(value, target):
    return Fraction(float(target)) ** 2 - (Fraction(float(target)) - value) ** 2


def greedy_single(gains, budget):
    """Name the places of the `budget` largest positive gains, in the order given on ties."""
    order = sorted((-gain, place) for place, gain in enumerate(gains) if gain > 0)
    return {place for _, place in order[:budget]}


def squared_distance(weight, latent):
    difference = weight.double() - latent.double()
    return difference.square().flatten(1).sum(1).numpy()


def word_points(values, entries, budget):
    """List every choice of at most `budget` entries, each with one of the values."""
    return [p for p in itertools.product([0.0, *values], repeat=entries) if sum(v != 0 for v in p) <= budget]
