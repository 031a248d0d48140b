"""Words that hold one of a few values (masks, levels) as machine code for the CPU: the codes of the tensor form, sooner.

A word gains w² − (w − v)², v the nearest value; the best of a row are those above a threshold found by halving, and where
equal gains are left over, the first of them.
"""

from __future__ import annotations

import numpy as np

from neuro.jit import compiled
from neuro.weights.compiled_counts import largest_of

MANY = 32  # from so many values on a search by halving is sooner than comparing with each
NEARBY = 2.0**-48  # of the middle of two values: how far from it the nearest changes, unless they cancel
BUCKETS = 16  # for each of a row's values: then the nearest one is hardly ever more than a step away


@compiled
def mask_rows(latent, values, names, limits, high, code):
    """Fill code [N, E] (zeros) with the nearest masks of latent [N, E]: rising sums [1 or N, V], names from mask 1 on.

    limits [N, L]: the last one is that of all words; with L = 3 the others are those of places whose high [1 or N, E] is
    false and true.
    """
    width = latent.shape[1]
    size, taken = np.empty(width), np.empty(width, np.bool_)
    for row in range(len(latent)):
        own = row if len(values) > 1 else 0
        for entry in range(width):
            size[entry] = abs(latent[row, entry])
        half = high[row if len(high) > 1 else 0]
        _best_within(size, values[own, 0] / 2, limits[row], half, taken)  # a larger |w| gains more
        for entry in range(width):
            if taken[entry]:
                mask = names[own, _nearest(values[own], size[entry])] + 1
                code[row, entry] = -mask if latent[row, entry] < 0 else mask


@compiled
def nearest_values(target, values, names, value, name):
    """Fill value and name [N, E] with the nearest of rising values [1 or N, V] to each target, nearer to 0 if equal."""
    for row in range(len(target)):
        own = row if len(values) > 1 else 0
        for entry in range(target.shape[1]):
            best = _nearest(values[own], target[row, entry])
            value[row, entry], name[row, entry] = values[own, best], names[own, best]


@compiled
def level_rows(latent, values, names, table, allowed, limits, high, code, weight):
    """Fill code [N, E] with the nearest levels of latent [N, E], −1 for none, and weight [N, E] with what they stand for.

    values, names: rising [1 or N, V]; table [1 or N, V + 1] float32: what codes from −1 on stand for; allowed as in
    `count_rows`; limits and high as in `mask_rows`. A word's gain is w² − (w − value)².
    """
    width, most = latent.shape[1], values.shape[1]
    nearest, gain, taken = np.empty(width, np.int64), np.empty(width), np.empty(width, np.bool_)
    switch, first = np.empty(most + 1), np.empty(BUCKETS * most, np.int64)
    for row in range(len(latent)):
        own = row if len(values) > 1 else 0
        rising = values[own]
        if row == 0 or _differ(rising, values[own - 1]):
            start, scale = _file(rising, switch, first)
        _find_nearest(latent[row], switch, first, start, scale, nearest)
        for entry in range(width):
            value = rising[nearest[entry]]
            gained = value * (2 * np.float64(latent[row, entry]) - value)
            gain[entry] = gained if gained > 0.0 else 0.0
        for entry in range(width if len(allowed) else 0):
            gain[entry] *= allowed[row, entry]
        _best_within(gain, 0.0, limits[row], high[row if len(high) > 1 else 0], taken)
        for entry in range(width):
            name = names[own, nearest[entry]] if taken[entry] else -1
            code[row, entry], weight[row, entry] = name, table[own, name + 1]


@compiled
def _file(values, switch, first):
    """Set what the search for the nearest of V rising values needs: switch [V + 1] and first, one a bucket.

    Value k is the nearest from switch[k] on and below switch[k + 1], to the last bit; first: one of the values that are
    nearest in a bucket. Returns where buckets begin and how many a unit has.
    """
    last = len(values) - 1
    switch[0], switch[last + 1] = -np.inf, np.inf
    for k in range(last):
        switch[k + 1] = _switch(values[k], values[k + 1])
    start, across = values[0], values[last] - values[0]
    scale, place = (len(first) - 1) / across if across > 0 else 0.0, 0
    for bucket in range(len(first)):
        while place < last and (switch[place + 1] - start) * scale < bucket:
            place += 1
        first[bucket] = place
    return start, scale


@compiled
def _switch(lower, upper):
    """The least number that is nearer to the upper of two values, or as near where that is the one to take."""
    if lower == upper:
        return upper
    middle = lower + (upper - lower) / 2
    beside = abs(middle) * NEARBY
    low, high = middle - beside, middle + beside
    if not low > lower or _goes_up(lower, upper, low):
        low = lower
    if not high < upper or not _goes_up(lower, upper, high):
        high = upper
    while True:  # of low it is not true, of high it is
        middle = low + (high - low) / 2
        if not low < middle < high:
            return high
        if _goes_up(lower, upper, middle):
            high = middle
        else:
            low = middle


@compiled
def _differ(one, other):
    different = False
    for k in range(len(one)):
        different |= one[k] != other[k]
    return different


@compiled
def _find_nearest(latent, switch, first, start, scale, nearest):
    """Set which value is nearest to each entry of a row: looked up, and put right where that was not near enough."""
    top, wrong = len(first) - 1.0, False
    for entry in range(len(latent)):
        wanted = np.float64(latent[entry])
        bucket = (wanted - start) * scale
        bucket = bucket if bucket > 0.0 else 0.0
        place = first[np.int64(bucket if bucket < top else top)]
        place += wanted >= switch[place + 1]
        wrong |= (wanted >= switch[place + 1]) | (wanted < switch[place])
        nearest[entry] = place
    for entry in range(len(latent) if wrong else 0):
        wanted, place = np.float64(latent[entry]), nearest[entry]
        while wanted >= switch[place + 1]:
            place += 1
        while wanted < switch[place]:
            place -= 1
        nearest[entry] = place


@compiled
def _goes_up(lower, upper, wanted):
    """Whether the upper of two values is nearer, or as near and nearer to 0."""
    up, down = upper - wanted, wanted - lower
    return up < down or (up == down and abs(upper) < abs(lower))


@compiled
def _nearest(values, wanted):
    right = _first_from(values, wanted)
    upper, lower = min(right, len(values) - 1), max(right - 1, 0)
    return upper if _goes_up(values[lower], values[upper], wanted) else lower


@compiled
def _first_from(values, wanted):
    """Find the first of rising values that is not below the wanted one."""
    if len(values) > MANY:
        return np.searchsorted(values, wanted)
    below = 0
    for j in range(len(values)):
        below += values[j] < wanted
    return below


@compiled
def best_rows(gain, budget, taken):
    """Set in taken [N, E] the `budget` [N] largest positive gains of each row, the first of equal ones."""
    for row in range(len(gain)):
        _best(gain[row], 0.0, budget[row], taken[row])


@compiled
def _best_within(gain, floor, limits, high, taken):
    """Take the largest gains above a floor, so many of each half of the places and in all; the others' are set to 0."""
    for half in range(len(limits) - 1):
        _best(np.where(high == (half == 1), gain, 0.0), floor, limits[half], taken)
        for entry in range(len(gain)):
            if high[entry] == (half == 1) and not taken[entry]:
                gain[entry] = 0.0
    _best(gain, floor, limits[len(limits) - 1], taken)


@compiled
def _best(gain, floor, budget, taken):
    """Take the `budget` largest gains above a floor, by halving the distance of two thresholds."""
    low, high = floor, largest_of(gain)
    total = _more_than(gain, low, taken)
    if total <= budget:
        return
    while total != budget:
        middle = low + (high - low) / 2
        if not low < middle < high:
            break
        total = _more_than(gain, middle, taken)
        if total > budget:
            low = middle
        else:
            high = middle
    if total == budget:
        return
    left = budget - _more_than(gain, high, taken)
    for entry in range(len(gain)):
        if left > 0 and low < gain[entry] <= high:
            taken[entry] = True
            left -= 1


@compiled
def _more_than(gain, threshold, taken):
    total = 0
    for entry in range(len(gain)):
        taken[entry] = gain[entry] > threshold
        total += taken[entry]
    return total
