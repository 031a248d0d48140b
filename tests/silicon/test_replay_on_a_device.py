"""On one device the network and the replay of its tables still give every spike and every membrane value alike."""

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_networks import differences, random_events, random_network, with_mismatch

import neuro
from neuro.silicon import deviation_of

MANY = settings(deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None)
ANALOG = ["dynapse1", "dynapse2", "generic", "binary-core"]


def device_of(network, seed, scale=1.0):
    places = np.concatenate(list(network.plan.locations.values()))
    return neuro.virtual_chip(network.plan.chip, seed, scale, places)


def spikes(network, x, deviation=None):
    names = tuple(network.plan.spec.populations)
    with torch.inference_mode():
        record = network(x, record=names, deviation=deviation)[1]
    return torch.cat([record.spikes[n].flatten() for n in names]), torch.cat([record.v[n].flatten() for n in names])


@pytest.mark.parametrize("name", ANALOG)
@settings(MANY, max_examples=12)
@given(seed=st.integers(0, 2**32 - 1))
def test_replay_equals_the_network_on_a_device(name, seed):
    rng = np.random.default_rng(seed)
    network = with_mismatch(random_network(rng, name), rng)
    virtual = device_of(network, int(rng.integers(1000)))
    assert differences(network, neuro.export(network), random_events(rng, network), virtual) == []


@pytest.mark.parametrize("name", ANALOG)
def test_a_device_without_spread_is_the_plain_chip_bit_for_bit(name):
    for seed in range(6):
        rng = np.random.default_rng(seed)
        network = with_mismatch(random_network(rng, name), rng)
        plain, x = device_of(network, seed, 0.0), random_events(rng, network)
        deviation = deviation_of(network.plan, plain)
        for a, b in zip(spikes(network, x), spikes(network, x, deviation), strict=True):
            assert torch.equal(a, b)
        assert differences(network, neuro.export(network), x, plain) == []


@pytest.mark.parametrize("name", ANALOG)
def test_devices_do_differ(name):
    changed = 0
    for seed in range(6):
        rng = np.random.default_rng(seed)
        network = with_mismatch(random_network(rng, name), rng)
        x = random_events(rng, network)
        one, other = (deviation_of(network.plan, device_of(network, k)) for k in (1, 2))
        changed += not torch.equal(spikes(network, x, one)[1], spikes(network, x, other)[1])
    assert changed >= 3
