"""Sums in the order of `neuro.weights.latents.fold_sum` as machine code for the CPU: the same bits, sooner."""

from __future__ import annotations

import numpy as np

from neuro.jit import compiled


@compiled
def folded(terms, width):
    """Sum the first terms by folding them in half, as `latents.fold_sum` does; they are written over."""
    if width == 0:
        return 0.0
    while width > 1:
        half = width // 2
        last = terms[width - 1]
        for k in range(half):
            terms[k] += terms[half + k]
        if width % 2:
            terms[0] += last
        width = half
    return terms[0]


@compiled
def fold_products(factor, values, out):
    """out[n] = Σ factor[n, m] · values[n, m] in float64."""
    width = factor.shape[1]
    terms = np.empty(width)
    for n in range(len(factor)):
        for m in range(width):
            terms[m] = np.float64(factor[n, m]) * np.float64(values[n, m])
        out[n] = folded(terms, width)
