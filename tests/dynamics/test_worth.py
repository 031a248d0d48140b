"""What words are worth: both ways to sum over events against the definition, a sum over every step and sample."""

import numpy as np
import pytest

from neuro.dynamics import words, worth
from neuro.jit.vector import LANES


def drawn(seed, rate, neurons=37, entries=6, steps=23, tiles=3, inputs=11):
    """A run's spikes, the gradient of every current, and whom each entry hears with which delay."""
    rng = np.random.default_rng(seed)
    rows, longest, currents = inputs + neurons, 4, 2
    bits = np.zeros((tiles, longest + steps, rows), np.uint16)
    for lane in range(LANES):
        bits |= (rng.random(bits.shape) < rate).astype(np.uint16) << lane
    grad = rng.standard_normal((tiles, steps + longest, currents, neurons * LANES), np.float32)
    source = np.sort(np.array([rng.choice(rows, entries, replace=False) for _ in range(neurons)]), 1)
    route, lines = rng.integers(0, 3, rows), np.array([0, 2])
    return bits, grad, source, route, lines, inputs, longest, steps


def by_definition(bits, grad, source, route, lines, longest, steps, current):
    out = np.zeros((*source.shape, grad.shape[2], len(lines)))
    z = (bits[..., None] >> np.arange(LANES)) & 1  # [tiles, H + T, rows, lanes]
    g = grad[:, :steps].astype(float).reshape(len(grad), steps, grad.shape[2], -1, LANES)[:, :, current]
    for n, e in np.ndindex(source.shape):
        for d, line in enumerate(lines):
            first = longest - route[source[n, e]] - line
            out[n, e, current, d] = (z[:, first : first + steps, source[n, e]] * g[:, :, n]).sum()
    return out


@pytest.mark.parametrize("rate", [0.0, 0.02, 0.3, 1.0])
@pytest.mark.parametrize("entries", [1, 4, 6])
def test_lists_of_events_and_masks_add_what_the_definition_says(rate, entries):
    bits, grad, source, route, lines, inputs, longest, steps = drawn(5, rate, entries=entries)
    begin = np.zeros(bits.shape[2] + 1, np.int64)
    words.count_events(bits, 0, bits.shape[2], begin)
    begin = begin.cumsum()
    place = np.empty(begin[-1], np.int32)
    words.list_events(bits, 0, bits.shape[2], begin, place)
    turned = np.empty((len(bits), bits.shape[2], bits.shape[1]), np.uint16)
    for k in range(len(bits)):
        worth.turn_bits(bits[k], turned[k])
    assert np.array_equal(turned, bits.transpose(0, 2, 1))
    for current in range(grad.shape[2]):
        wanted = by_definition(bits, grad, source, route, lines, longest, steps, current)
        by_events, by_masks = (np.zeros(wanted.shape, np.float32) for _ in range(2))
        for low, high in ((0, 20), (20, len(source))):
            block = (grad, steps, current, 0, low, high, source)
            worth.entry_gradients(*block, inputs, 1, route, lines, longest, begin, place, by_events)
            worth.masked_gradients(*block, route, lines, longest, turned, by_masks)
        scale = max(np.abs(wanted).max(), 1.0)
        assert np.abs(by_events - wanted).max() < 1e-5 * scale and np.abs(by_masks - wanted).max() < 1e-5 * scale
