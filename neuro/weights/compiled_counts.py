"""The counts of a row's best words as machine code for the CPU: the same codes as `neuro.weights.selection`, sooner.

Any threshold that exactly `budget` words exceed proves those words the best, so the search for one may guess as it
likes; only its last count must be exact. Where no threshold separates (equal gains), halving ends between two
neighbouring floats: all words left then gain the same and are taken in the order of the entries.
"""

from __future__ import annotations

import math

import numpy as np

from neuro.jit import compiled, estimated
from neuro.jit.bits import BITS, list_beyond
from neuro.jit.vector import CHAINS

GUESSES = 24
NEAR = 7 / 8  # of the row before's threshold: most rows' lie above that, which leaves few entries of a wide row
WIDE = 4  # entries a word, from which on a row is wide
CAREFUL = 1 - 2.0**-20  # keeps what rounding might otherwise leave out
FEW = 2.0**44  # sizes below it: the closed form for the number of words errs by less than one


@compiled
def all_within(values, largest):
    """Whether no value is farther from 0 than the largest allowed; NaN is."""
    beyond = False
    for k in range(len(values)):
        beyond |= not abs(values[k]) <= largest
    return not beyond


@compiled
def count_rows(kinds, most, latent, bases, budget, code, weight, allowed):
    """Fill code [N, M, K, D] and weight [N, M, C, D] with the nearest counts of latent [N, M, C, D].

    kinds [2, C]: the type of + and − weights, or −1; bases [1 or N, K] float64; budget [N], most = its largest;
    allowed [N, M · C · D], or of length 0 where everything is.
    """
    rows, columns, currents, lines = latent.shape
    width = columns * currents * lines
    entry, kind, limits = np.empty(width + CHAINS, np.int32), np.empty(width, np.int64), np.empty((2, currents))
    size, fall, rate, words = np.empty(width), np.empty(width), np.empty(width), np.empty(width)
    outer = np.empty(2, latent.dtype)
    last = 0.0  # the row before's threshold: neurons of a population are alike, and a wrong guess costs time only
    for row in range(rows):
        base, values = bases[row if len(bases) > 1 else 0], latent[row].reshape(-1)
        near = last if width >= WIDE * most else 0.0
        for least in (NEAR * near, near / 2, 0.0):
            _first_words(base, kinds, least, limits, outer)
            count = _beyond(values, lines, limits, outer, entry)
            if len(allowed):
                count = _permitted(allowed[row], entry, count)
            _name_kinds(values, entry[:count], kinds, lines, kind)
            for j in range(count):
                unit = base[kind[j]]
                size[j], step = abs(values[entry[j]]) / unit, unit * unit
                fall[j], rate[j] = 2 * step, 0.5 / step
            found = _take(size[:count], fall[:count], rate[:count], least, last, budget[row], most, words[:count])
            if found >= least:
                break
        last = found
        codes, weights = code[row].reshape(-1), weight[row].reshape(-1)
        codes[:], weights[:] = 0, 0
        for j in range(count):
            place, worth = entry[j], words[j] * base[kind[j]]
            weights[place] = -worth if values[place] < 0 else worth
            column, line = (place, 0) if width == columns else (place // (currents * lines), place % lines)
            codes[(column * len(base) + kind[j]) * lines + line] = words[j]


@compiled
def _first_words(base, kinds, least, limits, outer):
    """Set which values gain more than `least` by their first word, a little less: <= limits [0], >= limits [1], by current.

    outer [2]: the same of any current.
    """
    low, high = -np.inf, np.inf
    for current in range(kinds.shape[1]):
        limits[0, current], limits[1, current] = -np.inf, np.inf
        for sign in range(2):
            if kinds[sign, current] >= 0:
                b = base[kinds[sign, current]]
                size = (b + least / b * CAREFUL) / 2
                limits[1 - sign, current] = -size if sign else size
        low, high = max(low, limits[0, current]), min(high, limits[1, current])
    outer[0], outer[1] = low * CAREFUL, high * CAREFUL  # of bases far above the least float32: none is rounded to 0


@compiled
def _beyond(values, lines, limits, outer, entry):
    """List the entries of a row [M · C · D] that limits name; returns how many there are."""
    whole, currents = len(values) // BITS * BITS, limits.shape[1]
    count = list_beyond(entry, values, outer, whole)
    for e in range(whole, len(values)):
        entry[count] = e
        count += (values[e] >= outer[1]) | (values[e] <= outer[0])
    if currents == 1:
        return count
    kept = 0
    for j in range(count):
        place = entry[j]
        current = place // lines % currents
        entry[kept] = place
        kept += (values[place] >= limits[1, current]) | (values[place] <= limits[0, current])
    return kept


@compiled
def _permitted(allowed, entry, count):
    kept = 0
    for j in range(count):
        entry[kept] = entry[j]
        kept += allowed[entry[j]]
    return kept


@compiled
def _name_kinds(values, entry, kinds, lines, kind):
    """Set which type serves each entry."""
    currents = kinds.shape[1]
    plus, minus = kinds[0, 0], kinds[1, 0]
    for j in range(len(entry) if currents == 1 else 0):
        kind[j] = minus if values[entry[j]] < 0 else plus
    for j in range(len(entry) if currents > 1 else 0):
        kind[j] = kinds[1 if values[entry[j]] < 0 else 0, entry[j] // lines % currents]


@compiled
def _take(size, fall, rate, least, likely, budget, most, words):
    """Set how many words each entry takes, the `budget` best that gain, and return a threshold that all of them exceed.

    The entries are those with words above `least`; with fewer than `budget` of these, −1 is returned unless least is 0.
    """
    if budget == 0:
        words[:] = 0
        return least
    huge = largest_of(size) >= FEW
    guess = _guess(size, rate, budget, most, least, likely)
    if guess > least and _count(size, fall, rate, most, huge, guess, words) == budget:
        return guess
    total = _count(size, fall, rate, most, huge, least, words)
    if total <= budget:
        return least if total == budget or least == 0 else -1.0
    low, high = least, 0.0
    for j in range(len(size)):
        high = max(high, (size[j] - 0.5) * fall[j])
    while True:
        middle = low + (high - low) / 2
        if not low < middle < high:
            break
        total = _count(size, fall, rate, most, huge, middle, words)
        if total == budget:
            return middle
        if total > budget:
            low = middle
        else:
            high = middle
    upper = np.empty_like(words)
    _count(size, fall, rate, most, huge, low, upper)
    left = budget - _count(size, fall, rate, most, huge, high, words)
    for j in range(len(size)):
        more = min(left, int(upper[j] - words[j]))
        words[j] += more
        left -= more
    return low


@compiled
def _count(size, fall, rate, most, huge, threshold, words):
    """Set how many words of each entry gain more than a threshold; returns their sum. huge: whether any size is."""
    for j in range(len(size)):
        number = math.ceil((size[j] - 0.5) - threshold * rate[j])
        number = number if number > 0.0 else 0.0
        number = number if number < most else most
        number += 1.0 if ((size[j] - number) - 0.5) * fall[j] > threshold else 0.0
        number -= 1.0 if ((size[j] - (number - 1.0)) - 0.5) * fall[j] <= threshold else 0.0
        number = number if number > 0.0 else 0.0
        words[j] = number if number < most else most
    if huge:
        for j in range(len(size)):
            words[j] = _above_by_halving(size[j], fall[j], most, threshold)
    return _sum(words)


@estimated
def _sum(words):
    total = 0.0
    for j in range(len(words)):
        total += words[j]
    return total


@estimated
def largest_of(size):
    largest = 0.0
    for j in range(len(size)):
        largest = size[j] if size[j] > largest else largest
    return largest


@compiled
def _above_by_halving(size, fall, most, threshold):
    low, high = 0, most
    while low < high:
        middle = (low + high) // 2
        if ((size - middle) - 0.5) * fall > threshold:
            low = middle + 1
        else:
            high = middle
    return float(low)


@compiled
def _guess(size, rate, budget, most, least, likely):
    """Look for a threshold above `least` that `budget` words exceed (Newton within a bracket); 0 where none was met."""
    low, high, level, seen = least, np.inf, likely, False
    for _ in range(GUESSES):
        if level <= low and not seen:
            level = low
        elif not low < level < high:
            level = low + (high - low) / 2 if high < np.inf else 2 * low
        total, slope = _estimate(size, rate, most, level)
        if total == budget:
            return level
        if total > budget:
            low, seen = level, True
        elif level == least:
            return 0.0
        else:
            high = level
        level += (total - budget) / slope
    return 0.0


@estimated
def _estimate(size, rate, most, level):
    total = slope = 0.0
    for j in range(len(size)):
        words = math.ceil((size[j] - 0.5) - level * rate[j])
        words = words if words > 0.0 else 0.0
        total += words if words < most else most
        slope += rate[j] if words > 0.0 else 0.0
    return total, slope if slope > 1e-300 else 1e-300
