"""Leaks of whole numbers against integer arithmetic without bounds, up to the 24 bits that float32 holds."""

import numpy as np
import pytest
import torch

from neuro.dynamics.step import WHOLE

NUMBERS = [*range(-70, 71), *(s * (2**b + k) for s in (-1, 1) for b in (12, 17, 23) for k in (-1, 0, 1))]


def values(unit):
    drawn = np.random.default_rng(0).integers(-(2**24) + 1, 2**24, 4000).tolist()
    return [*NUMBERS, *drawn], torch.tensor([float(n * unit) for n in (*NUMBERS, *drawn)])


def units_of(left, unit):
    whole = left.double() / unit
    assert torch.equal(whole, whole.round())
    return whole.long().tolist()


@pytest.mark.parametrize("unit", [1.0, 2.0**-13, 8.0])
@pytest.mark.parametrize("kept", [0, 1, 2048, 3277, 4095, 4096])
def test_a_fraction_is_that_of_integers(unit, kept):
    numbers, v = values(unit)
    left = WHOLE["fraction"](v, torch.tensor(kept / 4096), torch.tensor(unit))
    assert units_of(left, unit) == [(abs(n) * kept // 4096) * (1 if n > 0 else -1) for n in numbers]


@pytest.mark.parametrize("unit", [1.0, 2.0**-9])
@pytest.mark.parametrize("dash", [0, 1, 4, 15])
def test_a_shift_is_that_of_integers(unit, dash):
    numbers, v = values(unit)
    left = WHOLE["shift"](v, torch.tensor(1 - 2.0**-dash), torch.tensor(unit))
    expected = []
    for n in numbers:
        after = n - (n >> dash)
        expected.append(n - 1 if after == n != 0 else after)
    assert units_of(left, unit) == expected
