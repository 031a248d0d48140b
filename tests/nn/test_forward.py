"""The forward pass against a slow simulation from plan and codes: the same spikes and membranes, bit for bit."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_network import simulate, weights

import neuro

TWO = {"fast": 0.005, "slow": 0.02}
CASES = {
    "dynapse1, recurrent": ("dynapse1", ["slots=8"], {}),
    "dynapse1, two currents, adaptation, refractory": (
        "dynapse1", ["slots=12"],
        {"populations": {"hidden": {"size": 6, "tau_syn_s": TWO, "tau_mem_s": 0.02, "refractory_s": 0.002,
                                    "adaptation": {"strength": 0.1, "tau_s": 0.05}},
                         "out": {"size": 4, "tau_mem_s": 0.01, "bias": 0.125, "v_reset": 0.25, "threshold": 0.75}}},
    ),
    "dynapse1, shunting as subtractive": (
        "dynapse1", ["slots=12"],
        {"populations": {"hidden": {"size": 6, "tau_syn_s": TWO}, "out": {"size": 4, "tau_syn_s": {"slow": 0.01}}},
         "shunting_as_subtractive": True},
    ),
    "dynapse1, skip connections, two inputs, a cycle of populations": (
        "dynapse1", ["slots=16"],
        {"inputs": {"x": 4, "w": 3},
         "populations": {n: {"size": 4} for n in "abcd"},
         "projections": (("x", "a"), ("w", "b"), ("a", "b"), ("b", "a"), ("b", "c"), ("x", "d"), ("a", "d"),
                         ("c", "d"), ("c", "c"))},
    ),
    "dynapse2, masks on delay lines": (
        "dynapse2", ["slots=10"],
        {"populations": {"hidden": {"size": 6, "tau_syn_s": TWO}, "out": {"size": 4}}, "delay_lines": (0, 4, 2)},
    ),
    "dynapse2, a projection with a delay": (
        "dynapse2", ["slots=10"],
        {"projections": (("x", "hidden", 3), ("hidden", "hidden", 4), ("hidden", "out")), "delay_lines": (0, 3)},
    ),
    "binary-core": ("binary-core", [], {"inputs": {"x": 9}}),
    "binary-core, route delays": (
        "binary-core", ["weights.levels=[0.5, 1.0, 3.0]"],
        {"populations": {"hidden": {"size": 6, "route_delay": 3, "refractory_s": 0.003},
                         "out": {"size": 4, "route_delay": 2}},
         "projections": (("x", "hidden"), ("hidden", "hidden"), ("out", "hidden"), ("hidden", "out"))},
    ),
    "generic, everything": (
        "generic", ["slots=20"],
        {"populations": {"hidden": {"size": 6, "decay_syn": {"slow": 0.9, "fast": 0.5}, "route_delay": 2,
                                    "adaptation": {"strength": 0.3, "decay": 0.9}, "refractory_s": 0.002},
                         "out": {"size": 4, "threshold": 0.5}},
         "projections": (("x", "hidden"), {"from": "hidden", "to": "hidden", "autapses": True}, ("x", "out", 5),
                         ("hidden", "out", 2), ("out", "hidden")),
         "delay_lines": (0, 1, 5)},
    ),
    "generic, linear leak": (
        "generic", ["neuron.leak=linear_to_zero", "neuron.reset=to_value", "neuron.floor=-0.25"],
        {"populations": {"hidden": {"size": 6, "leak": 0.05, "v_reset": -0.125}, "out": {"size": 4, "leak": 0.01}}},
    ),
    "truenorth, copies": (
        "truenorth", [],
        {"populations": {"hidden": {"size": 6, "tau_mem_s": 0.02, "tau_syn_s": 0.005, "route_delay": 3, "bias": 0.05},
                         "out": {"size": 4, "leak": 0.1, "tau_syn_s": 0.005, "threshold": 0.7}}},
    ),
    "truenorth, splitters": (
        "truenorth", ["cores.neurons=5", "cores.axons=6"],
        {"populations": {"hidden": {"size": 9, "tau_mem_s": 0.02, "tau_syn_s": 0.005, "refractory_s": 0.003},
                         "out": {"size": 4, "leak": 0.0, "tau_syn_s": 0.005, "route_delay": 2}},
         "projections": (("x", "hidden"), ("hidden", "hidden"), ("out", "hidden"), ("hidden", "out"))},
    ),
    "loihi, a memory that is short": (
        "loihi", ["cores.memory.bits=768", "cores.neurons=6", "neuron.decay_bits=5"],
        {"populations": {"hidden": {"size": 6, "tau_mem_s": 0.02, "tau_syn_s": 0.005, "refractory_s": 0.002, "bias": 0.05},
                         "out": {"size": 4, "tau_mem_s": 0.01, "tau_syn_s": 0.01, "threshold": 0.7}}},
    ),
    "xylo, short of words, two currents": (
        "xylo-audio2", ["weights.fan_out=4", "cores.neurons=14"],
        {"populations": {"hidden": {"size": 6, "tau_mem_s": 0.02, "tau_syn_s": TWO, "bias": 0.05},
                         "out": {"size": 4, "tau_mem_s": 0.01, "tau_syn_s": 0.01, "threshold": 0.7}}},
    ),
    "brainscales2": ("brainscales2", [], {}),
    "odin": (
        "odin", ["weights.base_max=0.25"],
        {"inputs": {"x": 9},
         "populations": {"hidden": {"size": 6, "tau_mem_s": 0.02, "tau_syn_s": 0.005},
                         "out": {"size": 4, "leak": 0.1, "tau_syn_s": 0.005, "threshold": 0.7}},
         "projections": (("x", "hidden"), ("hidden", "out"))},
    ),
    "float twin": ("dynapse1", ["weights.kind=float"], {"populations": {"out": {"size": 6}},
                                                        "projections": (("x", "out"), ("out", "out"))}),
}  # fmt: skip


def assert_same(network, x):
    names = tuple(network.plan.spec.populations)
    outputs, record = network(x, record=names)
    spikes, v = simulate(network, {n: s.numpy() for n, s in x.items()})
    for name in names:
        assert np.array_equal(record.spikes[name].detach().numpy(), spikes[name]), name
        assert np.array_equal(record.v[name].detach().numpy(), v[name]), name
    return spikes


@pytest.mark.parametrize("case", [c for c in CASES if c != "float twin"])
def test_spikes_are_those_of_the_slow_network(make, events, case):
    chip, overrides, fields = CASES[case]
    fired = 0
    for seed in range(3):
        network = make(chip, overrides, seed, **fields)
        assert network.violations() == []
        spikes = assert_same(network, events(network, steps=20, seed=seed))
        fired += sum(s.sum() for s in spikes.values())
    assert fired > 30


@st.composite
def any_network(draw, chip):
    inputs = {f"x{i}": draw(st.integers(1, 5)) for i in range(draw(st.integers(1, 2)))}
    names = [f"p{i}" for i in range(draw(st.integers(1, 4)))]
    currents = [c.name for c in chip.currents]
    populations = {
        name: {
            "size": draw(st.integers(1, 5)),
            "tau_mem_s": draw(st.sampled_from([0.003, 0.02])),
            "tau_syn_s": draw(st.sampled_from([0.002, *({c: 0.01} for c in currents), dict.fromkeys(currents, 0.004)])),
            "threshold": draw(st.sampled_from([0.5, 1.0, 1.3])),
            "refractory_s": draw(st.sampled_from([0.0, 0.002])),
            "v_reset": draw(st.sampled_from([0.0, 0.1])),
            "bias": draw(st.sampled_from([0.0, 0.05])),
            "route_delay": draw(st.integers(1, min(4, chip.delays.route_max))),
        }
        for name in names
    }
    if chip.neuron.adaptation != "none":
        for name in names:
            if draw(st.booleans()):
                populations[name]["adaptation"] = {"strength": 0.2, "tau_s": 0.02}
    projections = [
        {"from": source, "to": target, "autapses": draw(st.booleans())}
        for target in names
        for source in draw(st.lists(st.sampled_from([*inputs, *names]), min_size=1, unique=True))
    ]
    lines = draw(st.sampled_from([(0,), (0, 3), (2, 0)] if chip.delays.lines > 1 else [(0,)]))
    return {"inputs": inputs, "populations": populations, "projections": projections, "delay_lines": lines}


@pytest.mark.parametrize("name", ["dynapse1", "dynapse2", "binary-core", "generic"])
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_random_networks_are_those_of_the_slow_network(make, events, name, data):
    fields = data.draw(any_network(neuro.load_chip(name)))
    slots = [] if name == "binary-core" else [f"slots={data.draw(st.sampled_from([1, 3, 64]))}"]
    seed = data.draw(st.integers(0, 99))
    network = make(name, slots, seed, **fields)
    assert network.violations() == []
    assert_same(network, events(network, steps=10, seed=seed))


@pytest.mark.parametrize("case", [c for c in CASES if c != "float twin"])
def test_the_weight_read_is_what_the_codes_stand_for(make, case):
    chip, overrides, fields = CASES[case]
    network = make(chip, overrides, 1, **fields)
    for name, memory in network.memories.items():
        by_hand = weights(network, name)
        assert np.array_equal(memory.weight.numpy(), by_hand) and np.count_nonzero(by_hand)
        units = np.abs(by_hand).sum((1, 3)) / np.exp2(network.bases.exponents.numpy().min().astype(float))
        assert units.max() < 2**24
        budget = network.plan.chip.weights.slots
        words = memory.code if network.plan.chip.weights.kind == "counts" else (
            memory.code != (-1 if network.plan.chip.weights.kind == "levels" else 0))  # fmt: skip
        assert budget is None or int(words.flatten(1).sum(1).max()) <= budget


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("cuts", [(7,), (1, 2, 3), tuple(range(1, 20))])
def test_a_stretch_in_pieces_equals_the_whole(make, events, case, cuts):
    chip, overrides, fields = CASES[case]
    network = make(chip, overrides, 2, **fields)
    x = events(network, steps=20, seed=5)
    names = tuple(network.plan.spec.populations)
    whole, told = network(x, record=names)
    state, pieces, spikes, v = None, [], [], []
    for start, stop in itertools.pairwise((0, *cuts, 20)):
        part, record = network({n: s[start:stop] for n, s in x.items()}, state, names)
        state = record.state
        pieces.append(part), spikes.append(record.spikes), v.append(record.v)
    assert torch.equal(torch.cat(pieces), whole)
    for name in names:
        assert torch.equal(torch.cat([s[name] for s in spikes]), told.spikes[name])
        assert torch.equal(torch.cat([s[name] for s in v]), told.v[name])
    for a, b in zip(*(s.neurons.values() for s in (state, told.state)), strict=True):
        assert all(torch.equal(p, q) for p, q in zip(a, b, strict=True))


def test_spiking_and_linear_outputs(make, events):
    outputs = {
        "votes": {"population": "out", "classes": 3},
        "neurons": {"population": "out"},
        "line": {"population": "hidden", "readout": "linear", "classes": 2, "tau_out_s": 0.01},
    }
    network = make(populations={"hidden": {"size": 5}, "out": {"size": 6}}, outputs=outputs)
    x = events(network, steps=15)
    y, record = network(x, record=("hidden", "out"))
    z = record.spikes["out"]
    assert list(y) == list(outputs) and z.sum() > 0
    votes = torch.stack([z[..., 2 * c] + z[..., 2 * c + 1] for c in range(3)], -1)
    assert torch.equal(y["votes"], votes) and torch.equal(y["neurons"], z)
    readout, trace, wanted = network.readouts["line"], 0.0, []
    for spikes in record.spikes["hidden"].detach().double().numpy():
        trace = float(np.float32(np.exp(-0.001 / 0.01))) * trace + spikes
        wanted.append(trace @ readout.weight.detach().double().numpy().T + readout.bias.detach().double().numpy())
    np.testing.assert_allclose(y["line"].detach().numpy(), np.stack(wanted), rtol=1e-5, atol=1e-6)
    first, middle = network({n: s[:6] for n, s in x.items()})
    second, _ = network({n: s[6:] for n, s in x.items()}, middle.state)
    torch.testing.assert_close(torch.cat([first["line"], second["line"]]), y["line"])
    second["line"].sum().backward()  # the weight's gradient knows of spikes before this piece
    decay, trace, total = float(readout.decay), 0.0, 0.0
    for t, spikes in enumerate(record.spikes["hidden"].detach().double()):
        trace = decay * trace + spikes
        total = total + trace.sum(0) * (t >= 6)
    torch.testing.assert_close(readout.weight.grad, total.float().expand(2, -1))
    torch.testing.assert_close(record.state.traces["line"], trace.float())


def test_a_trace_forgets_no_more_than_float32_does(make):
    outputs = {"line": {"population": "hidden", "readout": "linear", "classes": 2, "tau_out_s": 0.02}}
    readout = make(outputs=outputs).readouts["line"]
    z = (torch.rand(1500, 3, 6, generator=torch.Generator().manual_seed(0)) < 0.05).float()
    trace = torch.zeros(3, 6, dtype=torch.float64)
    for spikes in z.double():
        trace = float(readout.decay) * trace + spikes
    torch.testing.assert_close(readout(z)[1], trace.float(), rtol=1e-5, atol=1e-8)


def test_a_bare_tensor_is_the_only_input_and_integers_are_events(make, events):
    network = make()
    x = events(network)
    wanted = network(x)[0]
    assert torch.equal(network(x["x"])[0], wanted)
    assert torch.equal(network(x["x"].to(torch.int64))[0], wanted)
    assert torch.equal(network(x["x"].bool())[0], wanted)
    assert torch.equal(network(x["x"].numpy())[0], wanted)


@pytest.mark.parametrize("case", ["dynapse1, two currents, adaptation, refractory", "dynapse2, masks on delay lines",
                                  "generic, everything"])  # fmt: skip
def test_autocast_and_low_precision_change_nothing(make, events, case):
    chip, overrides, fields = CASES[case]
    fields = {"outputs": {"line": {"population": "out", "readout": "linear", "classes": 2, "tau_out_s": 0.01}}} | fields
    network = make(chip, overrides, 0, **fields)
    x = events(network, steps=20)
    wanted, told = network(x, record=("hidden", "out"))
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("medium")
        with torch.autocast("cpu", dtype=torch.bfloat16):
            got, record = network(x, record=("hidden", "out"))
            assert torch.is_autocast_enabled("cpu") and torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)
    assert got.dtype == torch.float32 and torch.equal(got, wanted)
    assert all(torch.equal(record.v[n], told.v[n]) for n in record.v)


def test_more_events_a_step_where_the_chip_takes_them(make):
    network = make("generic", ["inputs.events_per_step=7", "slots=9"])
    x = {"x": torch.randint(0, 8, (12, 2, 5), generator=torch.Generator().manual_seed(0)).float()}
    assert_same(network, x)
    most = max(
        int(m.weight.abs().sum((1, 3)).max() * 7 / network.bases.grid().min()) for m in network.memories.values()
    )
    assert most < 2**24
