"""The loops of the encoders as machine code: each writes ones into zeros [T, B, channels], only where an event is.

They call one another within this file alone, so that the date of the file tells numba whether its machine code is old.
"""

from __future__ import annotations

import numpy as np

from neuro.jit import compiled

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
FIRST, SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
S30, S27, S31, S40 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(40)
ONE, UNIT = np.uint64(1), np.float32(2**-24)


@compiled
def mix(z):
    """Scramble 64 bits (SplitMix64, Steele et al. 2014)."""
    z = (z ^ (z >> S30)) * FIRST
    z = (z ^ (z >> S27)) * SECOND
    return z ^ (z >> S31)


@compiled
def uniform(seed, sample, counter):
    """A number in 0..1 of 24 bits that depends on seed, sample and counter only."""
    start = mix(seed * GOLDEN + sample)
    return np.float32(mix(start + (counter + ONE) * GOLDEN) >> S40) * UNIT


@compiled
def rate(out, chance, ids, seed, steps):
    """Write a spike with probability chance [B, n] in each step."""
    n = chance.shape[1]
    for b in range(chance.shape[0]):
        for c in range(n):
            p = chance[b, c]
            if p > 0:
                for t in range(steps):
                    if uniform(seed, ids[b], np.uint64(t * n + c)) < p:
                        out[t, b, c] = 1


@compiled
def evenly(out, density, ids, seed, rows, hold):
    """Write evenly spaced spikes, density [B, n] a step with a random phase, each of `rows` parts `hold` steps long."""
    width = density.shape[1] // rows
    for b in range(density.shape[0]):
        for i in range(density.shape[1]):
            r = np.float64(density[b, i])
            if r > 0:
                phase = np.float64(uniform(seed, ids[b], np.uint64(i)))
                row, channel = i // width, i % width
                before = np.floor(phase)
                for k in range(hold):
                    after = np.floor((k + 1) * r + phase)
                    if after > before:
                        out[row * hold + k, b, channel] = 1
                    before = after


@compiled
def crossing(out, level, hold, thresholds):
    """Write an event for each threshold between a point and the next; level [B, P, S]: thresholds below the point."""
    for b in range(level.shape[0]):
        for p in range(1, level.shape[1]):
            for s in range(level.shape[2]):
                was, now = level[b, p - 1, s], level[b, p, s]
                for k in range(was, now):
                    out[p * hold, b, 2 * (s * thresholds + k)] = 1
                for k in range(now, was):
                    out[p * hold, b, 2 * (s * thresholds + k) + 1] = 1


@compiled
def delta(out, x, hold, far):
    """Write up where a signal [B, P, S] is `far` or more above what events told so far, down where below."""
    for b in range(x.shape[0]):
        for s in range(x.shape[2]):
            told = np.float64(x[b, 0, s])
            for t in range(x.shape[1] * hold):
                away = np.float64(x[b, t // hold, s]) - told
                if away >= far:
                    out[t, b, 2 * s] = 1
                    told += far
                elif away <= -far:
                    out[t, b, 2 * s + 1] = 1
                    told -= far


@compiled
def sigma_delta(out, x, ids, seed, hold, most, signs):
    """Write a spike each time the integral of a signal's part [B, P, S] passes a whole number, from a random phase."""
    for b in range(x.shape[0]):
        for s in range(x.shape[2]):
            for sign in range(signs):
                total = np.float64(uniform(seed, ids[b], np.uint64(signs * s + sign)))
                for t in range(x.shape[1] * hold):
                    value = np.float64(x[b, t // hold, s])
                    total += most * max(-value if sign else value, 0.0)
                    if total >= 1:
                        out[t, b, signs * s + sign] = 1
                        total -= 1


@compiled
def binned(out, events, start, bin_us, pool, steps):
    """Write one event where a list (microsecond, channel) has any in a step; what comes later is left out."""
    for b in range(len(start) - 1):
        for i in range(start[b], start[b + 1]):
            t = int(events[i, 0] // bin_us)
            if t < steps:
                out[t, b, events[i, 1] // pool] = 1


@compiled
def moved(out, pictures, ids, seed, shift, turn, zoom, mirror):
    """Write pictures [B, side, side] turned, scaled and moved about their middle, each by draws of its own; 0 comes in.

    Up to `shift` whole pixels each way, `turn` radians either way, 1 ± zoom times as large, left for right by half.
    """
    side = pictures.shape[1]
    middle = (side - 1) / 2
    for b in range(pictures.shape[0]):
        down = np.floor(uniform(seed, ids[b], np.uint64(0)) * (2 * shift + 1)) - shift
        right = np.floor(uniform(seed, ids[b], np.uint64(1)) * (2 * shift + 1)) - shift
        angle = (2 * uniform(seed, ids[b], np.uint64(2)) - 1) * turn
        scale = 1 + (2 * uniform(seed, ids[b], np.uint64(3)) - 1) * zoom
        flip = mirror and uniform(seed, ids[b], np.uint64(4)) < 0.5
        cosine, sine = np.cos(angle) / scale, np.sin(angle) / scale
        for i in range(side):
            for j in range(side):
                y, x = i - middle - down, j - middle - right
                across = cosine * x - sine * y
                out[b, i, j] = between(
                    pictures[b], middle + sine * x + cosine * y, middle + (-across if flip else across)
                )


@compiled
def between(picture, y, x):
    """Give a picture's value between its pixels, by its four neighbours; 0 outside."""
    side = picture.shape[0]
    top, left = int(np.floor(y)), int(np.floor(x))
    total = 0.0
    for i in range(top, top + 2):
        for j in range(left, left + 2):
            if 0 <= i < side and 0 <= j < side:
                total += (1 - abs(y - i)) * (1 - abs(x - j)) * picture[i, j]
    return np.float32(total)


@compiled
def thinned(events, ids, seed, drop, move):
    """Leave out each event [T, B, n] with probability `drop`; move a sample's up to `move` steps earlier or later."""
    steps, samples, n = events.shape
    for b in range(samples):
        later = int(np.floor(uniform(seed, ids[b], np.uint64(5)) * (2 * move + 1))) - move
        if later:
            for k in range(steps):
                t = steps - 1 - k if later > 0 else k
                kept = 0 <= t - later < steps
                for c in range(n):
                    events[t, b, c] = events[t - later, b, c] if kept else 0
        if drop > 0:
            for t in range(steps):
                for c in range(n):
                    if events[t, b, c] and uniform(seed, ids[b], np.uint64(6 + t * n + c)) < drop:
                        events[t, b, c] = 0
