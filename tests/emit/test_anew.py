"""A network placed anew computes the same, spike for spike, reaches no more cores, and breaks no limit."""

import dataclasses

import numpy as np
import pytest
import torch
from graphs import counted, small_world
from random_networks import random_events, random_network

import neuro
from neuro.emit import moved
from neuro.emit.anew import refuse_changed
from neuro.errors import FeasibilityError, FitError, NeuroError
from neuro.task import NetworkSpec


def spikes(tables, x):
    return neuro.replay(tables, x, record=list(tables.population_sizes))[1].spikes


@pytest.mark.parametrize("name", ["dynapse1", "dynapse2", "generic", "binary-core"])
@pytest.mark.parametrize("seed", range(3))
def test_random_networks_spike_alike_where_they_are_placed_anew(name, seed):
    rng = np.random.default_rng([seed, 7])
    network = random_network(rng, name)
    tables = neuro.export(network)
    try:
        result = moved(tables, seed)
    except FitError as error:
        assert "allowed" in str(error)
        return
    assert neuro.check(result.tables) == [] and result.after.cores <= result.before.cores + 4 * result.before.chips
    cost = lambda d: d.cores + 4 * d.chips  # noqa: E731
    assert cost(result.after) <= cost(result.before)
    x = random_events(rng, network, 12, 3)
    before, after = spikes(tables, x), spikes(result.tables, x)
    assert all(torch.equal(before[n], after[n]) for n in before)
    again = moved(tables, seed).tables
    assert all(again.frames[n].equals(frame) for n, frame in result.tables.frames.items())


def ring(size=200, heard=6, chip=("cores.neurons=16",)):
    """A shuffled ring of neurons that hear their neighbours, laid out in the order it comes."""
    chip = neuro.load_chip("dynapse2", ["board.columns=4", *chip])
    spec = NetworkSpec.model_validate({
        "dt_s": 1e-3, "inputs": {"x": 4}, "outputs": {"y": {"population": "r"}}, "candidates": "reachable",
        "populations": {"r": {"size": size, "decay_mem": 0.5, "decay_syn": 0.5}},
        "projections": ({"from": "x", "to": "r"}, {"from": "r", "to": "r", "autapses": True}),
    })  # fmt: skip
    return chip, spec, small_world(size, heard, 0.0, np.random.default_rng(3), inputs=4)


def latents_of(graph, size, rng):
    dense = np.zeros((size, graph.inputs + size), np.float32)
    dense[np.repeat(np.arange(size), np.diff(graph.starts)), graph.sources] = rng.uniform(0.5, 1.5, len(graph.sources))
    dense = torch.from_numpy(dense)
    return {"r": {"x": dense[:, : graph.inputs], "r": dense[:, graph.inputs :]}}


def test_a_graph_is_placed_so_that_its_network_holds_and_can_be_improved_on():
    chip, spec, graph = ring()
    latents = latents_of(graph, 200, np.random.default_rng(0))
    plain, best = (neuro.place(spec, chip, graph=latents, start=start) for start in ("order", "best"))
    cores = [p.locations["r"][:, 0] * 4 + p.locations["r"][:, 1] for p in (plain, best)]
    assert counted(graph, cores[1], 4)["cores"] <= counted(graph, cores[0], 4)["cores"]
    network = neuro.Network(best, latents)
    code = network.memories["r"].code.flatten(2).any(2).numpy()
    wanted = torch.cat([latents["r"]["x"], latents["r"]["r"]], 1).numpy() != 0
    assert (code <= wanted).all() and code.sum() > 0.9 * wanted.sum(), "who hears whom is what the graph says"
    tables = neuro.export(network)
    assert neuro.check(tables) == []
    result = moved(network)
    assert result.before.cores == counted(graph, cores[1], 4)["cores"] or (code != wanted).any()
    x = torch.from_numpy(np.random.default_rng(1).integers(0, 2, (20, 2, 4))).float()
    before = network(x, record=["r"])[1].spikes["r"]
    assert before.sum() > 0 and torch.equal(before, spikes(result.tables, x)["r"])
    same = neuro.place(spec, chip, graph=latents)
    assert np.array_equal(same.locations["r"], best.locations["r"]) and same.routes == best.routes


def test_moving_a_neuron_to_other_base_weights_is_noticed():
    chip, spec, graph = ring()
    tables = neuro.export(
        neuro.Network(neuro.place(spec, chip, graph=latents_of(graph, 200, np.random.default_rng(0))))
    )
    weights = tables.frames["weights"].copy()
    weights.loc[0, "value"] += 1
    other = dataclasses.replace(tables, frames={**tables.frames, "weights": weights})
    with pytest.raises(FeasibilityError, match="words, base weights or delays"):
        refuse_changed(tables, other)


@pytest.mark.parametrize("overrides, message", [
    (("cores.neurons=8",), r"neurons: the network has 200, allowed: 128 .*smaller by 72"),
    (("tags.bits=3",), r"tags of one core: chip \d+ core \d+ would hear \d+ sources, allowed: 8 .*fewer"),
    (("tags.bits=2",), r"tags of one core: neuron \d+ of r hears \d sources, allowed: 4 .*take \d of them away"),
    (("routes.entries=2", "cores.neurons=15"), r"routes: neuron \d+ of r must reach \d chips, allowed: 1 .*2 rows less 1"),
    (("routes.max_hop=0",), r"hops: neuron \d+ of r on chip \d must reach chip \d, allowed: 0"),
    (("inputs.channels=1",), r"input channels: chip \d would receive \d, allowed: 1 "),
])  # fmt: skip
def test_what_cannot_fit_is_refused_with_what_is_short(overrides, message):
    _, spec, graph = ring()
    chip = neuro.load_chip("dynapse2", ["board.columns=4", "cores.neurons=16", *overrides])
    with pytest.raises(FitError, match=message):
        neuro.place(spec, chip, graph=latents_of(graph, 200, np.random.default_rng(0)))


@pytest.mark.parametrize("graph, message", [
    ({"y": {}}, None),
    ({"r": {"y": np.ones((200, 4))}}, r"graph\['r'\]\['y'\]: the network has no such projection, allowed: x → r, r → r"),
    ({"r": {"x": np.ones((4, 200))}}, r"graph\['r'\]\['x'\] has shape \[4, 200\], allowed: \[200, 4\]"),
    ({"r": {"x": np.ones(4)}}, r"graph\['r'\]\['x'\] has shape \[4\], allowed: \[200, 4\]"),
])  # fmt: skip
def test_graphs_of_another_network_are_refused(graph, message):
    chip, spec, _ = ring()
    if message is None:
        graph = small_world(9, 2, 0.0, np.random.default_rng(0))
        message = "graph has 0 input channels and 9 neurons, allowed: the network's 4 and 200"
    with pytest.raises(NeuroError, match=message):
        neuro.place(spec, chip, graph=graph)


def test_crossbars_and_unknown_starts_are_refused():
    chip, spec, graph = ring()
    with pytest.raises(NeuroError, match="start is 'best-ever', allowed: best, grown, order, mtkahypar"):
        neuro.place(spec, chip, graph=graph, start="best-ever")
    network = random_network(np.random.default_rng(0), "truenorth")
    with pytest.raises(FitError, match="one destination each"):
        neuro.replace(network)
