"""The rules of Muller & Indiveri and their kin: by hand, at every number of bits, and inside every chip."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import neuro
from neuro.errors import DescriptionError, NeuroError
from neuro.rewiring import Feedback, Nearest, OneCopy, QRewiring, Stochastic, round_once
from neuro.weights import UniformScheme

RULES = {
    "two copies, nearest": Nearest(),
    "two copies, random": Stochastic(1),
    "two copies, feedback": Feedback(),
    "plain online": OneCopy(Nearest()),
    "one copy, random": OneCopy(Stochastic(1)),
    "one copy, feedback": OneCopy(Feedback()),
}
CHIPS = ("dynapse1", "dynapse2", "binary-core", "generic")


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 32), st.floats(0.0625, 4, width=32), st.lists(st.floats(-5, 5, width=32), min_size=1, max_size=12),
    st.none() | st.integers(0, 99),
)  # fmt: skip
def test_levels_are_the_nearest_or_neighbours(bits, largest, values, seed):
    scheme, latent = UniformScheme(2**bits, largest), torch.tensor([values])
    step = 2 * largest / (2**bits - 1)
    code, weight = scheme.hold(latent)
    inside = latent.double().clamp(-largest, largest)
    assert scheme.violations(code) == [] and (weight.double() - inside).abs().max() <= step / 2 + 1e-6
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    drawn, weight = scheme.draw(latent, None, generator)
    assert scheme.violations(drawn) == [] and (weight.double() - inside).abs().max() <= step + 1e-6
    if bits <= 16:  # beyond, a float32 lies between levels
        assert torch.equal(scheme.draw(weight, None, generator)[0], drawn)


def test_one_bit_and_ternary_by_hand():
    latent = torch.tensor([[0.0, -0.0, 0.2, -0.2, 3.0, -3.0, 0.6, -0.4]])
    assert UniformScheme(2, 0.5).hold(latent)[1].tolist() == [[0.5, 0.5, 0.5, -0.5, 0.5, -0.5, 0.5, -0.5]]
    assert UniformScheme(3).hold(latent)[1].tolist() == [[0, 0, 0, 0, 1, -1, 1, 0]]
    assert UniformScheme(4, 3.0).hold(torch.tensor([[2.0, -2.0, 0.1]]))[1].tolist() == [[1, -1, 1]]
    allowed = torch.tensor([[True] * 7 + [False]])
    code, weight = UniformScheme(2).hold(latent, allowed)
    assert weight[0, 7] == 0 and UniformScheme(2).violations(code, allowed) == []
    assert UniformScheme(2).violations(code) != [] and UniformScheme(2).violations(code.clamp(min=0), allowed) != []


def test_binary_draws_are_the_hard_sigmoid_of_binaryconnect():
    latent = torch.tensor([-2.0, -0.5, 0.0, 0.25, 1.0]).repeat(20_000, 1)
    _, weight = UniformScheme(2).draw(latent, None, torch.Generator().manual_seed(0))
    share = (weight > 0).double().mean(0)
    torch.testing.assert_close(share, torch.tensor([0, 0.25, 0.5, 0.625, 1]).double(), atol=0.015, rtol=0)


def linear(latent, scheme, rounding, **parts):
    module = nn.Linear(latent.shape[1], latent.shape[0], bias=False)
    module.weight = nn.Parameter(latent.clone())
    network = neuro.constrain(module, {"weight": scheme})
    return network, QRewiring(torch.optim.SGD(network.parameters(), lr=1.0), network, rounding=rounding, **parts)


def walk(rounding, steps, size, scheme=None):
    """Move every latent by the same small step, many times; gives the latents and weights at the end."""
    network, optimizer = linear(torch.zeros(40, 50), scheme or UniformScheme(9), rounding)
    for _ in range(steps):
        for p in network.parameters():
            p.grad = torch.full_like(p, -size)
        optimizer.step()
    _, latent, memory = next(iter(network.synapses()))
    return latent.detach(), memory.weight


def test_small_steps_vanish_with_one_copy_and_nearest_and_stay_on_average_with_draws():
    """Levels are ¼ apart; 20 steps of 0.02 are 0.4."""
    assert (walk(OneCopy(Nearest()), 20, 0.02)[1] == 0).all()
    latent, weight = walk(OneCopy(Stochastic(3)), 20, 0.02)
    assert torch.equal(latent, weight) and set((4 * weight).unique().tolist()) <= set(range(5))
    assert float(weight.mean()) == pytest.approx(0.4, abs=0.02)
    latent, weight = walk(Nearest(), 20, 0.02)
    assert (latent - 0.4).abs().max() < 1e-5 and (weight == 0.5).all()


def test_rounding_once_is_post_hoc_rounding():
    latent = torch.full((3, 40), 0.1)
    for rule, total in ((Nearest(), 0.0), (Feedback(), 4.0)):
        network, _ = linear(latent, UniformScheme(9), Nearest())
        round_once(network, rule)
        assert network.violations() == []
        _, kept, memory = next(iter(network.synapses()))
        assert torch.equal(kept, memory.weight) and (memory.weight.sum(1) == total).all()
    with pytest.raises(NeuroError, match="rule is"):
        round_once(network, OneCopy())


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("chip", CHIPS)
def test_spiking_networks_stay_inside_the_chip(make, loss, chip, rule):
    network = make(chip)
    optimizer = QRewiring(
        torch.optim.SGD(network.parameter_groups(lr=0.5, base_lr=0.05)), network, base_every=2, rounding=RULES[rule]
    )
    for _ in range(6):
        optimizer.zero_grad()
        loss(network).backward()
        optimizer.step()
        assert network.violations() == []
        if isinstance(RULES[rule], OneCopy):
            for name, memory in network.memories.items():
                wanted = memory.within_limits(network.latents[name])
                assert torch.equal(wanted, memory.weight) and memory.drawn_code is None


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 32])
@pytest.mark.parametrize("rule", RULES)
def test_a_perceptron_learns_at_any_number_of_bits(rule, bits):
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 2))
    schemes = {name: UniformScheme(2**bits, 0.25) for name in ("0.weight", "2.weight")}
    network = neuro.constrain(module, schemes)
    wrapped = torch.optim.SGD(network.parameters(), lr=0.2)
    optimizer = QRewiring(wrapped, network, rounding=RULES[rule], latent="hull")
    x = torch.randn(256, 16)
    y = (x[:, :8].sum(1) > x[:, 8:].sum(1)).long()
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(x), y).backward()
        optimizer.step()
        assert network.violations() == []
    accuracy = float((network.eval()(x).argmax(1) == y).float().mean())
    if rule not in ("plain online", "one copy, random", "one copy, feedback") or bits > 4:
        assert accuracy > 0.85, accuracy


@pytest.mark.parametrize("rule", ["one copy, random", "two copies, random"])
def test_resumed_equals_uninterrupted(make, loss, rule):
    def train(network, optimizer, steps):
        for _ in range(steps):
            optimizer.zero_grad()
            loss(network).backward()
            optimizer.step()

    def fresh(seed):
        network = make(seed=seed)
        return network, QRewiring(torch.optim.Adam(network.parameter_groups(lr=0.1)), network, rounding=RULES[rule])

    whole, half, again = fresh(0), fresh(0), fresh(4)
    train(*whole, 6)
    train(*half, 2)
    for one, other in itertools.islice(zip(again, half, strict=True), 2):
        one.load_state_dict(other.state_dict())
    train(*again, 4)
    assert all(torch.equal(v, again[0].state_dict()[k]) for k, v in whole[0].state_dict().items())


@pytest.mark.parametrize("wrong, match", [
    (lambda: UniformScheme(1), "levels is 1"),
    (lambda: UniformScheme(2.0), "levels is 2.0"),
    (lambda: UniformScheme(4, 0.0), "largest is 0.0"),
])  # fmt: skip
def test_levels_that_cannot_be(wrong, match):
    with pytest.raises(DescriptionError, match=match):
        wrong()


def test_crossbars_take_parts_but_no_draws():
    chip = neuro.load_chip("truenorth")
    task = neuro.load_task("digits", ["populations.hidden.size=16"])
    network = neuro.build(task, chip)
    from neuro.rewiring import AtLeast, ToConnectivity

    def wrapped(**parts):
        return QRewiring(torch.optim.SGD(network.parameter_groups(lr=0.1)), network, **parts)

    with pytest.raises(NeuroError, match="CrossbarScheme has no codes to draw"):
        wrapped(rounding=Stochastic())
    optimizer = wrapped(removal=ToConnectivity(0.5), growth=AtLeast(2))
    for p in network.parameters():
        p.grad = torch.zeros_like(p)
    optimizer.step()
    assert network.violations() == []
