"""Gradients of what a device makes of words: by finite differences where they are true ones, by definition elsewhere."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from random_networks import random_network, with_mismatch

import neuro
from neuro.dynamics import NeuronModel, ParameterSet, deviated, stack
from neuro.nn.deviation import device_weight, entry_factors, weight_on
from neuro.silicon import drawn_deviation


def cases(name):
    for seed in range(4):
        rng = np.random.default_rng([11, seed])
        network = with_mismatch(random_network(rng, name), rng)
        deviation = drawn_deviation(network.plan, seed)
        for key, memory in network.memories.items():
            yield rng, network, network.latents[key], memory, deviation.memories[key]


@pytest.mark.parametrize("name", ["dynapse1", "dynapse2", "binary-core"])
def test_factors_of_words_have_the_slope_of_finite_differences(name):
    compared = 0
    for rng, _, latent, memory, found in cases(name):
        push = torch.from_numpy(rng.normal(size=latent.shape)).float()
        words = found.words.clone().requires_grad_()
        (slope,) = torch.autograd.grad((weight_on(memory, latent, replace(found, words=words)) * push).sum(), words)
        step = 0.125  # the weight is linear in a factor but for rounding: at most a unit for each word and bit
        grid = float(memory.bases[0].grid()[memory.cores].max())
        words_there = memory.code.abs().amax() * 4 if memory.scheme.empty == 0 else 1
        rounding = grid * float(words_there) * float(push.abs().flatten(1).sum(1).max())
        for place in list(np.ndindex(*words.shape))[:12]:
            ends = []
            for sign in (-1, 1):
                moved = found.words.clone()
                moved[place] += sign * step
                weight = device_weight(memory, memory.code, replace(found, words=moved)).double()
                ends.append(float((weight * push).sum()))
            true = (ends[1] - ends[0]) / (2 * step)
            assert abs(float(slope[place]) - true) <= 1e-4 * abs(true) + rounding / step
            compared += abs(true) > 0.01
    assert compared > 10


@pytest.mark.parametrize("name", ["dynapse1", "dynapse2", "binary-core", "generic"])
def test_latents_get_the_gradient_times_the_factor_of_their_type(name):
    for rng, _, latent, memory, found in cases(name):
        push = torch.from_numpy(rng.normal(size=latent.shape)).float()
        leaf = latent.detach().clone().requires_grad_()
        (weight_on(memory, leaf, found) * push).sum().backward()
        wanted = push * entry_factors(memory, latent.detach(), found.words)
        wanted = wanted if memory.allowed is None else wanted * memory.allowed
        assert torch.allclose(leaf.grad, wanted.float().expand_as(latent), rtol=1e-6, atol=0)


@pytest.mark.parametrize("name", ["dynapse1", "dynapse2"])
def test_base_weights_get_the_sum_over_the_neurons_of_their_core(name):
    for rng, network, latent, memory, found in cases(name):
        push = torch.from_numpy(rng.normal(size=latent.shape)).float()
        network.zero_grad()
        (weight_on(memory, latent, found) * push).sum().backward()
        units, grid = network.bases.units, network.bases.grid()
        wanted = torch.zeros(units.shape, dtype=torch.float64)
        for core, k in np.ndindex(*units.shape):
            ends = []
            for sign in (-1, 1):
                values = network.bases.values().double()
                values[core, k] *= 1 + sign / 8
                moved = replace_bases(memory, values)
                ends.append(float((device_weight(moved, memory.code, found).double() * push).sum()))
            wanted[core, k] = (ends[1] - ends[0]) * 4
        assert torch.allclose(network.bases.latent.grad.double(), wanted, rtol=0.02, atol=0.02 + float(grid.max()) * 50)


def replace_bases(memory, values):
    """A memory like another whose cores have other base weights."""

    class Other:
        scheme = memory.scheme.with_bases(values[memory.cores])
        bases, cores = memory.bases, memory.cores

    return Other


def test_a_latent_moved_without_projection_is_refused_on_a_device():
    rng = np.random.default_rng(3)
    network = with_mismatch(random_network(rng, "dynapse1"), rng)
    deviation = drawn_deviation(network.plan, 0)
    key = next(iter(network.latents))
    with torch.no_grad():
        network.latents[key].data += 0.25
    x = {name: torch.zeros(3, 1, n) for name, n in network.plan.spec.inputs.items()}
    with pytest.raises(neuro.NeuroError, match="projection"):
        network(x, deviation=deviation)


def test_sums_that_could_be_rounded_are_refused():
    rng = np.random.default_rng(3)
    network = with_mismatch(random_network(rng, "dynapse1"), rng)
    deviation = drawn_deviation(network.plan, 0)
    huge = {key: replace(m, words=m.words * 2.0**24) for key, m in deviation.memories.items()}
    x = {name: torch.zeros(3, 1, n) for name, n in network.plan.spec.inputs.items()}
    with pytest.raises(neuro.NeuroError, match="on this device: Σ"):
        network(x, deviation=replace(deviation, memories=huge))


@pytest.mark.parametrize("leak", ["exponential", "linear"])
def test_trained_constants_have_the_slope_of_finite_differences(leak):
    model, factor = NeuronModel(leak=leak), np.array([0.6, 1.0, 1.7])
    factors = {"tau_mem": factor, "tau_syn": np.stack([factor, factor[::-1]]), "threshold": factor}
    start = {"leak": [0.9, 0.5, 0.25], "decay_syn": [[0.8, 0.3, 0.0], [0.1, 0.95, 0.6]], "theta": [1.0, 0.3, 2.5]}
    plain = stack([ParameterSet(0.5, (0.5, 0.5), 1.0)], [3], torch.float64)

    def given(**changed):
        values = {name: torch.tensor(changed.get(name, old), dtype=torch.float64) for name, old in start.items()}
        return plain._replace(**values)

    for name, value in start.items():
        leaf = torch.tensor(value, dtype=torch.float64, requires_grad=True)
        getattr(deviated(model, plain._replace(**{name: leaf}), factors), name).sum().backward()
        ends = [
            getattr(deviated(model, given(**{name: (np.array(value) + d).tolist()}), factors), name) for d in (0, 1e-7)
        ]
        there = leaf.detach() != 0  # a decay of 0 stays 0 and gets no gradient
        assert torch.allclose(leaf.grad[there], ((ends[1] - ends[0]) / 1e-7)[there], rtol=1e-5)


@pytest.mark.parametrize("leak", ["exponential", "linear"])
def test_factors_of_constants_have_the_slope_of_finite_differences(leak):
    model, factor = NeuronModel(leak=leak), np.array([0.6, 1.0, 1.7])
    start = {"leak": [0.9, 0.5, 0.25], "decay_syn": [[0.8, 0.3, 0.0], [0.1, 0.95, 0.6]], "theta": [1.0, 0.3, 2.5]}
    values = {name: torch.tensor(old, dtype=torch.float64) for name, old in start.items()}
    plain = stack([ParameterSet(0.5, (0.5, 0.5), 1.0)], [3], torch.float64)._replace(**values)
    factors = {"tau_mem": factor, "tau_syn": np.stack([factor, factor[::-1]]), "threshold": factor}
    for parameter, name in (("tau_mem", "leak"), ("tau_syn", "decay_syn"), ("threshold", "theta")):
        leaf = torch.tensor(factors[parameter].copy(), requires_grad=True)
        trained = values[name].clone().requires_grad_()
        both = deviated(model, plain._replace(**{name: trained}), {**factors, parameter: leaf})
        assert torch.equal(getattr(both, name), getattr(deviated(model, plain, factors), name))
        getattr(both, name).sum().backward()
        ends = [
            getattr(deviated(model, plain, {**factors, parameter: factors[parameter] + d}), name) for d in (-1e-6, 1e-6)
        ]
        assert torch.allclose(leaf.grad, (ends[1] - ends[0]) / 2e-6, rtol=1e-6, atol=1e-8), parameter
        alone = values[name].clone().requires_grad_()
        getattr(deviated(model, plain._replace(**{name: alone}), factors), name).sum().backward()
        assert torch.equal(trained.grad, alone.grad)
