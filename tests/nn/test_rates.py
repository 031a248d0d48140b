"""Mean spikes, and membranes of the last step alone: what a loss on all of them gives, at less cost."""

import numpy as np
import pytest
import torch
from random_networks import CHIPS, random_events, random_network

from neuro.dynamics import sequence
from neuro.errors import DataError


def through(network, x, *, cheap, beside=True, **options):
    """Gradients of a loss on rates and last membranes, taken from `rates` and "last" or from every step's values."""
    names = tuple(network.plan.spec.populations)
    outputs, record = network(x, record=names, membranes="last" if cheap else True, **options)
    g, total = torch.Generator().manual_seed(2), 0.0
    for name in names:
        z, v = record.spikes[name], record.v[name]
        rates = record.rates[name] if cheap else z.mean((0, 1))
        assert v.shape == (1 if cheap else len(z), *z.shape[1:])
        total = total + (rates.square() * torch.rand(rates.shape, generator=g)).sum()
        total = total + (v[-1] * torch.rand(v[-1].shape, generator=g)).mean()
        total = total + (z * torch.rand(z.shape, generator=g)).mean() * beside
    network.zero_grad()
    total.backward()
    return record, {name: p.grad.clone() for name, p in network.named_parameters() if p.grad is not None}


def alike(network, x, **options):
    (cheap, few), (whole, all_) = (through(network, x, cheap=c, **options) for c in (True, False))
    for name, z in whole.spikes.items():
        assert torch.equal(cheap.spikes[name], z) and torch.equal(cheap.v[name][0], whole.v[name][-1])
        torch.testing.assert_close(cheap.rates[name], z.double().mean((0, 1)).float(), rtol=1e-6, atol=0)
    assert few.keys() == all_.keys() and few
    for name, grad in all_.items():
        assert (few[name] - grad).norm() <= 1e-5 * grad.norm() + 1e-12, name
    return any(bool(grad.any()) for grad in all_.values())


@pytest.mark.parametrize("name", CHIPS)
@pytest.mark.parametrize("batch", [16, 21])
def test_gradients_are_those_of_every_step(name, batch):
    moved = 0
    for seed in range(4):
        rng = np.random.default_rng([7, seed])
        network = random_network(rng, name)
        moved += alike(network, random_events(rng, network, steps=14, batch=batch), beside=seed % 2)
    assert moved > 1


@pytest.mark.parametrize("options", [{}, {"truncate_steps": 7}])
@pytest.mark.parametrize("batch", [3, 32])
def test_samples_that_are_not_there_have_no_part(monkeypatch, make, events, options, batch):
    """Neurons with a bias spike by themselves, in the empty places beside the samples too; and in spans, run twice."""
    populations = {"hidden": {"size": 20, "bias": 0.4}, "out": {"size": 5, "bias": 0.3}}
    network = make("generic", ("neuron.adaptation=threshold",), populations=populations)
    x = events(network, steps=24, batch=batch, p=0.2)
    assert alike(network, x, **options)
    monkeypatch.setattr(sequence, "TAPE", 2**14)
    assert alike(network, x, **options)


@pytest.mark.parametrize("name", CHIPS)
def test_what_is_not_shown_changes_nothing(name):
    """Whether membranes are shown or not, in pieces without gradient between them or as a whole."""
    for seed in range(3):
        rng = np.random.default_rng([8, seed])
        network = random_network(rng, name)
        x, names = random_events(rng, network, steps=17, batch=5), tuple(network.plan.spec.populations)
        for cut in (None, 4):
            found = []
            for membranes in (True, "last", False):
                _, record = network(x, record=names, membranes=membranes, truncate_steps=cut)
                network.zero_grad()
                sum(z.sum() for z in record.spikes.values()).backward()
                found.append([*record.spikes.values(), *(p.grad.clone() for p in network.latents.values())])
            for other in found[1:]:
                assert all(torch.equal(a, b) for a, b in zip(found[0], other, strict=True))


def test_tensors_give_the_same(make, events):
    network = make("generic", ("weights.kind=float",))
    assert not network._goes_by_words(events(network), network._weights())
    assert alike(network, events(network, batch=5))


def test_other_wishes_for_membranes_are_refused(make, events):
    network = make("dynapse1")
    with pytest.raises(DataError, match="membranes is 'first', allowed: True, False, or 'last'"):
        network(events(network), membranes="first")
