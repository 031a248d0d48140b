"""Real counts over several bases: as many large words as go into a weight, the rest in the next smaller ones.

Source: Petschenig & Legenstein 2023, doi 10.1088/2634-4386/accd8f: C_1 = ⌊R / b_1⌋, C_2 = (R mod b_1) / b_2.
"""

from __future__ import annotations

import numpy as np
import torch

from neuro.weights.drawing import offsets, settled, take
from neuro.weights.latents import fold_sum


def real_words(size: torch.Tensor, units: torch.Tensor) -> torch.Tensor:
    """Return real counts [..., J] of sizes [...] over falling units [..., J], inf where none is; the last has the rest."""
    counts, rest = torch.zeros_like(units), size.clone()
    for j in range(units.shape[-1]):
        words = settled(rest / units[..., j])
        is_last = _is_last(units, j)
        counts[..., j] = torch.where(is_last, words, words.floor())
        rest = (rest - counts[..., j] * units[..., j].masked_fill(units[..., j].isinf(), 0.0)).masked_fill(is_last, 0.0)
        rest.clamp_(min=0)
    return counts


def draw_split(size: torch.Tensor, units: torch.Tensor, negative: torch.Tensor, budget: torch.Tensor, generator):
    """Round sizes [R, E] with Σ size / largest unit <= budget [R] to whole counts [R, E, J] with Σ <= budget.

    Right on average. Every entry is whole words of the larger units and a fraction of the next; as long as the budget
    allows, those with the smallest rest, which gain most, go on to smaller units.
    """
    real = torch.zeros_like(units)
    real[..., 0] = settled(size / units[..., 0])
    level = torch.zeros_like(negative, dtype=torch.int64)
    for j in range(1, units.shape[-1]):
        spare = budget - fold_sum(real.sum(2))
        larger, smaller = units[..., j - 1], units[..., j]
        whole = real[..., j - 1].floor()
        rest = (real[..., j - 1] - whole) * larger
        finer = settled((rest / smaller).nan_to_num(0.0))
        extra = (finer - (real[..., j - 1] - whole)).masked_fill((level != j - 1) | smaller.isinf(), torch.inf)
        order = rest.masked_fill(extra.isinf(), torch.inf).argsort(dim=1, stable=True)
        pays = extra.gather(1, order).clamp(min=0).cumsum(1) <= spare[:, None]
        goes = torch.zeros_like(negative).scatter(1, order, pays)
        real[..., j] = torch.where(goes, finer, real[..., j])
        real[..., j - 1] = torch.where(goes, whole, real[..., j - 1])
        level = torch.where(goes, j, level)
    whole = real.floor()
    fraction = (real - whole).gather(2, level[..., None])[..., 0]
    room = (budget - whole.sum((1, 2)).long()).clamp(min=0)
    more = take(fraction, negative, offsets(len(size), generator, size.device), room)
    return whole.long().scatter_add_(2, level[..., None], more[..., None].long())


def larger_base(size: torch.Tensor, small: float) -> float:
    """Fit the larger of two bases to first weights |W| [R, E] by Nelder and Mead's method, from small to the largest |W|.

    Lowers ½ · median |W_q − W| + ½ · mean over rows of words with both bases / words with the small one alone.
    """
    from scipy.optimize import minimize  # a tenth of a second: for those who fit

    sizes = size.double().cpu().numpy()
    highest = float(sizes.max(initial=0.0))
    alone = np.round(sizes / small).sum(1)
    if highest <= small or not alone.any():
        return small

    def cost(base) -> float:
        many = np.floor(sizes / base[0])
        few = np.round((sizes - many * base[0]) / small)
        off = np.abs(many * base[0] + few * small - sizes)[sizes > 0]
        words = (many + few).sum(1)[alone > 0] / alone[alone > 0]
        return 0.5 * float(np.median(off)) + 0.5 * float(words.mean())

    start = (small * highest) ** 0.5
    return float(minimize(cost, [start], method="Nelder-Mead", bounds=[(small, highest)]).x[0])


def _is_last(units: torch.Tensor, j: int) -> torch.Tensor:
    if j + 1 == units.shape[-1]:
        return torch.ones_like(units[..., j], dtype=torch.bool)
    return units[..., j + 1].isinf()
