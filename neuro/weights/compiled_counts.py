"""The counts of a row's best words as machine code for the CPU: the same codes as `neuro.weights.selection`, sooner.

Any threshold that exactly `budget` words exceed proves those words the best, so the search for one may guess as it
likes; only its last count must be exact. Where no threshold separates (equal gains), halving ends between two
neighbouring floats: all words left then gain the same and are taken in the order of the entries.
"""

from __future__ import annotations

import math

import numpy as np

from neuro.jit import compiled, estimated

GUESSES = 24
NEAR = 7 / 8  # of the row before's threshold: most rows' lie above that, which leaves few entries of a wide row
WIDE = 4  # entries a word, from which on a row is wide
BLOCK = 16  # entries of one current that are passed over together
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
    """Fill code [N, M, K, D] and weight [N, M, C, D] (zeros) with the nearest counts of latent [N, M, C, D].

    kinds [2, C]: the type of + and − weights, or −1; bases [1 or N, K] float64; budget [N], most = its largest;
    allowed [N, M · C · D], or of length 0 where everything is.
    """
    rows, columns, currents, lines = latent.shape
    width = columns * currents * lines
    entry, place, unit = np.empty(width, np.int64), np.empty(width, np.int64), np.empty(width)
    size, fall, rate, words = np.empty(width), np.empty(width), np.empty(width), np.empty(width)
    last = 0.0  # the row before's threshold: neurons of a population are alike, and a wrong guess costs time only
    for row in range(rows):
        base, values = bases[row if len(bases) > 1 else 0], latent[row].reshape(-1)
        near = NEAR * last if width >= WIDE * most else last / 2
        for least in (near, last / 2, 0.0):
            count = _worth_a_word(values, base, kinds, lines, least, entry)
            if len(allowed):
                count = _permitted(allowed[row], entry, count)
            for j in range(count):
                value, column, current, line = values[entry[j]], entry[j], 0, 0
                if width > columns:
                    column, current, line = column // (currents * lines), column // lines % currents, column % lines
                kind = kinds[1 if value < 0 else 0, current]
                place[j] = (column * len(base) + kind) * lines + line
                unit[j] = -base[kind] if value < 0 else base[kind]
                size[j] = abs(value) / base[kind]
                step = base[kind] * base[kind]
                fall[j], rate[j] = 2 * step, 0.5 / step
            found = _take(size[:count], fall[:count], rate[:count], least, last, budget[row], most, words[:count])
            if found >= least:
                break
        last = found
        codes, weights = code[row].reshape(-1), weight[row].reshape(-1)
        for j in range(count):
            codes[place[j]] = words[j]
            weights[entry[j]] = words[j] * unit[j]


@compiled
def _permitted(allowed, entry, count):
    kept = 0
    for j in range(count):
        entry[kept] = entry[j]
        kept += allowed[entry[j]]
    return kept


@compiled
def _worth_a_word(values, base, kinds, lines, least, entry):
    """List the entries of a row [M · C · D] whose first word could gain more than `least`; returns how many there are."""
    currents = kinds.shape[1]
    up, down = np.full(currents, np.inf), np.full(currents, -np.inf)
    for current in range(currents):
        for sign in range(2):
            if kinds[sign, current] >= 0:
                b = base[kinds[sign, current]]
                size = (b + least / b * CAREFUL) / 2
                if sign == 0:
                    up[current] = size
                else:
                    down[current] = -size
    high, low = np.float32(up[0] * CAREFUL), np.float32(down[0] * CAREFUL)
    count = e = 0
    while currents == 1 and e + BLOCK <= len(values):
        some = False
        for j in range(BLOCK):
            some |= (values[e + j] >= high) | (values[e + j] <= low)
        if some:
            for j in range(BLOCK):
                entry[count] = e + j
                count += (values[e + j] >= high) | (values[e + j] <= low)
        e += BLOCK
    while currents == 1 and e < len(values):
        entry[count] = e
        count += (values[e] >= up[0]) | (values[e] <= down[0])
        e += 1
    while e < len(values):
        for current in range(currents):
            high, low = up[current], down[current]
            for _ in range(lines):
                entry[count] = e
                count += (values[e] >= high) | (values[e] <= low)
                e += 1
    return count


@compiled
def _take(size, fall, rate, least, likely, budget, most, words):
    """Set how many words each entry takes, the `budget` best that gain, and return a threshold that all of them exceed.

    The entries are those with words above `least`; with fewer than `budget` of these, −1 is returned unless least is 0.
    """
    if budget == 0:
        words[:] = 0
        return least
    total = _count(size, fall, rate, most, least, words)
    if total <= budget:
        return least if total == budget or least == 0 else -1.0
    guess = _guess(size, rate, budget, most, least, likely)
    if guess > least and _count(size, fall, rate, most, guess, words) == budget:
        return guess
    low, high = least, 0.0
    for j in range(len(size)):
        high = max(high, (size[j] - 0.5) * fall[j])
    while True:
        middle = low + (high - low) / 2
        if not low < middle < high:
            break
        total = _count(size, fall, rate, most, middle, words)
        if total == budget:
            return middle
        if total > budget:
            low = middle
        else:
            high = middle
    upper = np.empty_like(words)
    _count(size, fall, rate, most, low, upper)
    left = budget - _count(size, fall, rate, most, high, words)
    for j in range(len(size)):
        more = min(left, int(upper[j] - words[j]))
        words[j] += more
        left -= more
    return low


@compiled
def _count(size, fall, rate, most, threshold, words):
    """Set how many words of each entry gain more than a threshold; returns their sum."""
    for j in range(len(size)):
        number = math.ceil((size[j] - 0.5) - threshold * rate[j])
        number = number if number > 0.0 else 0.0
        number = number if number < most else most
        number += 1.0 if ((size[j] - number) - 0.5) * fall[j] > threshold else 0.0
        number -= 1.0 if ((size[j] - (number - 1.0)) - 0.5) * fall[j] <= threshold else 0.0
        number = number if number > 0.0 else 0.0
        words[j] = number if number < most else most
    if largest_of(size) >= FEW:
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
    low, high, level = least, np.inf, likely
    for _ in range(GUESSES):
        if not low < level < high:
            level = low + (high - low) / 2 if high < np.inf else 2 * low
        total, slope = _estimate(size, rate, most, level)
        if total == budget:
            return level
        if total > budget:
            low = level
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
