"""The closed form for the number of words is exact at every threshold, and so is its stand-in for huge sizes."""

import numpy as np
import pytest
import torch

from neuro.weights.selection import CLOSED_FORM, _Words, best_entries, best_words


@pytest.mark.parametrize("scale", [1.0, 1e3, 1e9, CLOSED_FORM / 4])
def test_words_above_the_gain_of_any_word(scale):
    generator = torch.Generator().manual_seed(9)
    size = scale * torch.rand(300, 40, generator=generator, dtype=torch.float64)
    step = torch.rand(300, 40, generator=generator, dtype=torch.float64) ** 3 + 1e-6
    words = _Words(size, 2 * step, 0.5 / step, 12, False)
    gains = step[..., None] * (2 * (size[..., None] - torch.arange(12)) - 1)
    at = gains.flatten(1).gather(1, torch.randint(0, 480, (300, 1), generator=generator))
    for threshold in (at, torch.nextafter(at, at + 1), torch.nextafter(at, at - 1), at * 0):
        expected = (gains > threshold[..., None]).sum(2)
        assert torch.equal(words.above(threshold).long(), expected)
        assert torch.equal(words._above_by_halving(threshold).long(), expected)


def test_best_entries_by_hand():
    gain = torch.tensor([[1.0, 3.0, 2.0, 3.0, 0.0], [0.0, -1.0, 0.0, 2.0, 2.0], [5.0, 5.0, 5.0, 5.0, 5.0]]).double()
    budget = torch.tensor([3, 4, 2])
    taken = best_entries(gain, budget, 4).int().tolist()
    assert taken == [[0, 1, 1, 1, 0], [0, 0, 0, 1, 1], [1, 1, 0, 0, 0]]
    assert best_entries(gain, torch.tensor([1, 0, 0]), 1).int().tolist() == [[0, 1, 0, 0, 0], [0] * 5, [0] * 5]


@pytest.mark.parametrize("spread", [1e-3, 1.0, 1e3, 1e6])
def test_the_budget_is_met_exactly_whatever_the_steps(spread):
    generator = torch.Generator().manual_seed(10)
    size = 50 * torch.rand(64, 90, generator=generator, dtype=torch.float64)
    step = spread ** torch.rand(64, 90, generator=generator, dtype=torch.float64)
    entry, words = best_words(size, step, torch.arange(64), 63)
    assert words.sum(1).tolist() == list(range(64)) and (np.diff(entry.numpy()) > 0).all()
