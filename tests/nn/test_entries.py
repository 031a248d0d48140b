"""Slot storage: entries with sources of their own hold what columns would, and can be drawn anew."""

import copy

import numpy as np
import pytest
import torch
from test_by_words import gradients, same_forward, same_gradients

import neuro
from neuro.errors import FeasibilityError, FitError, NeuroError
from neuro.rewiring import QRewiring, Redraw
from neuro.task import NetworkSpec

POPULATIONS = {"hidden": {"size": 30}, "out": {"size": 4}}


@pytest.fixture
def pair(make):
    """The same network in columns and in entries for everything a neuron could hear."""

    def build(chip="generic", overrides=(), **more):
        dense = make(chip, overrides, populations=POPULATIONS, inputs={"x": 20}, **more)
        return dense, neuro.Network(dense.plan, seed=0, storage="slots", reserve=1000)

    return build


def columns_of(network, name):
    memory = network.memories[name]
    return memory.spread(memory.weight)


@pytest.mark.parametrize("chip", ["generic", "dynapse1", "dynapse2"])
def test_room_for_all_is_dense_storage(pair, events, chip):
    """Bit for bit: first latents where nothing is forbidden, and with the same latents codes, spikes and gradients."""
    dense, slots = pair(chip)
    with torch.no_grad():
        for name, latent in slots.latents.items():
            source = slots.memories[name].source
            latent.copy_(dense.latents[name].gather(1, source[:, :, None, None].expand_as(latent)))
    slots.bases.set(dense.bases.values())
    slots.project()
    x = events(dense, batch=18)
    for name in POPULATIONS:
        assert torch.equal(columns_of(slots, name), dense.memories[name].weight)
    (y, a), (again, b) = dense(x, record=("hidden", "out")), slots(x, record=("hidden", "out"))
    assert torch.equal(y, again) and torch.equal(a.spikes["hidden"], b.spikes["hidden"])
    wanted, have = (gradients(n, r.spikes, r.v, torch.float32) for n, r in ((dense, a), (slots, b)))
    for name, latent in slots.latents.items():
        index = slots.memories[name].source[:, :, None, None].expand_as(latent)
        torch.testing.assert_close(have[name], wanted[name].gather(1, index), rtol=1e-4, atol=1e-6)
    assert neuro.export(dense).frames["synapses"].equals(neuro.export(slots).frames["synapses"])


def test_first_latents_are_those_of_dense_storage(make):
    dense = make("generic", projections=(("x", "hidden"), ("hidden", "out")), inputs={"x": 9})
    slots = neuro.Network(dense.plan, seed=0, storage="slots")
    assert all(torch.equal(slots.latents[n], dense.latents[n]) for n in dense.latents)


@pytest.mark.parametrize("chip, lines", [("generic", (0,)), ("generic", (3, 0)), ("dynapse1", (0,)),
                                         ("dynapse2", (0,)), ("dynapse2", (0, 2, 7))])  # fmt: skip
def test_few_entries_run_as_the_reference_does(make, events, chip, lines):
    network = make(chip, ("slots=5",), populations=POPULATIONS, inputs={"x": 20}, delay_lines=lines)
    slots = neuro.Network(network.plan, seed=3, storage="slots", reserve=3)
    assert [tuple(p.shape[:2]) for p in slots.latents.values()] == [(30, 8), (4, 8)]
    x = events(slots, batch=20)
    same_forward(slots, x)
    assert same_gradients(slots, x) and slots.violations() == []
    tables = neuro.export(slots)
    assert neuro.check(tables) == []
    assert torch.equal(neuro.replay(tables, x)[0], slots(x)[0])


def trained(network, x, steps, growth, optimizer=None):
    optimizer = optimizer or QRewiring(
        torch.optim.Adam(network.parameter_groups(lr=0.05)), network, growth=growth, base_every=3
    )
    for _ in range(steps):
        outputs, _ = network(x)
        optimizer.zero_grad()
        (outputs.mean(0) - 0.5).square().sum().backward()
        optimizer.step()
        assert network.violations() == []
    return optimizer


def check_sources(network):
    for name, memory in network.memories.items():
        source, itself = memory.source, network.plan.itself(name)
        assert (source[:, 1:] > source[:, :-1]).all() and (source >= 0).all()
        assert (source < network.plan.width(name)).all()
        assert not len(itself) or not (source == torch.from_numpy(itself)[:, None]).any()


def test_only_empty_entries_are_drawn_anew_and_start_at_nothing(make, events):
    plan = make("generic", ("slots=4",), populations=POPULATIONS, inputs={"x": 40}).plan
    network = neuro.Network(plan, seed=1, storage="slots", reserve=8)
    x = events(network, batch=8)
    optimizer = trained(network, x, 3, None)
    memory, latent = network.memories["hidden"], network.latents["hidden"]
    moment = optimizer.state[latent]["exp_avg"]
    before = [t.clone() for t in (memory.source, latent.detach(), moment, columns_of(network, "hidden"))]
    network.redraw(0.5, torch.Generator().manual_seed(0), optimizer._moments)
    check_sources(network)
    assert torch.equal(columns_of(network, "hidden"), before[3])
    moved = 0
    for n in range(30):
        old = {int(s): (float(v), float(m)) for s, v, m in zip(before[0][n], before[1][n], before[2][n], strict=True)}
        new = {
            int(s): (float(v), float(m))
            for s, v, m in zip(memory.source[n], latent.detach()[n], moment[n], strict=True)
        }
        fresh = [s for s in new if s not in old]
        assert all(new[s] == (0.0, 0.0) for s in fresh) and all(new[s] in (old[s], (0.0, 0.0)) for s in new if s in old)
        moved += len(fresh)
    empty = int((before[3] == 0).flatten(2).all(2).sum()) - 30 * (plan.width("hidden") - 12)
    assert 0.2 * empty < moved <= 0.5 * empty


def test_training_grows_connections_and_is_repeatable(make, events):
    plan = make("generic", ("slots=4",), populations=POPULATIONS, inputs={"x": 40}).plan
    ends = []
    for parts in ((20,), (7, 13)):
        network = neuro.Network(plan, seed=1, storage="slots", reserve=4)
        first = network.memories["hidden"].source.clone()
        x, growth = events(network, batch=8), Redraw(every=4, share=0.5, seed=2)
        optimizer = trained(network, x, parts[0], growth)
        for steps in parts[1:]:  # as a run that was interrupted: state to new objects
            other = neuro.Network(plan, seed=9, storage="slots", reserve=4)
            other.load_state_dict(network.state_dict())
            resumed = QRewiring(torch.optim.Adam(other.parameter_groups(lr=0.05)), other, growth=growth, base_every=3)
            resumed.load_state_dict(optimizer.state_dict())
            network = other
            trained(network, x, steps, growth, resumed)
        check_sources(network)
        assert not torch.equal(network.memories["hidden"].source, first)
        ends.append(network.state_dict())
    assert all(torch.equal(ends[0][k], ends[1][k]) for k in ends[0])


def test_nothing_is_drawn_where_all_is_heard(make):
    network = neuro.Network(make("generic").plan, storage="slots")
    before = {k: v.clone() for k, v in network.state_dict().items()}
    network.redraw(1.0, torch.Generator().manual_seed(0), lambda _: [])
    assert all(torch.equal(before[k], v) for k, v in network.state_dict().items())


def test_given_latents_keep_the_largest(make):
    plan = make("generic", ("slots=2",), inputs={"x": 9}, projections=(("x", "hidden"), ("hidden", "out"))).plan
    given = {"hidden": {"x": np.arange(54).reshape(6, 9) % 9 - 4.0}}
    network = neuro.Network(plan, given, storage="slots", reserve=2)
    assert network.memories["hidden"].source[0].tolist() == [0, 1, 7, 8]
    assert network.latents["hidden"][0].flatten().tolist() == [-4.0, -3.0, 3.0, 4.0]


@pytest.mark.parametrize("reserve", range(118, 128))
def test_hardly_a_source_left(reserve):
    """Entries for nearly everyone a neuron could hear: still each source once, and never the neuron itself."""
    spec = NetworkSpec.model_validate(
        {
            "dt_s": 1e-3,
            "inputs": {"x": 64},
            "populations": {"hidden": {"size": 70, "decay_mem": 0.75, "decay_syn": 0.5}},
            "projections": ({"from": "x", "to": "hidden"}, {"from": "hidden", "to": "hidden"}),
            "outputs": {"y": {"population": "hidden"}},
        }
    )
    plan = neuro.place(spec, neuro.load_chip("generic", ["slots=6"]))
    network = neuro.Network(plan, storage="slots", reserve=reserve)
    for draw in range(4):
        check_sources(network)
        assert network.violations() == []
        network.redraw(1.0, torch.Generator().manual_seed(draw), lambda _: [])


def test_a_neuron_that_hears_itself_is_found(make):
    network = neuro.Network(make("generic", ("slots=2",)).plan, storage="slots", reserve=0)
    memory = network.memories["hidden"]
    row = memory.source[3].clone()
    memory.source[3] = torch.tensor([0, int(network.plan.itself("hidden")[3])])
    assert "neuron 3: its sources" in network.violations()[0]
    memory.source[3] = row
    assert network.violations() == []


def test_backward_after_a_redraw_is_refused(make, events):
    network = neuro.Network(make("generic", ("slots=2",), inputs={"x": 30}).plan, storage="slots", reserve=2)
    y, _ = network({"x": torch.ones(4, 2, 30)})
    network.redraw(1.0, torch.Generator().manual_seed(0), lambda _: [])
    with pytest.raises(FeasibilityError, match="new sources"):
        y.sum().backward()


def test_refusals(make):
    network = make("generic")
    with pytest.raises(FeasibilityError, match="storage slots"):
        network.redraw(0.5, torch.Generator(), lambda _: [])
    with pytest.raises(FitError, match="no slots"):
        neuro.Network(make("binary-core").plan, storage="slots")
    for sign in ("source", "row"):
        with pytest.raises(FitError, match=f"signs by {sign}"):
            chip = ("weights.slots=4", f"weights.sign={sign}")
            neuro.Network(make("binary-core", chip).plan, storage="slots")
    for reserve in (-1, 1.5):
        with pytest.raises(NeuroError, match="reserve"):
            neuro.Network(network.plan, storage="slots", reserve=reserve)
    with pytest.raises(NeuroError, match="storage slots"):
        neuro.Network(network.plan, reserve=3)
    with pytest.raises(NeuroError, match="seed"):
        Redraw(seed="x")
    with pytest.raises(NeuroError, match="storage slots"):
        QRewiring(torch.optim.Adam(network.parameters()), network, growth=Redraw())
    with pytest.raises(NeuroError, match="dense, slots"):
        neuro.Network(network.plan, storage="sparse")
    with pytest.raises(NeuroError, match="share"):
        Redraw(share=2)
    with pytest.raises(NeuroError, match="every"):
        Redraw(every=0)
    with pytest.raises(NeuroError, match="growth"):
        QRewiring(torch.optim.Adam(network.parameters()), network, growth="random")


def test_a_state_with_sources_that_are_no_columns_is_refused(make):
    network = neuro.Network(make("generic", ("slots=3",), inputs={"x": 20}).plan, storage="slots", reserve=0)
    state = {k: v.clone() for k, v in network.state_dict().items()}
    for wrong in (99, -1, int(state["memories.hidden.source"][0, 0])):
        edited = {k: v.clone() for k, v in state.items()}
        edited["memories.hidden.source"][0, 1] = wrong
        with pytest.raises(FeasibilityError, match="neuron 0: its sources"):
            network.load_state_dict(edited)
        assert all(torch.equal(network.state_dict()[k], v) for k, v in state.items())


def test_new_sources_are_heard_from_the_next_run_on(pair, events):
    """Whether drawn anew, loaded, or written into the same tensor: what earlier runs knew of sources is not used again."""
    dense, _ = pair(overrides=("slots=4",))
    network, other = (neuro.Network(dense.plan, seed=s, storage="slots", reserve=2) for s in (0, 1))
    x = events(network, steps=20, batch=3)

    def heard():
        return same_forward(network, x).spikes["hidden"]

    first = heard()
    network.redraw(1.0, torch.Generator().manual_seed(1), lambda _: [])
    with torch.no_grad():
        for latent in network.latents.values():
            latent.copy_(latent.flip(1))
    network.project()
    second = heard()
    network.load_state_dict(other.state_dict())
    third = heard()
    assert not torch.equal(first, second) and not torch.equal(second, third)
    twin = copy.deepcopy(network)
    twin.load_state_dict(neuro.Network(dense.plan, seed=3, storage="slots", reserve=2).state_dict())
    assert not torch.equal(same_forward(twin, x).spikes["hidden"], third)
    memory = network.memories["hidden"]
    memory.source.copy_(neuro.Network(dense.plan, seed=2, storage="slots", reserve=2).memories["hidden"].source)
    memory.listen(memory.source)
    network.project()
    assert not torch.equal(third, heard())
