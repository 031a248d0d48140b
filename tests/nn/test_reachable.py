"""Networks larger than a core can hear: each neuron's words stay with the sources that routes lead to its core."""

import numpy as np
import pytest
import torch
from random_networks import chip_of, differences

import neuro
from neuro.rewiring import Redraw
from neuro.task import NetworkSpec

FEW = ("cores.neurons=8", "tags.own_bits=3", "tags.bits=5", "slots=12")  # 31 sources a core, 124 on the board


@pytest.fixture(scope="module")
def plan():
    spec = NetworkSpec.model_validate(
        {
            "dt_s": 1e-3,
            "inputs": {"x": 6},
            "populations": {"r": {"size": 124, "tau_mem_s": 0.01, "tau_syn_s": 0.004, "init_gain": 4.0}},
            "projections": ({"from": "x", "to": "r"}, {"from": "r", "to": "r"}),
            "outputs": {"y": {"population": "r", "classes": 4}},
            "candidates": "reachable",
        }
    )
    return neuro.place(spec, chip_of("dynapse1", FEW))


@pytest.mark.parametrize("storage", ["dense", "slots"])
def test_training_keeps_to_whom_routes_reach(plan, storage):
    network = neuro.Network(plan, seed=0, storage=storage)
    heard = torch.from_numpy(plan.heard("r"))
    assert heard.sum(1).unique().tolist() == [31]
    growth = Redraw(every=2, share=1.0) if storage == "slots" else None
    optimizer = neuro.QRewiring(torch.optim.Adam(network.parameter_groups(lr=0.3)), network, growth=growth)
    x = (torch.rand(12, 4, 6, generator=torch.Generator().manual_seed(1)) < 0.5).float()
    for step in range(6):
        optimizer.zero_grad()
        outputs, _ = network(x)
        (outputs.sum(0)[:, step % 4].mean() - outputs.sum((0, 2)).std()).backward()
        optimizer.step()
        assert network.violations() == []
        memory = network.memories["r"]
        words = memory.spread(memory.weight).flatten(2).ne(0).any(2)
        assert words.any(1).all() and not (words & ~heard).any()
        if storage == "slots":
            assert bool(heard.gather(1, memory.source).all()) and not (memory.source == memory.itself[:, None]).any()
    tables = neuro.export(network)
    assert neuro.check(tables) == []
    assert differences(network.eval(), tables, {"x": x}) == []


def test_given_latents_beyond_reach_are_left_out(plan):
    latents = {"r": {"r": np.ones((124, 124), "f4")}}
    for storage in ("dense", "slots"):
        network = neuro.Network(plan, latents=latents, storage=storage)
        memory = network.memories["r"]
        words = memory.spread(memory.weight).flatten(2).ne(0).any(2).numpy()
        assert words.any() and not (words & ~plan.heard("r")).any()
