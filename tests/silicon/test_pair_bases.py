"""The published base search against brute force, and bases and codes that are trained."""

import numpy as np
import pytest
import torch
from torch import nn

import neuro
from neuro.errors import DataError, DescriptionError
from neuro.silicon.arrays import level_variance
from neuro.silicon.pair_bases import anneal, nearest_levels, published_codes, published_levels
from neuro.silicon.programming import add_programming_noise, pair_spread
from neuro.weights import ConductanceScheme

WEIGHTS = np.random.default_rng(0).normal(0.05, 0.4, 500)


@pytest.mark.parametrize("states", [1, 2, 3, 8])
def test_levels_codes_and_rounding_against_every_pair(states):
    p, n = 0.23, 0.179
    levels = published_levels(p, n, states)
    assert len(levels) == states**2 + 2 * states and 0 not in levels
    pairs = [(i, j) for i in range(states + 1) for j in range(states + 1) if i or j]
    nearest = nearest_levels(WEIGHTS, levels)
    codes = published_codes(WEIGHTS, p, n, states)
    for w, level, code in zip(WEIGHTS, nearest, codes, strict=True):
        best = min(abs(w - (i * p - j * n)) for i, j in pairs)
        i, j = divmod(int(code), states + 1)
        assert abs(w - level) == pytest.approx(best, abs=1e-12)
        assert i * p - j * n == pytest.approx(level, abs=1e-12)


def test_the_search_never_ends_worse_than_it_began_and_repeats():
    for states in (1, 2, 4, 8):
        top, bottom = WEIGHTS.max() / states, -WEIGHTS.min() / states
        start = np.abs(WEIGHTS - nearest_levels(WEIGHTS, published_levels(top, bottom, states))).sum()
        found = anneal(WEIGHTS, states, 3)
        assert found.error <= start and found == anneal(WEIGHTS, states, 3)
        again = np.abs(WEIGHTS - nearest_levels(WEIGHTS, published_levels(found.p, found.n, states))).sum()
        assert found.error == pytest.approx(again)
        assert anneal(WEIGHTS, states, 3, proposals=300).error <= found.error


@pytest.mark.parametrize("weights", [[1.0, 2.0], [-1.0], [], [np.inf, -1.0]])
def test_weights_without_both_signs_are_refused(weights):
    with pytest.raises(DataError, match="allowed: finite ones of both signs"):
        anneal(np.array(weights), 4, 0)


def learned(bases, noisy=False, steps=150, states=3):
    """Let a linear layer learn another one's outputs; the mean squared error left, and the layer."""
    torch.manual_seed(0)
    teacher = torch.randn(6, 12) * 0.4
    variance = level_variance(neuro.load_chip("pcm-crossbar").devices, tuple(range(states + 1))) if noisy else None
    scheme = ConductanceScheme(tuple(range(states + 1)), (0.9, 0.9), variance=variance)
    held = neuro.constrain(nn.Linear(12, 6, bias=False), {"weight": scheme}, bases)
    if noisy:
        add_programming_noise(held, 0)
    optimizer = neuro.QRewiring(torch.optim.Adam(held.parameter_groups(0.02, 0.02)), held, base_every=2)
    for _ in range(steps):
        x = torch.randn(64, 12)
        optimizer.zero_grad()
        (held(x) - x @ teacher.T).square().mean().backward()
        optimizer.step()
        assert held.violations() == []
    held.eval()
    x = torch.randn(500, 12)
    return float((held(x) - x @ teacher.T).square().mean().detach()), held


def test_trained_bases_beat_fixed_ones_and_move():
    fixed, trained = learned("fixed")[0], learned("network")
    assert trained[0] < 0.5 * fixed
    p, n = trained[1].bases.values()[0].tolist()
    memory = trained[1].module.parametrizations.weight[0]
    assert p != n and torch.equal(memory.scheme.bases.float(), torch.tensor([p, n]))


def test_training_with_noise_reads_noise_in_training_only():
    _, held = learned("network", noisy=True, steps=5)
    memory = held.module.parametrizations.weight[0]
    assert torch.equal(held.module.weight, memory.weight)
    held.train()
    draws = torch.stack([held.module.weight.detach() for _ in range(600)])
    spread = pair_spread(memory.scheme, memory.code)
    assert torch.allclose(draws.std(0).double(), spread, rtol=0.15)
    assert float(draws.mean(0).sub(memory.weight).abs().max()) < 0.2 * float(spread.max())


def test_layers_have_bases_of_their_own():
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    scheme = ConductanceScheme((0.0, 1.0, 2.0), (1.0, 1.0))
    schemes = {"0.weight": scheme, "1.weight": scheme}
    assert neuro.constrain(model, schemes, "layer").bases.values().shape == (2, 2)
    held = neuro.constrain(model, schemes, "network")
    assert held.bases.values().shape == (1, 2)
    again = neuro.constrain(model, schemes, "network")
    again.load_state_dict(held.state_dict())
    with pytest.raises(neuro.NeuroError, match="bases is 'core', allowed: fixed, layer, network"):
        neuro.constrain(model, schemes, "core")
    with pytest.raises(DescriptionError, match="has no variance"):
        add_programming_noise(held, 0)
