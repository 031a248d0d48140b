"""Round at random within a budget: every entry right on average, never one word too many.

The fractions of a row lie end to end on a line, and a comb with teeth one apart is laid on it at one random offset: an
entry is taken if a tooth meets it, so with exactly its fraction as probability, and of fractions that sum to f never more
than ⌈f⌉ are taken (systematic sampling: Madow 1949, doi 10.1214/aoms/1177729988). With the offset ½ nothing is random:
the comb rounds so as to keep small what the entries before left over (greedy error feedback). Positions are whole
numbers of 2^-40, so that sums are exact and every device takes the same.
"""

from __future__ import annotations

import torch

from neuro.weights.palette import Palette, look_up

BITS = 40
ONE = 2**BITS
PRECISION = 2.0**-23  # of a float32: what is whole to within it is whole
HALVINGS = 40


def offsets(rows: int, generator: torch.Generator | None, device) -> torch.Tensor:
    """Draw where each row's comb lies, [rows, 1] in units of 2^-40; without a generator ½ everywhere."""
    if generator is None:
        return torch.full((rows, 1), ONE // 2, device=device)
    return torch.randint(ONE, (rows, 1), generator=generator).to(device)


def take(
    share: torch.Tensor, negative: torch.Tensor, offset: torch.Tensor, room: torch.Tensor | None = None, halves=()
) -> torch.Tensor:
    """Take each entry with probability `share` [R, E] in 0..1, at most `room` [R] long of a row; bool [R, E].

    Entries that are not negative lie first, so that each sign's sum is kept as well as the row's. halves: places with
    limits of their own, as `NestedSlots.by_half` gives; they lie one after the other, so that each keeps its limit.
    """
    length = (share * ONE).long()
    start, end = _by_halves(length, negative, halves) if halves else _laid(length, negative, 0)
    if room is not None:
        edge = room[:, None] * ONE
        start, end = start.minimum(edge), end.minimum(edge)
    return ((end + offset) >> BITS) > ((start + offset) >> BITS)


def _laid(length: torch.Tensor, negative: torch.Tensor, begin) -> tuple[torch.Tensor, torch.Tensor]:
    """Lay lengths end to end, those that are not negative first: where each starts and ends."""
    plus = length.masked_fill(negative, 0)
    minus = length - plus
    end = begin + torch.where(negative, plus.sum(1, keepdim=True) + minus.cumsum(1), plus.cumsum(1))
    return end - length, end


def _by_halves(length: torch.Tensor, negative: torch.Tensor, halves) -> tuple[torch.Tensor, torch.Tensor]:
    start, end, begin = torch.zeros_like(length), torch.zeros_like(length), torch.zeros_like(length[:, :1])
    for places, limit in halves:
        here = length.masked_fill(~places, 0)
        edge = begin + limit[:, None] * ONE
        first, last = (point.minimum(edge) for point in _laid(here, negative, begin))
        start, end = torch.where(places, first, start), torch.where(places, last, end)
        begin = (begin + here.sum(1, keepdim=True)).minimum(edge)
    return start, end


def draw_values(
    size: torch.Tensor,
    negative: torch.Tensor,
    palettes: tuple[Palette, Palette],
    budget: torch.Tensor | None,
    generator,
    halves=(),
) -> torch.Tensor:
    """Round sizes [R, E] to one value a word, or none: names [R, E] long, −1 where there is no word.

    palettes: what words of either sign (+, −) can hold, sizes in rising order [1 or R, V], inf behind the last one.
    size lies in the hull: size <= largest of its sign, Σ size / largest <= budget [R]. An entry below the row's threshold
    t stands for t with probability size / t; t is the least with which the words fit, for that leaves the smallest
    variance. A size between two values takes one of them, right on average. halves: places with limits of their own,
    and so thresholds.
    """
    least, largest = (_of_sign([edge(p.values) for p in palettes], negative) for edge in (_first, _last))
    for places, limit in halves:
        least = torch.where(places, _threshold(size.masked_fill(~places, 0.0), least, largest, limit), least)
    level = _threshold(size, least, largest, budget)
    share = settled((size / level).clamp(max=1.0))
    taken = take(share, negative, offsets(len(size), generator, size.device), budget, halves)
    wanted = size.maximum(level)
    lower = [torch.searchsorted(_rows(p.values, size), wanted * (1 + PRECISION), right=True) - 1 for p in palettes]
    lower = [index.clamp_(min=0) for index in lower]
    upper = [(index + 1).clamp_(max=p.values.shape[1] - 1) for index, p in zip(lower, palettes, strict=True)]
    low, high = (
        _of_sign([look_up(p.values, i) for i, p in zip(at, palettes, strict=True)], negative) for at in (lower, upper)
    )
    between = ((wanted - low) / (high - low)).nan_to_num_(0.0).clamp_(0, 1)
    rise = take(settled(between) * taken, negative, offsets(len(size), generator, size.device))
    name = [look_up(p.names, torch.where(rise, up, down)) for down, up, p in zip(lower, upper, palettes, strict=True)]
    return torch.where(taken, torch.where(negative, name[1], name[0]), -1)


def _threshold(size, least, largest, budget) -> torch.Tensor:
    """Find each entry's t: the row's, but within the values of the entry's sign; [R, E]."""
    level = least.clone()
    if budget is None:
        return level
    over = ((size / least).clamp_(max=1.0).sum(1) > budget).nonzero()[:, 0]
    size, least, largest, budget = size[over], least[over], largest[over], budget[over, None]
    high = largest.masked_fill(largest.isinf(), 0.0).amax(1, keepdim=True)
    low = torch.zeros_like(high)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        t = torch.minimum(torch.maximum(middle, least), largest)
        fits = (size / t).clamp_(max=1.0).sum(1, keepdim=True) <= budget
        low, high = torch.where(fits, low, middle), torch.where(fits, middle, high)
    level[over] = torch.minimum(torch.maximum(high, least), largest)
    return level


def settled(values: torch.Tensor) -> torch.Tensor:
    """Put values that are whole to within a float32's precision on the whole number."""
    whole = values.round()
    return torch.where((values - whole).abs() <= values * PRECISION, whole, values)


def _of_sign(pair, negative: torch.Tensor) -> torch.Tensor:
    return torch.where(negative, pair[1].expand_as(negative), pair[0].expand_as(negative))


def _first(values: torch.Tensor) -> torch.Tensor:
    return values[:, :1]


def _last(values: torch.Tensor) -> torch.Tensor:
    """The largest finite value of each row, inf where there is none."""
    return (
        torch.where(values.isfinite(), values, 0.0).amax(1, keepdim=True).masked_fill(values[:, :1].isinf(), torch.inf)
    )


def _rows(values: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    return values[0] if len(values) == 1 else values.contiguous()
