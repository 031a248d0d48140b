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
def fold_counts(grad, code, currents, out):
    """out[n, k] = Σ code[n, m, k, d] · grad[n, m, currents[k], d] in float64; code [N, M, K, D], grad [N, M, C, D]."""
    columns, kinds, lines = code.shape[1:]
    width, across = columns * lines, grad.shape[2]
    terms = np.empty(width)
    for n in range(len(code)):
        codes, grads = code[n].reshape(-1), grad[n].reshape(-1)
        for k in range(kinds):
            if lines == 1:  # as what follows, without its divisions
                for m in range(columns):
                    terms[m] = np.float64(codes[m * kinds + k]) * np.float64(grads[m * across + currents[k]])
            else:
                for place in range(width):
                    m, d = place // lines, place % lines
                    here = (m * kinds + k) * lines + d, (m * across + currents[k]) * lines + d
                    terms[place] = np.float64(codes[here[0]]) * np.float64(grads[here[1]])
            out[n, k] = folded(terms, width)


@compiled
def fold_coded(grad, code, table, first, out):
    """out[n, k] = Σ table[k, code[n, m] − first] · grad[n, m] in float64."""
    width = code.shape[1]
    terms = np.empty(width)
    for n in range(len(code)):
        for k in range(len(table)):
            for m in range(width):
                terms[m] = table[k, code[n, m] - first] * np.float64(grad[n, m])
            out[n, k] = folded(terms, width)
