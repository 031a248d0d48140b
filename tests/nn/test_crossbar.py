"""Networks on crossbars: feasible after every step, the same bits after loading, and fitted where nothing was yet."""

import pytest
import torch

import neuro
from neuro.errors import DescriptionError, FeasibilityError, FitError, NeuroError

FIELDS = {
    "inputs": {"x": 9},
    "populations": {
        "hidden": {"size": 7, "tau_mem_s": 0.02, "tau_syn_s": 0.005},
        "out": {"size": 4, "tau_mem_s": 0.02, "tau_syn_s": 0.005},
    },
}
SMALL = ("cores.neurons=4", "cores.axons=6", "weights.weight_bits=6")


@pytest.fixture
def network(make):
    return make("truenorth", SMALL, **FIELDS)


def limits_kept(network):
    """Count by hand: axons of each core, one type an axon, whole weights within their bits."""
    plan, ok = network.plan, True
    for name, memory in network.memories.items():
        code, index = memory.code[:, :, 0, 0], torch.from_numpy(plan.core_index(name))
        units = memory.weight[:, :, 0, 0].double() / network.bases.grid().double()[index][:, None]
        ok &= bool((units == units.round()).all() and units.abs().max() <= 31)
        for core in index.unique():
            columns = [set(column.tolist()) - {0} for column in code[index == core].T]
            ok &= sum(map(bool, columns)) <= 6 and all(len(kinds) <= 1 for kinds in columns)
    return ok


def test_wild_steps_end_inside_the_chip(network):
    optimizer = neuro.QRewiring(torch.optim.SGD(network.parameter_groups(lr=1e2)), network)
    g = torch.Generator().manual_seed(0)
    for _ in range(30):
        for p in network.parameters():
            p.grad = torch.randn(p.shape, generator=g) * 10 ** (4 * torch.rand(1, generator=g) - 3)
        optimizer.step()
        assert network.violations() == [] and limits_kept(network)
    assert network(torch.ones(5, 1, 9))[0].isfinite().all()


def test_training_lowers_the_loss_inside_the_chip(network, events):
    optimizer = neuro.QRewiring(torch.optim.Adam(network.parameter_groups(lr=2e-2)), network)
    x, losses = events(network, steps=16, batch=8), []
    for _ in range(40):
        outputs, _ = network(x)
        loss = (outputs.mean((0, 1)) - torch.tensor([0.1, 0.4, 0.0, 0.3])).square().sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        assert network.violations() == []
    assert losses[-1] < 0.3 * losses[0]


def test_what_changed_behind_the_projection_is_told(network):
    network.memories["hidden"].code[0, 0] = 4
    network.memories["hidden"].code[1, 0] = 1
    assert any("types of column 0" in v or "axons of group" in v for v in network.violations())
    network.project()
    assert network.violations() == []
    with torch.no_grad():
        network.latents["out"] += 1
    with pytest.raises(FeasibilityError, match="without projection"):
        network(torch.ones(2, 1, 9))


def test_a_saved_network_comes_back_to_the_bit(network, make, events):
    optimizer = neuro.QRewiring(torch.optim.Adam(network.parameter_groups(lr=2e-2)), network)
    for step in range(12):
        optimizer.zero_grad()
        network(events(network, seed=step))[0].sum().backward()
        optimizer.step()
    other = make("truenorth", SMALL, seed=5, **FIELDS)
    other.load_state_dict(network.state_dict())
    assert all(
        torch.equal(a, b) for a, b in zip(network.state_dict().values(), other.state_dict().values(), strict=True)
    )
    assert all(torch.equal(m.weight, other.memories[n].weight) for n, m in network.memories.items())


@pytest.mark.parametrize(("what", "value"), [("values", 32), ("values", 3), ("code", 1)])
def test_an_edited_state_is_refused(network, make, what, value):
    state = network.state_dict()
    state[f"memories.hidden.{what}"] = torch.full_like(state[f"memories.hidden.{what}"], value)
    other = make("truenorth", SMALL, seed=5, **FIELDS)
    before = {k: v.clone() for k, v in other.state_dict().items()}
    with pytest.raises((FeasibilityError, DescriptionError)):
        other.load_state_dict(state)
    assert all(torch.equal(v, before[k]) for k, v in other.state_dict().items())


def test_what_a_crossbar_does_not_have_is_refused(make, network):
    with pytest.raises(FitError, match="no slots a neuron"):
        neuro.Network(network.plan, storage="slots")
    with pytest.raises(DescriptionError, match="weight_bits is 18 on 256 axons, allowed: at most 17"):
        make("truenorth", ["weights.weight_bits=18", "neuron.constant_bits={tau_mem: 20, threshold: 20}"], **FIELDS)
    with pytest.raises(NeuroError, match="latent is 'hull', but what a crossbar can hold has none"):
        neuro.QRewiring(torch.optim.SGD(network.parameter_groups(lr=0.1)), network, latent="hull")


def test_the_float_twin_is_laid_out_the_same(network, make):
    twin = make("truenorth", (*SMALL, "weights.kind=float"), **FIELDS)
    assert twin.plan.describe().splitlines()[1:] == network.plan.describe().splitlines()[1:]
    assert twin(torch.ones(4, 1, 9))[0].shape == (4, 1, 4)
