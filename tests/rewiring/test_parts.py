"""The parts of Q-rewiring: what each does by hand, and that no combination of them leaves what the chip can hold."""

import copy
import io
import itertools

import numpy as np
import pytest
import torch

import neuro
from neuro.errors import NeuroError
from neuro.rewiring import (
    AtLeast,
    CountSpace,
    Langevin,
    Nearest,
    QRewiring,
    RandomShares,
    Redraw,
    Refill,
    Stochastic,
    ToConnectivity,
    published,
)
from neuro.weights import CountScheme, FloatScheme, LevelScheme

CHIPS = ("dynapse1", "dynapse2", "binary-core", "generic")
REMOVALS = {
    "none": None,
    "connectivity": ToConnectivity(0.3),
    "shares": RandomShares(),
    "both": (ToConnectivity(0.3, 0.05), RandomShares(4)),
}
GROWTHS = {"none": None, "least": AtLeast(2), "refill": (Refill(0.4, 3.0), AtLeast(1))}


def linear(latent, scheme, **parts):
    """Hold one matrix [N, M] to a scheme under SGD that moves nothing unless a gradient is given."""
    module = torch.nn.Linear(latent.shape[1], latent.shape[0], bias=False)
    module.weight = torch.nn.Parameter(latent.clone())
    network = neuro.constrain(module, {"weight": scheme})
    return network, QRewiring(torch.optim.SGD(network.parameters(), lr=1.0), network, **parts)


def latent_of(network):
    return next(iter(network.synapses()))[1]


def memory_of(network):
    return next(iter(network.synapses()))[2]


def step(network, optimizer, gradient=None):
    for p in network.parameters():
        p.grad = torch.zeros_like(p) if gradient is None else gradient.clone()
    optimizer.step()
    return latent_of(network).detach().clone()


COUNTS = CountScheme([0.5, 0.5], [1, -1], 4)


def test_removal_to_a_connectivity_by_hand():
    latent = torch.tensor([[0.1, -3.0, 0.2], [0.3, 0.25, 0.0]])
    assert step(*linear(latent, COUNTS, removal=ToConnectivity(0.5))).tolist() == [
        [0.0, -3.0, 0.0],
        [pytest.approx(0.3), 0.25, 0.0],
    ]
    assert torch.equal(step(*linear(latent, COUNTS, removal=ToConnectivity(0.5, slack=0.5))), latent)
    two = CountScheme([0.5, 10.0], [1, -1], 4)  # ranked by counts: −3 is 0.3 of a word there, 0.2 is 0.4
    assert step(*linear(latent, two, removal=ToConnectivity(0.5)))[0].tolist() == [0.0, 0.0, pytest.approx(0.2)]


def test_random_shares_take_the_excess_and_no_more():
    latent = torch.tensor([[2.0, -2.0, 1.0, 0.0], [0.5, 0.5, 0.5, 0.5]])  # 4 + 4 + 2 words of 4 slots; 4 words
    found = step(*linear(latent, COUNTS, removal=RandomShares(3)))
    words = found.abs() / 0.5
    assert torch.equal(found[1], latent[1]) and (found.sign() * latent.sign() >= 0).all() and found[0, 3] == 0
    assert (words[0] <= latent[0].abs() / 0.5).all()
    assert words[0].sum() == pytest.approx(4, abs=1e-5) or (words[0, :3] == 0).any()
    other = step(*linear(latent, COUNTS, removal=RandomShares(4)))
    assert not torch.equal(found, other)
    assert torch.equal(step(*linear(latent, FloatScheme(), removal=RandomShares())), latent)


def test_growth_to_a_least_number_of_connections():
    latent = torch.zeros(40, 9)
    latent[0, :3] = 0.5
    network, optimizer = linear(latent, COUNTS, growth=AtLeast(2))
    found = step(network, optimizer)
    assert torch.equal(found[0], latent[0])
    assert ((found[1:] != 0).sum(1) == 2).all() and set(found[1:].abs().unique().tolist()) == {0.0, 0.5}
    assert len(found[1:].sign().unique()) == 3 and (found[1:] != 0).any(0).all()
    assert (memory_of(network).code.sum((1, 2)) >= 2).all()
    plus = CountScheme([0.25], [1], 4)  # no word is negative: none is drawn
    assert (step(*linear(latent, plus, growth=AtLeast(1)))[1:].sum(1) == 0.25).all()


def test_growth_never_uses_places_that_are_not_allowed(make):
    network = make("dynapse1")
    optimizer = QRewiring(torch.optim.SGD(network.parameter_groups(lr=1.0)), network, growth=AtLeast(30))
    with torch.no_grad():
        for latent in network.latents.values():
            latent.zero_()
    network.project()
    for p in network.parameters():
        p.grad = torch.zeros_like(p)
    optimizer.step()
    for name, latent in network.latents.items():
        memory = network.memories[name]
        allowed = torch.ones_like(latent) if memory.allowed is None else memory.allowed_for(latent)
        grown = latent.detach() != 0
        assert not (grown & (allowed == 0)).any()
        assert (grown.flatten(1).sum(1) == allowed.flatten(1).sum(1).clamp(max=30)).all()  # all there is, or 30
        if memory.limits is not None:
            assert (latent.detach() == memory.within_limits(latent.detach())).all()


def test_refilling_fills_to_the_share_with_kaiming_values():
    latent = torch.zeros(50, 64)
    latent[:, 0] = 1.0
    found = step(*linear(latent, COUNTS, growth=Refill(0.25, gain=2.0)))
    assert int((found != 0).sum()) == int(0.25 * 50 * 64) and (found[:, 0] == 1).all()
    fresh = found[:, 1:][found[:, 1:] != 0]
    assert fresh.abs().max() <= 2 / 8 and abs(float(fresh.mean())) < 0.02
    assert float(fresh.std()) == pytest.approx(2 / 8 / 3**0.5, rel=0.1)
    assert torch.equal(step(*linear(latent, COUNTS, growth=Refill(0.01))), latent)


def test_noise_moves_active_connections_that_have_a_gradient():
    latent = torch.zeros(200, 50)
    latent[:, :25] = 0.5
    scheme, gradient = CountScheme([0.5, 0.5], [1, -1], 50), torch.zeros(200, 50)
    gradient[:, 10:40] = 1e-6
    moved = step(*linear(latent, scheme, noise=Langevin(0.02)), gradient) - latent
    active = torch.zeros(50, dtype=torch.bool)
    active[10:25] = True
    assert (moved[:, ~active].abs() <= 2e-6).all()
    assert float(moved[:, active].std()) == pytest.approx((2 * 1.0 * 0.02) ** 0.5, rel=0.05)
    assert abs(float(moved[:, active].mean())) < 0.02


def test_the_sign_changes_at_a_zero_crossing_and_the_step_is_that_of_real_counts():
    """One base: SGD with momentum on real counts (their gradient dL/dW · s / b) moves W as SGD on the latent does."""
    rng, base, lr, momentum = np.random.default_rng(0), 0.3, 0.1, 0.9
    w = rng.normal(size=(4, 6))
    network, _ = linear(torch.tensor(w).float(), FloatScheme())
    wrapped = torch.optim.SGD(network.parameters(), lr=lr, momentum=momentum)
    optimizer = QRewiring(wrapped, network)
    sign, count, velocity, flips = np.sign(w), np.abs(w) / base, np.zeros_like(w), 0
    for _ in range(30):
        gradient = rng.normal(size=w.shape)
        found = step(network, optimizer, torch.tensor(gradient).float()).numpy()
        velocity = momentum * velocity + gradient * sign / base
        count = count - lr * velocity
        crossed = count < 0
        sign, count, velocity = np.where(crossed, -sign, sign), np.abs(count), np.where(crossed, -velocity, velocity)
        flips += crossed.sum()
        np.testing.assert_allclose(found, sign * count * base, atol=1e-5)
    assert flips > 10


def test_count_space_with_two_bases_moves_as_both_counts_would():
    """Each real count of a weight moves by −lr · dL/dW · s / b: the weight by J times −lr · dL/dW."""
    rng, lr = np.random.default_rng(0), 0.1
    w, gradient = rng.normal(size=(3, 5)), rng.normal(size=(3, 5))
    scheme = CountScheme([1.0, 0.25, 0.5], [1, 1, -1], 9)
    network, optimizer = linear(torch.tensor(w).float(), scheme, gradient=CountSpace())
    optimizer.param_groups[0]["lr"] = lr
    found = step(network, optimizer, torch.tensor(gradient).float()).numpy()
    wanted = w.copy()
    for i, j in np.ndindex(w.shape):
        for base in [1.0, 0.25] if w[i, j] > 0 else [0.5]:
            sign = np.sign(w[i, j])
            wanted[i, j] += sign * base * (-lr * gradient[i, j] * sign / base)
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_random_shares_take_small_words_first():
    scheme = CountScheme([1.0, 0.25], [1, 1], 4)
    latent = torch.tensor([[2.75, 1.0]])  # 2 + 3 and 1 word: 2 too many
    for seed in range(5):
        found = step(*linear(latent, scheme, removal=RandomShares(seed)))[0]
        taken = 3 - (float(found[0]) - 2) / 0.25  # the first source's small words last for two
        lost = 1 - float(found[1])
        assert taken + lost == pytest.approx(2, abs=1e-5) or (found[1] == 0 and taken < 1)
        assert float(found[0]) >= 2.25 - 1e-6


TWO_A_SIGN = "currents=[{name: fast, types: [excitatory, excitatory_slow, inhibitory, inhibitory_slow]}]"


@pytest.mark.parametrize("parts", [{}, published(0.5)], ids=["nearest", "published"])
def test_two_bases_a_sign_train_export_and_replay(make, loss, parts):
    network = make("generic", ("slots=20", TWO_A_SIGN))
    assert len(network.bases.names) == 4
    optimizer = QRewiring(
        torch.optim.SGD(network.parameter_groups(lr=0.3, base_lr=0.02)), network, base_every=2, **parts
    )
    for _ in range(8):
        optimizer.zero_grad()
        loss(network).backward()
        optimizer.step()
        assert network.violations() == []
    code = network.memories["hidden"].code
    assert (code.flatten(1).sum(1) <= 20).all() and (code.sum((0, 1, 3)) > 0).sum() >= 3
    x = torch.ones(9, 2, 8)
    tables = neuro.export(network)
    with torch.no_grad():
        assert torch.equal(neuro.replay(tables, x)[0], network.eval()(x)[0])
    from neuro.tables import check

    assert check(tables) == []


@pytest.mark.parametrize("chip", CHIPS)
@pytest.mark.parametrize("rounding", [Nearest(), Stochastic(2)], ids=["nearest", "stochastic"])
def test_every_combination_stays_inside_the_chip(make, loss, chip, rounding):
    for (removal, growth), noise in zip(
        itertools.product(REMOVALS.values(), GROWTHS.values()), itertools.cycle([None, Langevin(1e-3)])
    ):
        network = make(chip)
        groups = network.parameter_groups(lr=0.2, base_lr=0.05)
        optimizer = QRewiring(
            torch.optim.SGD(groups, momentum=0.9),
            network,
            base_every=2,
            rounding=rounding,
            removal=removal,
            growth=growth,
            noise=noise,
        )
        for _ in range(2):
            optimizer.zero_grad()
            loss(network).backward()
            optimizer.step()
            assert network.violations() == [], (removal, growth)
            for memory in network.memories.values():
                assert (memory.drawn_code is None) == isinstance(rounding, Nearest)
    assert "Stochastic" in repr(optimizer) or "Nearest" in repr(optimizer)


def test_training_reads_the_drawn_code_and_evaluation_the_nearest(make, loss):
    network, twin = make("dynapse1"), make("dynapse1")
    x = torch.ones(9, 2, 8)
    optimizer = QRewiring(torch.optim.SGD(network.parameter_groups(lr=0.5)), network, rounding=Stochastic(1))
    differ = 0
    for _ in range(5):
        optimizer.zero_grad()
        loss(network).backward()
        optimizer.step()
        for name, memory in network.memories.items():
            differ += int((memory.drawn_code != memory.code).sum())
            with torch.no_grad():
                assert torch.equal(network.train().memories[name](network.latents[name]), memory.drawn_weight)
                assert torch.equal(network.eval().memories[name](network.latents[name]), memory.weight)
        network.train()
    assert differ > 0
    twin.load_state_dict(network.state_dict())  # a plain network reads the nearest
    network.eval()
    with torch.no_grad():
        assert torch.equal(network(x)[0], twin(x)[0])
    replayed, _ = neuro.replay(neuro.export(network.train()), x)
    assert torch.equal(replayed, twin(x)[0])


def test_the_gradient_of_bases_is_that_of_the_drawn_code(make, loss):
    network = make("dynapse1")
    QRewiring(torch.optim.SGD(network.parameter_groups(lr=0.5)), network, rounding=Stochastic(1))
    loss(network).backward()

    def summed(code):
        memories = [(network.latents[name].grad, m) for name, m in network.memories.items()]
        return sum(m.base_gradient(getattr(m, code), grad) for grad, m in memories)

    torch.testing.assert_close(network.bases.latent.grad, summed("drawn_code"))
    assert not torch.allclose(network.bases.latent.grad, summed("code"), rtol=1e-3)


def test_an_edited_drawn_code_is_found(make):
    network = make("dynapse1")
    QRewiring(torch.optim.SGD(network.parameter_groups(lr=0.5)), network, rounding=Stochastic(1))
    memory = network.memories["hidden"]
    memory.drawn_code = memory.drawn_code + 5
    assert any("drawn: row 0: words in use" in v for v in network.violations())


@pytest.mark.parametrize("first", ["network", "optimizer"])
def test_resumed_equals_uninterrupted_in_either_order_of_loading(make, loss, first):
    parts = published(0.4, seed=3) | {"growth": (AtLeast(2, 1), Refill(0.35)), "noise": Langevin(1e-3, 5)}

    def fresh(seed):
        network = make(seed=seed)
        groups = network.parameter_groups(lr=0.3, base_lr=0.05)
        return network, QRewiring(torch.optim.SGD(groups, momentum=0.9), network, base_every=2, **parts)

    def train(network, optimizer, steps):
        for _ in range(steps):
            optimizer.zero_grad()
            loss(network).backward()
            optimizer.step()

    whole, optimizer = fresh(0)
    train(whole, optimizer, 7)
    half, optimizer = fresh(0)
    train(half, optimizer, 3)
    file = io.BytesIO()
    torch.save({"network": half.state_dict(), "optimizer": optimizer.state_dict()}, file)
    file.seek(0)
    kept = torch.load(file, weights_only=True)
    again, optimizer = fresh(8)
    for part in [first, *({"network", "optimizer"} - {first})]:
        {"network": again, "optimizer": optimizer}[part].load_state_dict(kept[part])
    assert all(torch.equal(half.memories[n].drawn_code, m.drawn_code) for n, m in again.memories.items())
    train(again, optimizer, 4)
    assert all(torch.equal(v, again.state_dict()[k]) for k, v in whole.state_dict().items())
    both = copy.deepcopy((again, optimizer))
    train(again, optimizer, 2)
    train(*both, 2)
    assert all(torch.equal(v, both[0].state_dict()[k]) for k, v in again.state_dict().items())


def test_convolutions_take_every_part():
    module = torch.nn.Sequential(torch.nn.Conv2d(2, 5, 3), torch.nn.Flatten(), torch.nn.Linear(5 * 4, 3))
    schemes = {
        "0.weight": CountScheme([0.2, 0.05, 0.2, 0.05], [1, 1, -1, -1], 7),
        "2.weight": LevelScheme([-0.3, 0.3], 4),
    }
    network = neuro.constrain(module, schemes)
    parts = published(0.5) | {"growth": (AtLeast(2), Refill(0.4)), "noise": Langevin(1e-5)}
    optimizer = QRewiring(torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9), network, **parts)
    x, y = torch.randn(16, 2, 4, 4), torch.arange(16) % 3
    for _ in range(5):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(x), y).backward()
        optimizer.step()
        assert network.violations() == []
    for _, latent, memory in network.synapses():
        assert memory.drawn_weight.shape == memory.weight.shape == latent.shape


def test_slot_storage_takes_every_part(make, loss):
    network = neuro.Network(make("generic", ("slots=4",)).plan, storage="slots", reserve=3)
    growth = (AtLeast(1), Redraw(every=2, share=0.5))
    groups = network.parameter_groups(lr=0.2)
    optimizer = QRewiring(
        torch.optim.Adam(groups), network, growth=growth, rounding=Stochastic(), removal=RandomShares()
    )
    for _ in range(6):
        before = {n: m.source.clone() for n, m in network.memories.items()}
        optimizer.zero_grad()
        loss(network).backward()
        optimizer.step()
        assert network.violations() == []
    assert any(not torch.equal(before[n], m.source) for n, m in network.memories.items())


def test_a_sign_a_source_holds_for_drawn_codes():
    network, optimizer = linear(torch.randn(6, 8), LevelScheme([0.5, 1.0], 3, "source"), rounding=Stochastic())
    for _ in range(20):
        step(network, optimizer, torch.randn(6, 8))
        assert network.violations() == []


@pytest.mark.parametrize("wrong, match", [
    (lambda: ToConnectivity(1.5), "share is 1.5, allowed: 0 to 1"),
    (lambda: ToConnectivity(0.5, -1), "slack"),
    (lambda: RandomShares(-1), "seed is -1"),
    (lambda: Stochastic("a"), "seed is 'a'"),
    (lambda: AtLeast(0), "connections is 0"),
    (lambda: Refill(2), "share is 2"),
    (lambda: Refill(0.5, gain=0), "gain is 0"),
    (lambda: Langevin(float("nan")), "temperature is nan"),
    (lambda: linear(torch.ones(2, 2), COUNTS, rounding="stochastic"), "rounding is 'stochastic', allowed: Nearest"),
    (lambda: linear(torch.ones(2, 2), COUNTS, removal=Refill(0.1)), "removal is Refill.*ToConnectivity"),
    (lambda: linear(torch.ones(2, 2), COUNTS, growth="random"), "growth is 'random'"),
    (lambda: linear(torch.ones(2, 2), COUNTS, noise=0.1), "noise is 0.1"),
])  # fmt: skip
def test_what_cannot_be_is_refused_by_name(wrong, match):
    with pytest.raises(NeuroError, match=match):
        wrong()
