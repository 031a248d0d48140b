"""Sums of sigmoids: their limits, their derivative, and training that ends on the hard device."""

import pytest
import torch
from torch import nn

from neuro.errors import DescriptionError
from neuro.silicon.staircase import STAGES, Stage, Staircase, StaircaseActivation, at_stage, pair_values, staged
from neuro.weights import ConductanceScheme, spaced_levels

VALUES = torch.tensor([-1.0, -0.2, 0.5, 0.7])


def test_the_limits_of_a_stage():
    stairs, x = Staircase(VALUES), torch.linspace(-2, 2, 401)
    hard, away = stairs(x), (x[:, None] - stairs.edges).abs().amin(1) > 1e-4
    assert torch.equal(hard[away], VALUES[(x[:, None] - VALUES).abs().argmin(1)][away])
    stairs.stage = Stage(0.0, 1.0)
    assert torch.equal(stairs(x), x)
    stairs.stage = Stage(1.0, 1e-4)
    far = (x[:, None] - stairs.edges).abs().amin(1) > 0.005
    assert torch.allclose(stairs(x)[far], hard[far], atol=1e-6)


def test_the_formula_by_hand():
    stairs = Staircase(VALUES)
    stairs.stage = Stage(0.5, 0.3)
    x = 0.37
    smooth = -1.0
    for low, high in ((-1.0, -0.2), (-0.2, 0.5), (0.5, 0.7)):
        step = high - low
        smooth += step * float(torch.sigmoid(torch.tensor((x - (low + high) / 2) / (0.3 * step))))
    assert float(stairs(torch.tensor([x]))) == pytest.approx(0.5 * x + 0.5 * smooth, rel=1e-5)


@pytest.mark.parametrize("stage", STAGES)
def test_the_derivative_is_that_of_the_function(stage):
    stairs = Staircase(VALUES).double()
    stairs.stage = stage
    x = torch.linspace(-1.4, 1.1, 23, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(stairs, (x,), atol=1e-5)


def test_pairs_that_can_be_made():
    scheme = ConductanceScheme(spaced_levels(3, 5.0), (2.0,), 0.5)
    wanted = sorted({round(2 * (i - 0.5 * j), 6) for i in (0.2, 0.6, 1.0) for j in (0.2, 0.6, 1.0)})
    assert pair_values(scheme).tolist() == pytest.approx(wanted, abs=1e-6)


def test_stages_lead_to_a_device_that_still_computes():
    torch.manual_seed(0)
    x = torch.randn(512, 8)
    y = (x[:, :4].sum(1) > x[:, 4:].sum(1)).long()
    model = nn.Sequential(nn.Linear(8, 16), StaircaseActivation(3, 2.0), nn.Linear(16, 2))
    scheme = ConductanceScheme(spaced_levels(4, 10.0), (1.0,), 0.9)
    stairs = staged(model, {"0.weight": scheme, "2.weight": scheme})
    assert len(stairs) == 3
    optimizer = torch.optim.Adam(model.parameters(), 0.02)
    for stage in STAGES:
        at_stage(stairs, stage)
        for _ in range(60):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()
    at_stage(stairs, None)
    assert set(model[0].weight.unique().tolist()) <= set(pair_values(scheme).float().tolist())
    assert float((model(x).argmax(1) == y).float().mean()) > 0.93


@pytest.mark.parametrize(
    "make",
    [
        lambda: Stage(1.5, 0.1),
        lambda: Stage(0.5, 0.0),
        lambda: Staircase(torch.tensor([0.0, 0.0])),
        lambda: Staircase(torch.tensor([1.0])),
        lambda: StaircaseActivation(0),
    ],
)
def test_what_cannot_be_is_refused(make):
    with pytest.raises(DescriptionError):
        make()
