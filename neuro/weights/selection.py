"""Take the S best positive gains of a row, exactly, with ties in the order of the entries.

Entries are a row's places in the order column, current, line. `best_entries` serves kinds with one word an entry,
`best_words` counts: word m + 1 of an entry gains step · (2 · (size − m) − 1), with size = |w| / b and step = b².
All gains are float64 and compared as they are, so every device and every number of threads agrees.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from neuro.weights.latents import is_compiled_for

# Below this size the closed form for the number of words errs by less than one, so that one correction is exact.
CLOSED_FORM = 2.0**44
SLACK = 8


def best_entries(gain: torch.Tensor, budget: torch.Tensor, most: int) -> torch.Tensor:
    """Take the `budget` largest positive gains of each row.

    gain [R, E] float64, budget [R] long, most = the largest budget; returns bool [R, E].
    """
    if is_compiled_for(gain):
        from neuro.weights.compiled_values import best_rows

        taken = torch.empty(gain.shape, dtype=torch.bool)
        best_rows(gain.numpy(), budget.numpy(), taken.numpy())
        return taken
    most = min(most, gain.shape[1])
    if most == 0:
        return torch.zeros_like(gain, dtype=torch.bool)
    best = gain.topk(most, dim=1).values
    last = (budget.clamp(max=most) - 1)[:, None]
    threshold = best.gather(1, last.clamp(min=0)).clamp_(min=0)
    threshold.masked_fill_(last < 0, torch.inf)
    taken = gain > threshold
    tied = (gain == threshold) & (threshold > 0)
    room = budget - taken.sum(1)
    crowded = (tied.sum(1) > room).nonzero()[:, 0]
    if len(crowded):
        ties = tied[crowded]
        tied[crowded] = ties & (ties.cumsum(1) <= room[crowded, None])
    return taken | tied


def within_halves(gain: torch.Tensor, halves, most: int) -> torch.Tensor:
    """Set gains [R, E] to 0 but for the largest of each half, as many as its limit; halves as `NestedSlots.by_half`."""
    for places, limit in halves:
        own = gain.masked_fill(~places, 0.0)
        gain = gain.masked_fill(places & ~best_entries(own, limit, most), 0.0)
    return gain


def best_words(size: torch.Tensor, step: torch.Tensor, budget: torch.Tensor, most: int):
    """Take the `budget` best words of each row (design: exact projection, counts).

    size [R, E] and step [R, E] float64, budget [R] long, most = the largest budget; returns entry numbers
    [R, e], ascending in each row, and how many words each takes [R, e] float64; other entries take none.
    """
    entry = contenders((2 * size).sub_(1).mul_(step), most)
    step = step.gather(1, entry)
    size = size.gather(1, entry).masked_fill_((budget == 0)[:, None], 0.0)
    huge = bool(size.numel() and size.max() >= CLOSED_FORM)
    return entry, _fitting(_Words(size, 2 * step, 0.5 / step, most, huge), budget)


def contenders(key: torch.Tensor, most: int) -> torch.Tensor:
    """Name the `most` entries of largest key, the first of equal ones, or all where they are hardly more.

    key [R, E] with no word worth taking at or below 0; returns entry numbers, ascending in each row [R, e].
    """
    if not 0 < most < key.shape[1] - SLACK:
        return torch.arange(key.shape[1], device=key.device).expand(key.shape)
    chosen = key >= key.topk(most, dim=1, sorted=False).values.amin(1, keepdim=True)
    if int(chosen.count_nonzero()) == most * len(key):  # no row has equal keys at its end
        return chosen.nonzero(as_tuple=True)[1].view(len(key), most)
    best, entry = key.topk(most + 1, dim=1)
    entry = entry[:, :most]
    unclear = ((best[:, most - 1] == best[:, most]) & (best[:, most] > 0)).nonzero()[:, 0]
    if len(unclear):
        first = best_entries(key[unclear], torch.full_like(unclear, most), most)
        entry[unclear] = first.nonzero()[:, 1].view(-1, most)
    return entry.sort(1).values


@dataclass(frozen=True)
class _Words:
    """The words some rows could take: `most` words an entry, of falling gain."""

    size: torch.Tensor
    fall: torch.Tensor  # how much less each further word gains, 2 · step
    rate: torch.Tensor  # its inverse
    most: int
    huge: bool

    def rows(self, rows: torch.Tensor) -> _Words:
        return _Words(self.size[rows], self.fall[rows], self.rate[rows], self.most, self.huge)

    def gain(self, number: torch.Tensor) -> torch.Tensor:
        """Return the gain of word `number` + 1 of each entry; halving and doubling lose no bit."""
        return (self.size - number).sub_(0.5).mul_(self.fall)

    def above(self, threshold: torch.Tensor) -> torch.Tensor:
        """Count the words of each entry whose gain exceeds a threshold [..., R, 1], as float64 [..., R, E]."""
        if self.huge:
            return self._above_by_halving(threshold)
        count = (self.size - 0.5).addcmul(threshold, self.rate, value=-1).ceil_().clamp_(0, self.most)
        count += self.gain(count) > threshold
        count -= (self.gain(count - 1) <= threshold).to(count.dtype)
        return count.clamp_(0, self.most)

    def _above_by_halving(self, threshold: torch.Tensor) -> torch.Tensor:
        low = torch.zeros(torch.broadcast_shapes(self.size.shape, threshold.shape)).to(self.size)
        high = torch.full_like(low, self.most)
        for _ in range(self.most.bit_length()):
            middle = ((low + high) / 2).floor_()
            more = (self.gain(middle) > threshold) & (low < high)
            low = torch.where(more, middle + 1, low)
            high = torch.where(more, high, middle)
        return low


def _fitting(words: _Words, budget: torch.Tensor) -> torch.Tensor:
    """Take every word that gains, or in rows where that is too many the best `budget` words."""
    count = words.above(torch.zeros_like(words.size[:, :1]))
    over = (count.sum(1) > budget).nonzero()[:, 0]
    if 0 < len(over) == len(count):
        return _best(words, budget)
    if len(over):
        count[over] = _best(words.rows(over), budget[over])
    return count


def _best(words: _Words, budget: torch.Tensor) -> torch.Tensor:
    """Take exactly `budget` words a row, in rows where more than that gain."""
    perhaps, surely = _bracket(words, budget)
    unsure = perhaps - surely
    room = budget - surely.sum(1).long()
    count = surely + best_entries(words.gain(surely).masked_fill_(unsure == 0, 0.0), room, int(room.max()))
    tied = (unsure.amax(1) > 1).nonzero()[:, 0]
    if len(tied):
        left = room[tied, None] - (unsure[tied].cumsum(1) - unsure[tied])
        count[tied] = surely[tied] + left.clamp(min=0).minimum(unsure[tied])
    return count


def _bracket(words: _Words, budget: torch.Tensor) -> torch.Tensor:
    """Count words above two thresholds: [0] the budget or more, [1] fewer. [2, R, E]

    Halve the distance of the thresholds until every row may take all words of [0], or is unsure of at most one word
    an entry, or has no float between its thresholds: then all the words it is unsure of gain the same.
    """
    bounds, counts = _start(words, budget)
    rows = torch.arange(len(budget), device=budget.device)
    while True:
        low, high = bounds[:, rows]
        middle = low + (high - low) / 2
        perhaps, surely = counts[:, rows]
        wide = ((perhaps - surely).amax(1) > 1) & (perhaps.sum(1) > budget[rows])
        wide &= ((low < middle) & (middle < high))[:, 0]
        rows, middle = rows[wide], middle[wide]
        if not len(rows):
            return counts
        count = words.rows(rows).above(middle)
        side = (count.sum(1) < budget[rows]).long()
        bounds[side, rows], counts[side, rows] = middle, count


def _start(words: _Words, budget: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Bracket every row's threshold: bounds [2, R, 1] and the words above them [2, R, E], as `_bracket` wants them."""
    bounds = _water_levels(words, budget)
    counts = words.above(bounds)
    dry = (counts[0].sum(1) < budget).nonzero()[:, 0]
    if len(dry):
        bounds[0, dry] = 0.0
        counts[0, dry] = words.rows(dry).above(bounds[0, dry])
    while len(wet := (counts[1].sum(1) >= budget).nonzero()[:, 0]):
        bounds[1, wet] = 2 * bounds[1, wet] + words.fall[wet].amax(1, keepdim=True)
        counts[1, wet] = words.rows(wet).above(bounds[1, wet])
    return bounds, counts


def _water_levels(words: _Words, budget: torch.Tensor) -> torch.Tensor:
    """Estimate (Newton, from below) where words would fill the budget, were they divisible and rounded down or up."""
    share = torch.stack([words.size - 0.5, words.size + 0.5])
    level = torch.zeros_like(share[:, :, :1])
    for _ in range(6):
        wet = (share > level * words.rate).to(share.dtype)
        surplus = (share * wet).sum(2, keepdim=True) - budget[:, None]
        level = level.maximum(surplus / (words.rate * wet).sum(2, keepdim=True).clamp_(min=1e-300))
    return level * (1 + level.new_tensor([-(2.0**-40), 2.0**-40]))[:, None, None]
