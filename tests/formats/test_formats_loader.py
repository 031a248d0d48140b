"""The loader fills samna's objects, and a board of those objects, run event by event, spikes as the network does."""

import importlib.util
import sys
from collections import Counter

import fake_samna
import numpy as np
import pytest
import torch
from brute_force import Neuron, current_of
from event_router import Board
from random_boards import measured, on, random_board
from random_networks import chip_of, random_network

import neuro
from neuro.formats import samna
from neuro.task import NetworkSpec


def loaded(folder, tables, monkeypatch):
    """The loader of an export, as on a machine with samna, and that samna."""
    samna.write(tables, folder)
    spec = importlib.util.spec_from_file_location("load", folder / "load.py")
    loader = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loader)
    names = set(tables.frames["biases"]["name"])
    return loader, fake_samna.install(names, lambda name, module: monkeypatch.setitem(sys.modules, name, module))


def four_chips(seed):
    """Sixteen small populations, each with constants of its own and so a core, on four chips; each is heard on three."""
    rng = np.random.default_rng(seed)
    names = [f"p{i}" for i in range(16)]
    population = {"size": 5, "tau_mem_s": 0.01, "init_gain": 6.0, "refractory_s": 0.001}
    projections = [{"from": "x", "to": name} for name in names[::3]]
    for source in names:
        left_out = rng.integers(4)
        for target in rng.choice([i for i in range(16) if i // 4 != left_out], 6, replace=False):
            projections.append({"from": source, "to": names[target], "autapses": True})
    reached = {p["to"] for p in projections}
    projections += [{"from": "x", "to": name} for name in names if name not in reached]
    return NetworkSpec.model_validate(
        {
            "dt_s": 1e-3,
            "inputs": {"x": 12},
            "populations": {n: population | {"tau_syn_s": 0.004 + 0.0001 * i} for i, n in enumerate(names)},
            "projections": tuple(projections),
            "outputs": {"y": {"population": "p15"}},
        }
    )


def full_board():
    """A recurrent population on every neuron of four chips that may be a source; cores hear part of it."""
    return NetworkSpec.model_validate(
        {
            "dt_s": 1e-3,
            "inputs": {"x": 12},
            "populations": {"r": {"size": 16 * 20 - 4, "tau_mem_s": 0.01, "tau_syn_s": 0.004, "init_gain": 6.0}},
            "projections": ({"from": "x", "to": "r"}, {"from": "r", "to": "r"}),
            "outputs": {"y": {"population": "r"}},
            "candidates": "reachable",
        }
    )


def spikes_of_the_board(tables, loader, module, x):
    """Run the objects of samna event by event: {(chip, core, neuron): [T]}."""
    board = Board(loader.configuration(module))
    manifest = tables.manifest
    sets = {p.id: p for p in manifest.parameter_sets}
    rows = tables.frames["neurons"].itertuples(index=False)
    neurons = {(r.chip, r.core, r.neuron): sets[r.parameters] for r in rows}
    state = {at: Neuron(tables.chip.neuron, p, len(manifest.currents)) for at, p in neurons.items()}
    worth = {(w.chip, w.core, w.type): w.value for w in tables.frames["weights"].itertuples(index=False)}
    z, late = {at: [] for at in state}, Counter()
    for t in range(len(x)):
        arriving, late = late, Counter()
        sent = [(t * manifest.dt_s, 0, channel) for channel in np.flatnonzero(x[t])]
        for event in loader.events(module, sent):
            arriving += board.generator(event)
        for at, neuron in state.items():
            drive = [0] * len(manifest.currents)
            for kind in range(4):
                if count := arriving[(*at, kind)]:
                    drive[current_of(manifest, tables.chip, kind)] += count * worth[(*at[:2], kind)]
            z[at].append(neuron.step([d * 2.0 ** tables.exponents[at[:2]] for d in drive]))
            if z[at][-1]:
                late += board.spike(*at)
    return z


@pytest.mark.parametrize("spec", [four_chips(0), four_chips(1), full_board()], ids=["sixteen", "others", "full"])
def test_a_board_of_words_spikes_as_the_network_on_four_chips(tmp_path, monkeypatch, spec):
    chip = chip_of("dynapse1", ("cores.neurons=20",))  # few ids, so that virtual core ids are needed
    network = neuro.Network(neuro.place(spec, chip), seed=0).eval()
    tables = neuro.export(network)
    assert {c for c, _ in network.plan.cores} == {0, 1, 2, 3}
    assert (tables.frames["routes"]["tag"] // 256 != tables.frames["routes"]["core"]).any(), "no virtual core in use"
    loader, module = loaded(tmp_path / "out", tables, monkeypatch)
    x = (np.random.default_rng(0).random((40, 12)) < 0.4).astype("f4")
    with torch.inference_mode():
        _, record = network(torch.from_numpy(x)[:, None], record=tuple(network.plan.spec.populations))
    z = spikes_of_the_board(tables, loader, module, x)
    total = 0
    for name, places in network.plan.locations.items():
        for i, at in enumerate(places.tolist()):
            trained = record.spikes[name][:, 0, i].int().tolist()
            assert z[tuple(at)] == trained, (name, i)
            total += sum(trained)
    assert total > 500


def test_every_field_of_dynapse2_reaches_its_object(tmp_path, monkeypatch):
    """Decode the filled objects by hand, independently of the reader: synapses, destinations, parameters, events."""
    network = random_network(np.random.default_rng([12, 0]), "dynapse2")
    tables = neuro.export(network)
    loader, module = loaded(tmp_path / "out", tables, monkeypatch)
    whole = loader.configuration(module)
    lines = [0, *sorted(steps for steps in tables.manifest.delay_lines if steps)]
    for w in tables.frames["synapses"].itertuples(index=False):
        word = whole.chips[w.chip].cores[w.core].neurons[w.neuron].synapses[w.slot]
        assert (word.tag, int(word.dendrite), word.stp) == (w.tag, w.type, False)
        assert sum(2**b * on for b, on in enumerate(word.weight)) == w.code
        assert lines[word.precise_delay + 2 * word.mismatched_delay] == w.delay
    places = {p.chip: (p.x, p.y) for p in tables.manifest.chips}
    for r in tables.frames["routes"].itertuples(index=False):
        row = whole.chips[r.chip].cores[r.core].neurons[r.neuron].destinations[1 + r.route]
        x, y = places[r.chip]
        assert (x + row.x_hop, y + row.y_hop) == places[r.target_chip] and row.tag == r.tag
        assert [k for k in range(4) if row.core[k]] == [k for k in range(4) if r.core_mask >> k & 1]
    for n in tables.frames["neurons"].itertuples(index=False):
        row = whole.chips[n.chip].cores[n.core].neurons[n.neuron].destinations[0]
        assert (row.tag, row.core, row.x_hop, row.y_hop) == (256 * n.core + n.neuron, [True] * 4, -7, 0)
    for b in tables.frames["biases"].itertuples(index=False):
        parameter = whole.chips[b.chip].cores[b.core].parameters[b.name]
        assert (parameter.coarse_value, parameter.fine_value) == (b.coarse, b.fine)
    for i in tables.frames["inputs"].itertuples(index=False):
        events = loader.events(module, [(0.002, i.input, i.channel)])
        assert (i.tag, 2000) in {(e.event.tag, e.timestamp) for e in events}


def test_latches_and_intervals_of_dynapse1(tmp_path, monkeypatch):
    chip = chip_of("dynapse1", ("board.columns=1", "board.rows=1", "cores.per_chip=1"))
    spec = NetworkSpec.model_validate(
        {
            "dt_s": 1e-3,
            "inputs": {"x": 3},
            "populations": {
                "a": {"size": 2, "tau_mem_s": 0.01, "tau_syn_s": 0.004},
                "b": {"size": 2, "tau_mem_s": 0.02, "tau_syn_s": 0.004},
            },
            "projections": ({"from": "x", "to": "a"}, {"from": "x", "to": "b"}),
            "outputs": {"y": {"population": "b"}},
        }
    )
    network = neuro.Network(neuro.place(spec, chip), seed=0)
    loader, module = loaded(tmp_path / "out", neuro.export(network), monkeypatch)
    called = []
    loader.set_latches(type("Api", (), {"set_tau_2": lambda self, *place: called.append(place)})())
    assert called == [(0, int(n)) for _, _, n in network.plan.locations["b"]]
    events = loader.events(module, [(0.001, 0, 1), (0.003, 0, 2), (0.003, 0, 0)])
    assert [e.isi for e in events] == [100, 200, 0]  # units of 10 us


def test_words_of_a_measured_board_stand_where_they_work(tmp_path, monkeypatch):
    sizes = ("cores.neurons=16",)
    path = random_board(np.random.default_rng(5), chip_of("dynapse2", sizes), 2, tmp_path / "board.npz", (0.3, 0.9))
    spec = NetworkSpec.model_validate(
        {
            "dt_s": 1e-3,
            "inputs": {"x": 1200},  # more than one half of the tags
            "populations": {"r": {"size": 14, "tau_mem_s": 0.01, "tau_syn_s": 0.004}},
            "projections": ({"from": "x", "to": "r"}, {"from": "r", "to": "r"}),
            "outputs": {"y": {"population": "r"}},
        }
    )
    tables = neuro.export(neuro.Network(neuro.place(spec, on("dynapse2", sizes, path)), seed=0))
    loader, module = loaded(tmp_path / "out", tables, monkeypatch)
    works, tags = measured(tables.chip, path)
    found = Counter()
    for k, core in enumerate(loader.configuration(module).chips[0].cores):
        for n, neuron in core.neurons.items():
            for slot, word in enumerate(neuron.synapses):
                if word.dendrite:
                    assert works[0, k, n, slot, word.tag // 1024] and tags[0, k, word.tag], (k, n, slot, word.tag)
                    found[word.tag // 1024] += 1
    assert sum(found.values()) == len(tables.frames["synapses"]) and min(found[0], found[1]) > 20
