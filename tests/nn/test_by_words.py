"""The compiled loops over words give the bits of the reference in tensors, and its gradients, whatever the neuron."""

import copy
import itertools
import os

import numpy as np
import pytest
import torch
from random_networks import CHIPS, random_events, random_network

import neuro
from neuro.dynamics import columns, worth
from neuro.dynamics.surrogate import SHAPES
from neuro.errors import DataError
from neuro.nn.propagate import run_groups
from neuro.nn.state import NetworkState
from neuro.task import Surrogate

MODELS = list(
    itertools.product(
        ("exponential", "linear", "linear_to_zero"),
        ("subtract", "to_value"),
        ("integrate", "hold"),
        ("none", "current", "threshold"),
        (None, -0.25),
    )
)


def by_groups(network, x, state=None, dtype=torch.float32):
    """Run with tensors alone; the state, the events and the weights in the type asked for."""
    batch = next(iter(x.values())).shape[1]
    state = state or network._zero_state(batch, torch.device("cpu"))
    neurons = {g: type(s)(*(p if p.dtype == torch.int32 else p.to(dtype) for p in s)) for g, s in state.neurons.items()}
    state = NetworkState(neurons, {n: h.to(dtype) for n, h in state.history.items()}, {})
    weights = {
        name: memory.spread(memory(network.latents[name])).to(dtype) for name, memory in network.memories.items()
    }
    signals = {name: values.to(dtype) for name, values in x.items()}
    return run_groups(network.plan, network._groups, signals, weights, state, network._reach, network._constants)


def same_forward(network, x, state=None):
    names = tuple(network.plan.spec.populations)
    assert network._goes_by_words(x, network._weights())
    _, record = network(x, state=state, record=names)
    spikes, v, kept = by_groups(network, x, state)
    assert all(torch.equal(record.spikes[n], spikes[n]) and torch.equal(record.v[n], v[n]) for n in names)
    for group, last in kept.neurons.items():
        have = record.state.neurons[group]
        if not any(network.plan.spec.populations[name].adaptation for name in group):
            have = have._replace(a=last.a)  # counted or not: nothing reads it
        assert all(torch.equal(a, b) for a, b in zip(have, last, strict=True)), group
    assert all(torch.equal(record.state.history[n], h) for n, h in kept.history.items())
    return record


def gradients(network, spikes, v, dtype):
    g = torch.Generator().manual_seed(3)
    total = 0
    for name, values in [*sorted(spikes.items()), *sorted(v.items())]:
        assert values.shape[2] == network.plan.spec.size_of(name)
        total = total + (values * torch.rand(values.shape, generator=g, dtype=torch.float64).to(dtype)).sum()
    network.zero_grad()
    total.backward()
    return {name: p.grad.clone() for name, p in network.latents.items() if p.grad is not None}


def same_gradients(network, x):
    names = tuple(network.plan.spec.populations)
    _, record = network(x, record=names)
    have = gradients(network, record.spikes, record.v, torch.float32)
    exact_spikes, v, _ = by_groups(network, x, dtype=torch.float64)
    if any(not torch.equal(exact_spikes[n].float(), record.spikes[n]) for n in names):
        return False  # a membrane within rounding of its threshold: the two are different functions there
    wanted = gradients(network, exact_spikes, v, torch.float64)
    reference_spikes, v, _ = by_groups(network, x)
    reference = gradients(network, reference_spikes, v, torch.float32)
    for name, exact in wanted.items():
        size = exact.norm()
        error, own = (have[name] - exact).norm(), (reference[name] - exact).norm()
        assert error <= max(2 * own, 1e-5 * size), (name, error / size, own / size)
    return True


@pytest.mark.parametrize("model", MODELS, ids=lambda m: "-".join(map(str, m)))
def test_every_neuron_model(make, events, model):
    leak, reset, refractory, adaptation, floor = model
    overrides = [f"neuron.leak={leak}", f"neuron.reset={reset}", f"neuron.refractory={refractory}"]
    overrides += [f"neuron.adaptation={adaptation}", f"neuron.floor={'null' if floor is None else floor}"]
    membrane = {"decay_mem": 0.75} if leak == "exponential" else {"leak": 0.125}
    more = {} if adaptation == "none" else {"adaptation": {"strength": 0.25, "decay": 0.5}}
    v_reset = {"v_reset": 0.125} if reset == "to_value" else {}
    populations = {
        "hidden": {"size": 20, "refractory_s": 2e-3, "bias": 0.03125, **membrane, **more, **v_reset},
        "out": {"size": 4, **membrane},
    }
    network = make("generic", tuple(overrides), populations=populations, detach_reset=refractory == "hold")
    x = events(network, steps=14, batch=19)
    record = same_forward(network, x)
    assert record.spikes["hidden"].sum() > 20
    assert same_gradients(network, x)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("detach", [True, False])
def test_every_surrogate(make, events, shape, detach):
    surrogate = Surrogate(name=shape, width=0.75, scale=0.5)
    network = make("generic", surrogate=surrogate, detach_reset=detach)
    assert same_gradients(network, events(network, batch=16))


@pytest.mark.parametrize("name", CHIPS)
def test_random_networks(name):
    compared = 0
    for seed in range(12):
        rng = np.random.default_rng([3, seed])
        network = random_network(rng, name)
        x = random_events(rng, network, steps=20, batch=int(rng.integers(1, 40)))
        record = same_forward(network, x)
        same_forward(network, random_events(rng, network, steps=5, batch=x[next(iter(x))].shape[1]), record.state)
        compared += same_gradients(network, x)
    assert compared > 6


@pytest.mark.parametrize("chip", ["generic", "dynapse1", "dynapse2"])
@pytest.mark.parametrize("many", [-1.0, 17.0], ids=["by masks", "by events"])
def test_gradients_of_entries_both_ways(make, events, monkeypatch, chip, many):
    monkeypatch.setattr(worth, "MANY", many)
    dense = make(chip, populations={"hidden": {"size": 40}, "out": {"size": 10}}, inputs={"x": 40})
    network = neuro.Network(dense.plan, seed=0, storage="slots", reserve=3)
    assert same_gradients(network, events(network, steps=12, batch=37))


@pytest.mark.parametrize("share", [0.0, 2.0], ids=["by tables", "by words"])
def test_gradients_come_back_both_ways(monkeypatch, share):
    monkeypatch.setattr(columns, "DENSE_BACK", share)
    compared = 0
    for seed in range(6):
        rng = np.random.default_rng([9, seed])
        network = random_network(rng, "generic")
        compared += same_gradients(network, random_events(rng, network, steps=20, batch=19))
    assert compared > 2


def test_threads_do_not_matter(make, events):
    network = make("dynapse2", populations={"hidden": {"size": 150}, "out": {"size": 10}}, inputs={"x": 40})
    x, found = events(network, steps=9, batch=70), []
    before = torch.get_num_threads()
    try:
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            _, record = network(x, record=("hidden", "out"))
            found.append((record, gradients(network, record.spikes, record.v, torch.float32)))
    finally:
        torch.set_num_threads(before)
    for record, grads in found[1:]:
        assert torch.equal(record.spikes["hidden"], found[0][0].spikes["hidden"])
        assert all(torch.equal(grads[n], g) for n, g in found[0][1].items())


def test_silence_and_single_steps(make, events):
    network = make("generic")
    quiet = {"x": torch.zeros(1, 1, 5)}
    same_forward(network, quiet)
    _, record = network(quiet, record=("hidden",))
    grads = gradients(network, record.spikes, record.v, torch.float32)
    assert all((g == 0).all() for g in grads.values())


def test_without_gradients_nothing_is_kept(make, events):
    network = make("generic")
    with torch.no_grad():
        outputs, _ = network(events(network))
    assert not outputs.requires_grad
    again, _ = network(events(network))
    assert torch.equal(outputs, again) and again.requires_grad


def test_a_gradient_for_the_input_goes_by_tensors(make, events):
    network = make("generic")
    x = events(network)
    x["x"].requires_grad_()
    outputs, _ = network(x)
    outputs.sum().backward()
    assert x["x"].grad is not None
    assert torch.equal(outputs.detach(), network(events(network))[0].detach())


def test_float_twins_go_by_tensors(make, events):
    network = make("generic", ("weights.kind=float",))
    assert not network._goes_by_words(events(network), network._weights())


def test_states_of_other_networks_are_refused(make, events):
    network = make("dynapse2", delay_lines=(0, 9))
    x = events(network, batch=20)
    _, record = make("dynapse2", delay_lines=(0,))(x)
    with pytest.raises(DataError, match="another network"):
        network(x, state=record.state)
    _, good = network(x)
    other_size = make("dynapse2", delay_lines=(0, 9), populations={"hidden": {"size": 7}, "out": {"size": 4}})
    with pytest.raises(DataError, match="another network"):
        other_size(x, state=good.state)
    with pytest.raises(DataError, match="20 samples"):
        network(events(network, batch=3), state=good.state)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of forking beside threads: that it works is what is tested
def test_a_forked_child_goes_on(make, events):
    network = make("generic", populations={"hidden": {"size": 40}, "out": {"size": 4}})
    x, before = events(network, batch=64), torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with torch.no_grad():
            expected = network(x)[0]
            child = os.fork()
            if child == 0:
                os._exit(0 if torch.equal(network(x)[0], expected) else 1)
        assert os.waitpid(child, 0)[1] == 0
    finally:
        torch.set_num_threads(before)


def test_a_copy_carries_no_buffers(make, events):
    network = make("generic")
    x = events(network, steps=40, batch=64)
    network(x)[0].sum().backward()
    twin = copy.deepcopy(network)
    assert not twin._words(torch.device("cpu")).spiking.buffers.free
    assert torch.equal(twin(x)[0], network(x)[0])


def test_what_is_held_is_not_written_to_again(make, events):
    network = make("generic")
    first, other = (events(network, steps=40, batch=64, seed=s) for s in (0, 1))
    held = network(first, record=("hidden",))[1].spikes["hidden"]
    part, place, before = held[3:, 1].detach(), held.data_ptr(), held.detach().clone()
    again = network(other, record=("hidden",))[1].spikes["hidden"]
    assert torch.equal(held, before) and not torch.equal(held, again)
    del held
    network(other, record=("hidden",))
    assert torch.equal(part, before[3:, 1])
    free = network._words(torch.device("cpu")).spiking.buffers.free
    assert place not in {array.ctypes.data for arrays in free.values() for array in arrays}
    del part
    assert place in {array.ctypes.data for arrays in free.values() for array in arrays}


def test_a_load_that_fails_leaves_the_network_as_it_was(make, events):
    network, other = make("generic"), make("generic", populations={"hidden": {"size": 6}, "out": {"size": 5}})
    before = {k: v.clone() for k, v in network.state_dict().items()}
    held = list(network.parameters())
    with pytest.raises(RuntimeError):
        network.load_state_dict(other.state_dict())
    assert all(a is b for a, b in zip(network.parameters(), held, strict=True))
    assert all(torch.equal(before[k], v) for k, v in network.state_dict().items())
    network(events(network))
