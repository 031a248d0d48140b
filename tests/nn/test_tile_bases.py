"""Pairs of conductances whose bases belong to tiles of a weight: each tile is a small array of its own."""

import copy

import pytest
import torch
from torch import nn

import neuro
from neuro.errors import NeuroError
from neuro.weights import ConductanceScheme, CountScheme, spaced_levels

TILE = (3, 2)  # inputs, outputs


def held_module(two=True, ratio=float("inf"), kernel=None):
    torch.manual_seed(0)
    module = nn.Linear(7, 5) if kernel is None else nn.Conv2d(2, 5, kernel)
    levels = spaced_levels(4, ratio)
    scheme = ConductanceScheme(levels, (1.0, 1.0) if two else (1.0,))
    return module, neuro.constrain(module, {"weight": scheme}, "tile", TILE)


def tiles_of(matrix):
    return [part for rows in matrix.split(TILE[1]) for part in rows.split(TILE[0], 1)]


@pytest.mark.parametrize("two", [True, False])
@pytest.mark.parametrize("ratio", [float("inf"), 4.0])
@pytest.mark.parametrize("kernel", [None, 2])
def test_each_tile_is_projected_by_its_own_bases(two, ratio, kernel):
    module, held = held_module(two, ratio, kernel)
    (_, latent, memory), bases = next(iter(held.synapses())), held.bases.values()
    wanted, got = tiles_of(module.weight.detach().flatten(1)), tiles_of(memory.weight.flatten(1))
    codes = tiles_of(memory.code)
    assert len(bases) == len(wanted) == 3 * -(-latent[0].numel() // TILE[0])
    for target, code, weight, values in zip(wanted, codes, got, bases, strict=True):
        scheme = ConductanceScheme(spaced_levels(4, ratio), values)
        assert torch.equal(scheme.project(target), code) and torch.equal(scheme.decode(code), weight)
        assert torch.allclose(values, scheme.initial_bases(target).float(), rtol=1e-5)
    assert held.violations() == [] and torch.equal(held.module.weight, memory.weight)


def test_bases_get_the_gradient_of_their_tile():
    _, held = held_module()
    (_, _, memory) = next(iter(held.synapses()))
    grad = torch.randn(5, 7, generator=torch.Generator().manual_seed(1))
    (held.module.weight * grad).sum().backward()
    levels, values = torch.tensor(spaced_levels(4, float("inf"))), held.bases.values()
    for code, part, value, got in zip(
        tiles_of(memory.code), tiles_of(grad), values, held.bases.latent.grad, strict=True
    ):
        plus, minus = levels[code.long() // 4], levels[code.long() % 4]
        wanted = torch.stack([(plus * part).sum(), -(minus * part).sum()]).float() * value  # of the logarithm
        torch.testing.assert_close(got, wanted)


def test_it_trains_within_its_pairs_and_is_saved():
    module, held = held_module()
    x, target = torch.randn(64, 7, generator=torch.Generator().manual_seed(2)), torch.randn(64, 5)
    optimizer = neuro.QRewiring(torch.optim.Adam(held.parameter_groups(0.02, 0.02)), held)
    losses = []
    for _ in range(60):
        loss = (held(x) - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
        assert held.violations() == []
    assert losses[-1] < losses[0]
    other = held_module()[1]
    other.load_state_dict(held.state_dict())
    assert torch.equal(other(x), held(x)) and torch.equal(copy.deepcopy(held)(x), held(x))
    with torch.no_grad():
        next(iter(held.synapses()))[2].code[0, 0] ^= 1
    assert "changed without projection" in held.violations()[0]


@pytest.mark.parametrize(
    "bases, tile", [("tile", None), ("tile", (3,)), ("tile", (0, 2)), ("layer", (3, 2)), ("tile", (3.0, 2))]
)
def test_other_tiles_are_refused(bases, tile):
    scheme = ConductanceScheme(spaced_levels(4, float("inf")), (1.0, 1.0))
    with pytest.raises(NeuroError, match="tile is .*, allowed: .rows, columns. where bases is 'tile'"):
        neuro.constrain(nn.Linear(7, 5), {"weight": scheme}, bases, tile)


def test_rows_with_a_budget_have_no_tiles():
    with pytest.raises(NeuroError, match="'weight': its rows share a budget of slots"):
        neuro.constrain(nn.Linear(7, 5), {"weight": CountScheme([0.1, 0.1], [1, -1], 8)}, "tile", TILE)
