"""Backpropagation through time in spans: run a second time where memory is short, or cut where gradients are to end."""

import numpy as np
import pytest
import torch
from random_networks import CHIPS, random_events, random_network

from neuro.dynamics import sequence
from neuro.errors import DataError


def outcome(network, x, **options):
    """Spikes, membranes, state and gradients of a loss that weighs every spike and membrane differently."""
    names = tuple(network.plan.spec.populations)
    _, record = network(x, record=names, **options)
    g = torch.Generator().manual_seed(3)
    values = [*record.spikes.values(), *record.v.values()]
    network.zero_grad()
    sum((part * torch.rand(part.shape, generator=g)).sum() for part in values).backward()
    return values, record.state, {name: p.grad.clone() for name, p in network.named_parameters() if p.grad is not None}


def close(a: dict, b: dict) -> bool:
    """Refuse gradients that differ; say whether there are any."""
    assert a.keys() == b.keys()
    for name in a:
        assert (a[name] - b[name]).norm() <= 1e-5 * a[name].norm() + 1e-12, name
    return any(bool(g.any()) for g in a.values())


def bytes_of_a_step(network, batch):
    neurons = sum(network.plan.spec.size_of(name) for name in network.plan.spec.populations)
    return 4 * (2 + len(network.plan.currents)) * neurons * -(-batch // 16) * 16


@pytest.mark.parametrize("name", CHIPS)
@pytest.mark.parametrize("steps", [1, 4, 19])
def test_steps_run_twice_give_the_same(monkeypatch, name, steps):
    """Tapes of about `steps` steps fit; 40 steps are run."""
    spans, moved = [], 0
    for seed in range(4):
        rng = np.random.default_rng([5, seed])
        network = random_network(rng, name)
        x = random_events(rng, network, steps=40, batch=21)
        whole = outcome(network, x)
        monkeypatch.setattr(sequence, "TAPE", steps * sequence.SHARE * bytes_of_a_step(network, 21))
        counted = sequence.Run._spans
        monkeypatch.setattr(sequence.Run, "_spans", lambda run, of=counted: spans.append(of(run)) or spans[-1])
        again = outcome(network, x)
        monkeypatch.undo()
        assert all(torch.equal(a, b) for a, b in zip(whole[0], again[0], strict=True))
        assert all(torch.equal(a, again[1].history[n]) for n, a in whole[1].history.items())
        moved += close(whole[2], again[2])
    assert moved > 1
    assert all(again for _, again in spans) == (steps < 10) and (steps > 10 or min(len(cut) for cut, _ in spans) > 1)


@pytest.mark.parametrize("model", ["linear", "linear_to_zero"])
@pytest.mark.parametrize("reset", ["subtract", "to_value"])
def test_every_state_is_carried_over_a_cut(monkeypatch, make, events, model, reset):
    overrides = (
        f"neuron.leak={model}",
        f"neuron.reset={reset}",
        "neuron.adaptation=threshold",
        "neuron.refractory=hold",
    )
    hidden = {"size": 20, "refractory_s": 3e-3, "leak": 0.0625, "adaptation": {"strength": 0.25, "decay": 0.875}}
    populations = {"hidden": hidden, "out": {"size": 4, "leak": 0.0625}}
    network = make("generic", overrides, populations=populations, detach_reset=False)
    x = events(network, steps=30, batch=17)
    whole = outcome(network, x)
    monkeypatch.setattr(sequence, "TAPE", 12 * bytes_of_a_step(network, 17))
    again = outcome(network, x)
    assert all(torch.equal(a, b) for a, b in zip(whole[0], again[0], strict=True))
    assert close(whole[2], again[2])


def pieces(network, x, steps):
    """The same by hand: a call for every piece, the state without gradient in between."""
    names = tuple(network.plan.spec.populations)
    state, spikes, v = None, [], []
    for first in range(0, len(next(iter(x.values()))), steps):
        _, record = network({n: part[first : first + steps] for n, part in x.items()}, state=state, record=names)
        state = record.state
        spikes.append(record.spikes)
        v.append(record.v)
    g = torch.Generator().manual_seed(3)
    values = [torch.cat([part[name] for part in parts]) for parts in (spikes, v) for name in names]
    network.zero_grad()
    sum((part * torch.rand(part.shape, generator=g)).sum() for part in values).backward()
    return values, {name: p.grad.clone() for name, p in network.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("name", CHIPS)
@pytest.mark.parametrize("short", [False, True])
def test_a_cut_gradient_is_that_of_pieces(monkeypatch, name, short):
    rng = np.random.default_rng(7)
    network = random_network(rng, name)
    x = random_events(rng, network, steps=33, batch=18)
    wanted, gradients = pieces(network, x, 8)
    if short:
        monkeypatch.setattr(sequence, "TAPE", 3 * sequence.SHARE * bytes_of_a_step(network, 18))
    values, _, have = outcome(network, x, truncate_steps=8)
    assert all(torch.equal(a, b) for a, b in zip(wanted, values, strict=True))
    assert close(gradients, have)
    with pytest.raises(AssertionError):
        close(gradients, outcome(network, x)[2])


def test_the_reference_is_cut_at_the_same_steps(make, events):
    network = make("generic")
    x = events(network, steps=21, batch=5)
    values, _, gradients = outcome(network, x, truncate_steps=6)
    network._goes_by_words = lambda *_: False
    reference = outcome(network, x, truncate_steps=6)
    assert all(torch.equal(a, b) for a, b in zip(values, reference[0], strict=True))
    assert close(gradients, reference[2])


def test_backward_twice_gives_the_same(monkeypatch, make, events):
    network = make("generic")
    x = events(network, steps=30, batch=5)
    monkeypatch.setattr(sequence, "TAPE", 12 * bytes_of_a_step(network, 5))
    outputs, _ = network(x)
    found = []
    for _ in range(2):
        network.zero_grad()
        outputs.square().sum().backward(retain_graph=True)
        found.append({name: p.grad.clone() for name, p in network.named_parameters() if p.grad is not None})
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])


@pytest.mark.parametrize("steps", [0, -1, 2.5, "all"])
def test_what_is_no_number_of_steps_is_refused(make, events, steps):
    network = make("generic")
    with pytest.raises(DataError, match="truncate_steps is .* allowed: a whole number of steps"):
        network(events(network), truncate_steps=steps)


@pytest.mark.parametrize("batch", [3, 40])
def test_tiles_cut_by_neurons_give_the_same(monkeypatch, make, events, batch):
    """Fewer tiles than threads: each loop takes some neurons, step by step."""
    network = make("generic", populations={"hidden": {"size": 150}, "out": {"size": 11}})
    x = events(network, steps=12, batch=batch)
    whole = outcome(network, x)
    monkeypatch.setattr(sequence, "WORTH_A_PART", 1)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 5)
    cut = outcome(network, x)
    assert all(torch.equal(a, b) for a, b in zip(whole[0], cut[0], strict=True))
    assert all(torch.equal(a, cut[2][name]) for name, a in whole[2].items())
