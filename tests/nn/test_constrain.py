"""Any torch module under constraints: named weights are codes, the user's module stays as it was."""

import copy
import io

import pytest
import torch
from torch import nn

import neuro
from neuro.errors import NeuroError
from neuro.weights import CountScheme, LevelScheme, MaskScheme


def counts(slots=6, base=0.125):
    return CountScheme([base, base], [1, -1], slots)


def perceptron(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(8, 12), nn.ReLU(), nn.Linear(12, 3))


class Pictures(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.out = nn.Conv2d(2, 4, 3, padding=1), nn.Linear(4 * 16, 3)

    def forward(self, x):
        return self.out(torch.relu(self.conv(x)).flatten(1))


SCHEMES = {
    "counts": lambda: {"0.weight": counts(), "2.weight": counts(9)},
    "masks": lambda: {"0.weight": MaskScheme([0.0625, 0.125, 0.25, 0.5], 5)},
    "levels": lambda: {"2.weight": LevelScheme([-0.5, -0.25, 0.25, 0.5], 4)},
    "binary, a sign a source": lambda: {"0.weight": LevelScheme([0.25], sign="source")},
}


@pytest.mark.parametrize("optimizer, latent", [(torch.optim.Adam, "free"), (torch.optim.SGD, "hull")])
@pytest.mark.parametrize("kind", SCHEMES)
def test_a_perceptron_trains_and_always_fits(kind, latent, optimizer):
    module = perceptron()
    before = copy.deepcopy(module.state_dict())
    constrained = neuro.constrain(module, SCHEMES[kind]())
    assert constrained.violations() == []
    wrapped = neuro.QRewiring(optimizer(constrained.parameters(), lr=0.05), constrained, latent=latent)
    x = torch.randn(64, 8, generator=torch.Generator().manual_seed(1))
    y = (x[:, 0] * x[:, 1] > 0).long()
    losses = []
    for _ in range(25):
        wrapped.zero_grad()
        loss = nn.functional.cross_entropy(constrained(x), y)
        loss.backward()
        wrapped.step()
        losses.append(loss.item())
        assert constrained.violations() == []
    assert losses[-1] < losses[0] and all(torch.equal(before[k], v) for k, v in module.state_dict().items())
    assert type(module[0]) is nn.Linear


def test_weights_read_are_the_schemes_values():
    module = perceptron()
    constrained = neuro.constrain(module, {"0.weight": counts(6, 0.125)})
    read = constrained.module[0].weight.detach()
    words = (read / 0.125).abs()
    assert torch.equal(words, words.round()) and words.sum(1).max() <= 6 and words.sum() > 0
    x = torch.randn(5, 8)
    hidden = torch.relu(x @ read.T + module[0].bias)
    torch.testing.assert_close(constrained(x), hidden @ module[2].weight.T + module[2].bias)


@pytest.mark.parametrize("latent", ["free", "hull"])
def test_a_convolution_counts_a_row_an_output(latent):
    torch.manual_seed(0)
    module = Pictures()
    constrained = neuro.constrain(module, {"conv.weight": counts(7), "out.weight": counts(20)})
    wrapped = neuro.QRewiring(torch.optim.Adam(constrained.parameters(), lr=0.05), constrained, latent=latent)
    x, y = torch.randn(16, 2, 4, 4), torch.arange(16) % 3
    for _ in range(8):
        wrapped.zero_grad()
        nn.functional.cross_entropy(constrained(x), y).backward()
        wrapped.step()
        assert constrained.violations() == []
        words = (constrained.module.conv.weight.detach() / 0.125).abs().flatten(1)
        assert torch.equal(words, words.round()) and words.sum(1).max() <= 7
    assert constrained.module.conv.weight.shape == (4, 2, 3, 3) and words.sum() > 0


def test_the_gradient_goes_straight_through():
    constrained = neuro.constrain(perceptron(), {"0.weight": counts()})
    x = torch.randn(4, 8)
    constrained(x).square().sum().backward()
    weight = constrained.module[0].weight.detach().requires_grad_()
    rest = constrained.module
    wanted = rest[2](torch.relu(nn.functional.linear(x, weight, rest[0].bias))).square().sum()
    (grad,) = torch.autograd.grad(wanted, weight)
    torch.testing.assert_close(
        dict(constrained.named_parameters())["module.0.parametrizations.weight.original"].grad, grad
    )


def test_a_module_used_twice_is_one_memory():
    torch.manual_seed(0)
    shared = nn.Linear(6, 6)
    constrained = neuro.constrain(nn.Sequential(shared, nn.Tanh(), shared), {"0.weight": counts()})
    assert constrained.module[0] is constrained.module[2] and len(list(constrained.synapses())) == 1
    constrained(torch.randn(2, 6)).sum().backward()


def test_a_weight_shared_by_two_modules_is_held_in_both_or_refused():
    module = nn.Sequential(nn.Linear(6, 6, bias=False), nn.Tanh(), nn.Linear(6, 6, bias=False))
    module[2].weight = module[0].weight
    try:
        constrained = neuro.constrain(module, {"0.weight": counts()})
    except NeuroError as error:
        assert "2.weight" in str(error)
        return
    assert torch.equal(constrained.module[0].weight, constrained.module[2].weight)


def test_moving_a_latent_without_projection_is_noticed():
    constrained = neuro.constrain(perceptron(), {"0.weight": counts()})
    next(constrained.synapses())[1].data.add_(0.1)
    with pytest.raises(NeuroError, match="without projection"):
        constrained(torch.randn(2, 8))
    assert any("without projection" in v for v in constrained.violations())
    constrained.project()
    assert constrained.violations() == []
    next(constrained.synapses())[2].code[1] = 3
    assert any("0.weight, row 1: words in use" in v for v in constrained.violations())


def test_state_round_trip_and_copies():
    first, second = (neuro.constrain(perceptron(seed), {"0.weight": counts()}) for seed in (1, 2))
    x = torch.randn(3, 8)
    assert not torch.equal(first(x), second(x))
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)
    second.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(first(x), second(x)) and second.violations() == []
    third = copy.deepcopy(first)
    assert torch.equal(first(x), third(x))
    next(third.synapses())[1].data.neg_()
    third.project()
    assert not torch.equal(first(x), third(x)) and first.violations() == []


@pytest.mark.parametrize("name, match", [("0.wieght", "'0.wieght' is no parameter"), ("0.bias", r"shape \[12\]")])
def test_names_that_are_no_weights(name, match):
    with pytest.raises(NeuroError, match=match):
        neuro.constrain(perceptron(), {name: counts()})
