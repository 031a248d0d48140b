"""Several base weights per current and sign: which words of a row come nearest is a knapsack, no longer convex.

An entry that takes exactly m words gains at best g(m) = max over the multisets of m bases of v · (2|w| − v), v their sum.
The row takes at most S words in all: max Σ g_e(m_e) with Σ m_e <= S. Solved exactly by dynamic programming where entries ·
slots² are few; else by Lagrange's multiplier of the budget, completed greedily, with the distance to the dual bound proven:
for every multiplier λ >= 0, Σ max_m (g_e(m) − λ m) + λ S is no less than the best (Everett 1963, doi
10.1287/opre.11.3.399).
"""

from __future__ import annotations

from functools import cache
from itertools import combinations_with_replacement

import torch

from neuro.weights.latents import fold_sum
from neuro.weights.palette import look_up

SMALL = 2**23  # entries · slots²: up to here the exact way takes milliseconds a row
AT_ONCE = 2**22  # numbers in the table of gains: rows beyond are taken in turn
HALVINGS = 60


def nearest_of_several(
    size: torch.Tensor, group: torch.Tensor, bases: list[torch.Tensor], budget: torch.Tensor, most: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Choose each entry's words: counts [R, E, J] long, J the most bases of a group, and what may be lost [R] float64.

    size [R, E] float64 >= 0, group [R, E] long, bases of each group [1 or R, K] float64, budget [R] long, most = its
    largest. What may be lost is squared distance: 0 where the choice is proven the nearest.
    """
    widest = max(b.shape[1] for b in bases)
    counts = torch.zeros(*size.shape, widest, dtype=torch.int64, device=size.device)
    gap = torch.zeros(len(size), dtype=torch.float64, device=size.device)
    if not most or not size.numel():
        return counts, gap
    entry, size = _contenders(size, group, len(bases), most)
    group = group.gather(1, entry)
    step = max(AT_ONCE // (entry.shape[1] * (most + 1)), 1)
    for first in range(0, len(size), step):
        rows = slice(first, first + step)
        own = [b if len(b) == 1 else b[rows] for b in bases]
        chosen, gap[rows] = _solve(size[rows], group[rows], own, widest, budget[rows])
        counts[rows] = counts[rows].scatter_add_(1, entry[rows, :, None].expand_as(chosen), chosen)
    return counts, gap


def _contenders(size: torch.Tensor, group: torch.Tensor, groups: int, most: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Name the `most` largest entries of each group and their sizes, largest first; of equal bases no smaller is better.

    What fills up a group with fewer entries has the size 0.
    """
    keep = min(most, size.shape[1])
    by_group = [size.masked_fill(group != g, -1.0).sort(dim=1, descending=True, stable=True) for g in range(groups)]
    entry = torch.cat([found.indices[:, :keep] for found in by_group], 1)
    found = torch.cat([found.values[:, :keep] for found in by_group], 1).sort(dim=1, descending=True, stable=True)
    width = min(size.shape[1], entry.shape[1])
    return entry.gather(1, found.indices)[:, :width], found.values[:, :width].clamp(min=0.0)


def _solve(size: torch.Tensor, group: torch.Tensor, bases: list[torch.Tensor], widest: int, budget: torch.Tensor):
    """Choose the words of some rows' contenders [R, E]: counts [R, E, J] and the gap [R]."""
    least = torch.cat([b.amin(1, keepdim=True).expand(len(size), 1) for b in bases], 1).gather(1, group)
    useful = (size / least + 0.5).floor().minimum(budget[:, None].double()).long()  # more words are never nearer
    gains = _gains(size, group, bases, useful)
    if size.shape[1] * int(budget.max()) ** 2 <= SMALL:
        number, gap = _by_programming(gains, useful, budget), torch.zeros_like(size[:, 0])
    else:
        number, gap = _by_multiplier(gains, budget)
    return _multisets(size, group, bases, widest, number), gap


def _gains(size: torch.Tensor, group: torch.Tensor, bases: list[torch.Tensor], useful: torch.Tensor) -> torch.Tensor:
    """Best gain of exactly m words, [R, E, m]; −inf beyond the useful ones."""
    gains = torch.full((*size.shape, int(useful.max()) + 1), -torch.inf, dtype=torch.float64, device=size.device)
    gains[:, :, 0] = 0.0
    for g, own in enumerate(bases):
        for m in range(1, gains.shape[2]):
            value = _nearest_sum(size, own, m)[0]
            here = (group == g) & (m <= useful)
            gains[:, :, m] = torch.where(here, value * (2 * size - value), gains[:, :, m])
    return gains


def _nearest_sum(size: torch.Tensor, bases: torch.Tensor, m: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Find the m words of bases [1 or R, K] whose sum is nearest each size [R, E]: sum, and how many of each [R, E, K]."""
    sets = _sets(bases.shape[1], m).to(size.device)
    sums, order = (bases[:, None] * sets.double()).sum(2).sort(dim=1, stable=True)
    right = torch.searchsorted(sums[0] if len(sums) == 1 else sums, size.contiguous())
    upper, lower = right.clamp(max=sums.shape[1] - 1), (right - 1).clamp_(min=0)
    above, below = look_up(sums, upper), look_up(sums, lower)
    rise = above - size < size - below
    return torch.where(rise, above, below), sets[look_up(order, torch.where(rise, upper, lower))]


@cache
def _sets(bases: int, words: int) -> torch.Tensor:
    """List every multiset of so many words: how many of each base, long [·, bases]."""
    chosen = torch.tensor(list(combinations_with_replacement(range(bases), words))).view(-1, words)
    return torch.nn.functional.one_hot(chosen, bases).sum(1)


def _by_programming(gains: torch.Tensor, useful: torch.Tensor, budget: torch.Tensor) -> torch.Tensor:
    """Choose m [R, E] of greatest summed gain within the budget, exactly: best[s] over the entries so far."""
    rows, entries, _ = gains.shape
    most = int(budget.max())
    best = torch.zeros(rows, most + 1, dtype=torch.float64, device=gains.device)
    taken = torch.zeros(entries, rows, most + 1, dtype=torch.int32, device=gains.device)
    for e, last in enumerate(useful.amax(0).tolist()):
        before = best
        for m in range(1, last + 1):
            other = before[:, : most + 1 - m] + gains[:, e, m, None]
            better = other > best[:, m:]
            best = torch.cat([best[:, :m], torch.where(better, other, best[:, m:])], 1)
            taken[e, :, m:].masked_fill_(better, m)
    left, number = budget.clone(), torch.zeros_like(useful)
    for e in reversed(range(entries)):
        number[:, e] = taken[e].gather(1, left[:, None])[:, 0]
        left -= number[:, e]
    return number


def _by_multiplier(gains: torch.Tensor, budget: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Choose m [R, E] by the multiplier of the budget and greedy completion; the gap to the least dual bound [R]."""
    words = torch.arange(gains.shape[2], device=gains.device, dtype=torch.float64)
    number, bound = _at(gains, words, torch.zeros_like(gains[:, 0, 0]), budget)
    low = torch.zeros_like(bound)
    high = (gains[:, :, 1:] / words[1:]).flatten(1).amax(1).clamp(min=0) if len(words) > 1 else low
    fits = number.sum(1) <= budget
    best = torch.where(fits[:, None], number, 0)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        number, dual = _at(gains, words, middle, budget)
        bound = bound.minimum(dual)
        fit = number.sum(1) <= budget
        best = torch.where((fit & ~fits)[:, None], number, best)
        low, high = torch.where(fit, low, middle), torch.where(fit, middle, high)
    number = _completed(gains, words, best, budget)
    return number, (bound - fold_sum(_taken(gains, number))).clamp(min=0)


def _at(gains: torch.Tensor, words: torch.Tensor, price: torch.Tensor, budget: torch.Tensor):
    """Choose for every entry alone at a price a word [R]; gives m [R, E] and the dual bound [R]."""
    best, number = (gains - price[:, None, None] * words).max(2)
    return number, fold_sum(best) + price * budget


def _completed(gains: torch.Tensor, words: torch.Tensor, number: torch.Tensor, budget: torch.Tensor) -> torch.Tensor:
    """Use the words left over: time and again the change that gains most a word, while one is left that fits."""
    number = number.clone()
    while True:
        room = (budget - number.sum(1))[:, None, None]
        more = words - number[..., None]
        rate = (gains - _taken(gains, number)[..., None]) / more
        rate = rate.masked_fill((more <= 0) | (more > room), -torch.inf).flatten(1)
        best, place = rate.max(1)
        rows = (best > 0).nonzero()[:, 0]
        if not len(rows):
            return number
        number[rows, place[rows] // len(words)] = place[rows] % len(words)


def _taken(gains: torch.Tensor, number: torch.Tensor) -> torch.Tensor:
    return gains.gather(2, number[..., None])[..., 0]


def _multisets(size, group, bases: list[torch.Tensor], widest: int, number: torch.Tensor) -> torch.Tensor:
    """Which bases the words of every entry are: counts [R, E, J]."""
    counts = torch.zeros(*size.shape, widest, dtype=torch.int64, device=size.device)
    for g, own in enumerate(bases):
        for m in range(1, int(number.max()) + 1 if number.numel() else 0):
            here = (group == g) & (number == m)
            if here.any():
                found = _nearest_sum(size, own, m)[1]
                counts[..., : own.shape[1]] = torch.where(here[..., None], found, counts[..., : own.shape[1]])
    return counts
