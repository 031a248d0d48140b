"""Sources tried by gradient: the gradient is that of a network that holds them, the best are taken, runs repeat."""

import pytest
import torch

import neuro
from neuro.errors import NeuroError
from neuro.rewiring import QRewiring, Redraw, Stochastic


@pytest.fixture
def network(make):
    plan = make("generic", ("slots=4",)).plan
    return lambda seed=0: neuro.Network(plan, storage="slots", reserve=2, seed=seed)


def wrapped(network, **options):
    growth = Redraw(**{"every": 3, "share": 1.0, "candidates": 5} | options)
    return QRewiring(torch.optim.Adam(network.parameter_groups(lr=0.05)), network, growth=growth)


def step(network, optimizer, loss):
    optimizer.zero_grad()
    loss(network).backward()
    optimizer.step()


@pytest.mark.parametrize("by", ["words", "tensors"])
def test_the_gradient_is_that_of_the_dense_network(network, loss, by, monkeypatch):
    if by == "tensors":
        monkeypatch.setattr(neuro.Network, "_goes_by_words", lambda *_: False)
    slots = network()
    wrapped(slots, every=1)
    dense = neuro.Network(slots.plan)
    with torch.no_grad():
        for name, latent in slots.latents.items():
            dense.latents[name].copy_(slots.memories[name].spread(latent))
    dense.bases.set(slots.bases.values())
    dense.project()
    value = loss(slots)
    assert torch.equal(value, loss(dense))
    value.backward()
    loss(dense).backward()
    for name, memory in slots.memories.items():
        tried = memory.candidates
        assert tried.columns.shape[1] > 0 and not (tried.columns[:, :, None] == memory.source[:, None]).any()
        index = tried.columns[:, :, None, None].expand_as(tried.weight)
        wanted = dense.latents[name].grad.gather(1, index)
        torch.testing.assert_close(tried.weight.grad * tried.usable, wanted * tried.usable, rtol=1e-4, atol=1e-7)
        assert wanted.abs().max() > 0 or name == "out"  # one candidate, silent


def test_the_best_candidates_are_taken_with_latents_and_moments_of_0(network, loss):
    net = network()
    optimizer = wrapped(net)
    step(net, optimizer, loss)
    step(net, optimizer, loss)
    optimizer.zero_grad()
    loss(net).backward()
    before = {name: memory.source.clone() for name, memory in net.memories.items()}
    best = {name: memory.candidates.best_first() for name, memory in net.memories.items()}
    optimizer.step()
    assert net.violations() == []
    taken = 0
    for name, memory in net.memories.items():
        for n, (old, new) in enumerate(zip(before[name].tolist(), memory.source.tolist(), strict=True)):
            fresh = sorted(set(new) - set(old))
            assert fresh == sorted(best[name][n, : len(fresh)].tolist())
            at = [new.index(column) for column in fresh]
            moments = optimizer.state[net.latents[name]]["exp_avg"]
            assert (net.latents[name][n, at] == 0).all() and (moments[n, at] == 0).all()
            taken += len(fresh)
        assert memory.candidates is None
    assert taken > 5


def test_nothing_is_tried_in_evaluation_or_in_other_steps(network, loss):
    net = network()
    optimizer = wrapped(net)
    step(net, optimizer, loss)
    assert all(m.candidates is None for m in net.memories.values())
    step(net, optimizer, loss)
    with torch.no_grad():
        loss(net)
    loss(net.eval())
    assert all(m.candidates is None for m in net.memories.values())
    loss(net.train())
    assert all(m.candidates is not None for m in net.memories.values())


@pytest.mark.parametrize("after", [2, 3, 4])
def test_resumed_equals_uninterrupted(network, loss, after):
    whole, half, again = network(), network(), network(9)
    optimizer = wrapped(whole)
    for _ in range(7):
        step(whole, optimizer, loss)
    optimizer = wrapped(half)
    for _ in range(after):
        step(half, optimizer, loss)
    state, optimizer = optimizer.state_dict(), wrapped(again)
    optimizer.load_state_dict(state)
    again.load_state_dict(half.state_dict())
    for _ in range(7 - after):
        step(again, optimizer, loss)
    assert all(torch.equal(v, again.state_dict()[k]) for k, v in whole.state_dict().items())


def test_with_drawn_codes_and_more_candidates_than_there_are(network, loss):
    net = network()
    growth = Redraw(every=1, share=1.0, candidates=1000)
    optimizer = QRewiring(torch.optim.Adam(net.parameter_groups(lr=0.05)), net, growth=growth, rounding=Stochastic())
    for _ in range(4):
        step(net, optimizer, loss)
        assert net.violations() == []


def test_refusals(network):
    with pytest.raises(NeuroError, match="candidates is -1"):
        Redraw(candidates=-1)
    net = network()
    two = (Redraw(candidates=2), Redraw(candidates=3))
    with pytest.raises(NeuroError, match="2 parts that try candidates"):
        QRewiring(torch.optim.Adam(net.parameters()), net, growth=two)
