"""Digits on each of the digital and mixed-signal chips: every limit is kept after every step, what trains is what runs."""

import pytest
import torch

import neuro
from neuro.data import load_dataset, make_batch
from neuro.losses import task_loss

SMALL = ["populations.hidden.size=40", "encoder.steps=24"]
CHIPS = {
    "loihi": ("cores.memory.bits=3200", "cores.neurons=32"),
    "xylo-audio2": ("weights.fan_out=5", "weights.fan_out_mean=2", "cores.neurons=56"),
    "brainscales2": ("cores.neurons=24", "cores.per_chip=4", "cores.axons=40"),
    "odin": ("cores.neurons=64", "tags.own_bits=6", "tags.bits=6"),
}


@pytest.mark.parametrize("name", CHIPS)
def test_limits_are_kept_after_every_step_and_the_export_replays(name):
    task = neuro.load_task("digits-rows", SMALL)
    network = neuro.build(task, neuro.load_chip(name, CHIPS[name]), seed=0)
    optimizer = neuro.QRewiring(
        torch.optim.Adam(network.parameter_groups(lr=0.02, base_lr=0.02)), network, base_every=2
    )
    part, codes = load_dataset(task.data).train, network.memories["hidden"].code.clone()
    first = last = None
    for step in range(12):
        rows = torch.arange(64 * step, 64 * step + 64).numpy() % len(part)
        x, labels = make_batch(task, part, rows, 0)
        optimizer.zero_grad()
        loss = task_loss(task.loss, network(x)[0], labels)
        loss.backward()
        optimizer.step()
        assert network.violations() == [], step
        first, last = loss.item() if first is None else first, loss.item()
    assert last < first and not torch.equal(codes, network.memories["hidden"].code)
    tables = neuro.export(network.eval())
    assert neuro.check(tables) == []
    names = tuple(task.network.populations)
    with torch.no_grad():
        _, trained = network(x, record=names)
    _, again = neuro.replay(tables, x, record=names)
    for population in names:
        assert torch.equal(trained.spikes[population], again.spikes[population])
        assert trained.spikes[population].sum() > 0


def test_the_limits_of_these_tests_bind():
    """A network without them would have more words of a source than they allow."""
    task = neuro.load_task("digits-rows", SMALL)
    for name, least in (("loihi", "hidden"), ("xylo-audio2", "digit")):
        network = neuro.build(task, neuro.load_chip(name, CHIPS[name]), seed=0)
        budgets = torch.from_numpy(network.plan.budgets[least])
        held = network.memories[least]
        words = (held.code >= 0).flatten(2).sum(2)
        own = network.plan.core_index(least)
        assert (words[own == own[0]].sum(0) == budgets[own[0]]).float().mean() > 0.5, name
