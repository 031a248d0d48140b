"""Words that hold one of a few values (masks, levels) as machine code for the CPU: the codes of the tensor form, sooner.

A word gains w² − (w − v)², v the nearest value; the best of a row are those above a threshold found by halving, and where
equal gains are left over, the first of them.
"""

from __future__ import annotations

import numpy as np

from neuro.jit import compiled
from neuro.weights.compiled_counts import largest_of

MANY = 32  # from so many values on a search by halving is sooner than comparing with each
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
    edges, first = np.empty(most), np.empty(BUCKETS * most, np.int64)
    for row in range(len(latent)):
        own = row if len(values) > 1 else 0
        rising = values[own]
        if row == 0 or own > 0:
            start, scale = _file(rising, edges, first)
        for entry in range(width):
            wanted = np.float64(latent[row, entry])
            bucket = min(max((wanted - start) * scale, 0.0), len(first) - 1.0)
            place = _settled(rising, edges, wanted, first[int(bucket)])
            value = rising[place]
            nearest[entry], gain[entry] = place, max(value * (2 * wanted - value), 0.0)
        for entry in range(width if len(allowed) else 0):
            gain[entry] *= allowed[row, entry]
        _best_within(gain, 0.0, limits[row], high[row if len(high) > 1 else 0], taken)
        for entry in range(width):
            name = names[own, nearest[entry]] if taken[entry] else -1
            code[row, entry], weight[row, entry] = name, table[own, name + 1]


@compiled
def _file(values, edges, first):
    """Write where each of rising values gives way to the next, and the first value of each bucket of such edges.

    Returns where buckets begin and how many a unit has. All of it only says where to look: `_settled` finds the nearest
    from anywhere.
    """
    last = len(values) - 1
    for k in range(last):
        edges[k] = values[k] + (values[k + 1] - values[k]) / 2
    edges[last] = np.inf
    start, across = values[0], values[last] - values[0]
    scale, place = (len(first) - 1) / across if across > 0 else 0.0, 0
    for bucket in range(len(first)):
        while place < last and (edges[place] - start) * scale < bucket:
            place += 1
        first[bucket] = place
    return start, scale


@compiled
def _settled(values, edges, wanted, place):
    """Find the nearest of rising values, nearer to 0 if equal, beginning at any place."""
    while edges[place] < wanted:
        place += 1
    while place > 0 and edges[place - 1] >= wanted:
        place -= 1
    while place + 1 < len(values) and _goes_up(values[place], values[place + 1], wanted):
        place += 1
    while place > 0 and not _goes_up(values[place - 1], values[place], wanted):
        place -= 1
    return place


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
