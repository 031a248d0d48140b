"""Operations counted by hand, by brute force over events, and by NeuroBench's own package on the same network."""

import numpy as np
import pytest
import torch

import neuro
from neuro.descriptor import load_chip
from neuro.evaluation import Operations, count_operations, energy_estimate, resources_of
from neuro.evaluation.operations import operations_of

RECURRENT = [
    "populations.hidden.size=9",
    "populations.digit.size=10",
    "encoder.steps=8",
    "tail_steps=2",
    "populations.hidden.init_gain=3.0",
    "populations.digit.init_gain=3.0",
]


def network_of(chip: str, overrides=(), storage: str = "dense"):
    task = neuro.load_task("digits-recurrent", [*RECURRENT, f"training.storage={storage}"])
    return task, neuro.build(task, load_chip(chip, overrides), seed=3)


def events(task, batch=5):
    rng = np.random.default_rng(0)
    return torch.from_numpy((rng.random((task.steps, batch, 8)) < 0.4).astype(np.float32))


def by_hand(network, x):
    """Walk through every event, every target and every step."""
    spec, plan = network.plan.spec, network.plan
    _, record = network(x, record=tuple(spec.populations))
    signals = {"row": x, **record.spikes}
    acs = words = 0
    for p in spec.projections:
        memory = network.memories[p.target]
        weight = memory.spread(memory.weight)[:, plan.columns(p.target)[p.source]]
        delay = plan.source_delay(p.source)
        for t, _b, n in signals[p.source].nonzero().tolist():
            if t + delay < len(x):
                acs += int((weight[:, n] != 0).sum())
    tables = neuro.export(network)
    heard = {}
    for row in tables.frames["synapses"].itertuples():
        heard[row.chip, row.core, row.tag] = heard.get((row.chip, row.core, row.tag), 0) + 1
    deliveries = 0
    for route in (*plan.routes, *plan.inputs):
        z = signals[route.source][:, :, route.index]
        deliveries += int(z.sum())
        arrived = int(z[: len(x) - plan.source_delay(route.source)].sum())
        words += arrived * sum(heard.get((route.target_chip, core, route.tag), 0) for core in route.cores)
    spikes = sum(int(z.sum()) for z in record.spikes.values())
    return acs, spikes, deliveries, words


@pytest.mark.parametrize(("chip", "storage"), [("dynapse1", "dense"), ("dynapse2", "dense"), ("dynapse1", "slots")])
def test_counts_are_those_of_walking_through_every_event(chip, storage):
    task, network = network_of(chip, storage=storage)
    x = events(task)
    acs, macs, dense, spikes, deliveries, words, _ = operations_of(network, x).tolist()
    assert (acs, spikes, deliveries, words) == by_hand(network, x)
    assert spikes > 0 and words >= acs > 0 and macs == 0
    assert dense == x.shape[0] * x.shape[1] * (8 * 9 + 9 * 9 + 9 * 10)


def test_an_event_costs_its_fan_out_and_one_on_its_way_at_the_end_nothing():
    task, network = network_of("generic")
    silent = torch.zeros(task.steps, 1, 8)
    assert not operations_of(network, silent)[[0, 3, 4, 5]].any()
    last = silent.clone()
    last[-1, 0, 2] = 1  # an input arrives in its own step; the spikes it makes would arrive after the end
    fan_out = int((network.memories["hidden"].weight[:, 2] != 0).sum())
    assert operations_of(network, last)[0] == fan_out


def test_a_linear_read_out_multiplies_traces_that_have_begun():
    text = "{population: digit, readout: linear, classes: 10, tau_out_s: 0.02}"
    task = neuro.load_task("digits-recurrent", [*RECURRENT, f"outputs.digit={text}", "loss.kind=trace_mean"])
    network = neuro.build(task, load_chip("dynapse1"), seed=3)
    x = events(task)
    _, record = network(x, record=("digit",))
    begun = record.spikes["digit"].cumsum(0) > 0
    assert operations_of(network, x)[1] == float(begun.sum()) * 10


def test_resources_are_those_of_the_tables():
    _, network = network_of("dynapse1", ["slots=5"])
    tables, takes = neuro.export(network), resources_of(network)
    assert takes.slots == len(tables.frames["synapses"]) and takes.routes == len(tables.frames["routes"])
    assert takes.neurons == len(tables.frames["neurons"]) and takes.memory_bytes == -(-takes.slots * 12 // 8)
    heard = {(r.chip, r.core, r.neuron, r.tag) for r in tables.frames["synapses"].itertuples()}
    assert takes.sources == len(heard)


def test_energy_is_a_sum_of_figures_or_unknown():
    done = Operations(
        1, acs=9, macs=0, dense=0, spikes=3, deliveries=5, words=7, activation_sparsity=0, membrane_updates=0
    )
    assert energy_estimate(load_chip("dynapse1"), done, 0.03) is None
    figures = "{spike_j: 1.0e-12, delivery_j: 1.0e-11, word_j: 1.0e-10, static_w: 1.0e-9}"
    chip = load_chip("dynapse1", [f"energy={figures}"])
    assert energy_estimate(chip, done, 0.03) == pytest.approx(3e-12 + 5e-11 + 7e-10 + 3e-11)
    assert energy_estimate(load_chip("dynapse1", ["energy={spike_j: 1.0e-12}"]), done, 0.03) is None


class Twin(torch.nn.Module):
    """The same network for NeuroBench: one Linear a projection, fed step by step with what really arrived."""

    def __init__(self, network):
        super().__init__()
        self.spec, self.plan = network.plan.spec, network.plan
        self.layers = torch.nn.ModuleDict()
        for p in self.spec.projections:
            memory = network.memories[p.target]
            weight = memory.weight[:, self.plan.columns(p.target)[p.source]].sum((2, 3))
            layer = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=False)
            layer.weight.data = weight
            self.layers[f"{p.source}_{p.target}"] = layer

    def forward(self, signals):
        for p in self.spec.projections:
            z, delay = signals[p.source], self.plan.source_delay(p.source)
            arrived = torch.cat([torch.zeros(delay, *z.shape[1:]), z])[: len(z)]
            for step in arrived:
                self.layers[f"{p.source}_{p.target}"](step)
        return signals


def test_neurobench_counts_the_same_on_the_same_network():
    metrics = pytest.importorskip("neurobench.metrics.workload", reason="NeuroBench's package is not installed")
    from neurobench.metrics.static import ConnectionSparsity, Footprint
    from neurobench.models import TorchModel

    task, network = network_of("dynapse2", ["slots=6"])
    x = events(task)
    _, record = network(x, record=tuple(task.populations))
    model = TorchModel(Twin(network))
    model.register_hooks()
    with torch.inference_mode():
        model({"row": x, **record.spikes})
    counted = metrics.SynapticOperations()(model, None, (torch.zeros(x.shape[1], 1), None))
    acs, macs, dense, *_ = (operations_of(network, x) / x.shape[1]).tolist()
    assert (counted["Effective_ACs"], counted["Effective_MACs"], counted["Dense"]) == (acs, macs, dense)
    assert ConnectionSparsity()(model) == round(resources_of(network).connection_sparsity, 4)

    class Whole(TorchModel):
        def __net__(self):
            return network

    assert Footprint()(Whole(network)) == resources_of(network).footprint


def test_neurobench_agrees_on_activation_sparsity():
    pytest.importorskip("neurobench.metrics.workload", reason="NeuroBench's package is not installed")
    from types import SimpleNamespace

    from neurobench.metrics.workload import ActivationSparsity

    from neuro.data import encode, load_dataset

    task, network = network_of("dynapse1")
    part = load_dataset(task.data).test
    done = count_operations(network, task, part)
    x = encode(task.encoder, part.x, part.ids, 0, task.tail_steps)
    _, record = network(x, record=tuple(task.populations))
    hooks = [SimpleNamespace(activation_outputs=list(z)) for z in record.spikes.values()]
    model = SimpleNamespace(activation_hooks=hooks)
    assert ActivationSparsity()(model, None, None) == pytest.approx(done.activation_sparsity, abs=1e-12)


def test_neurobench_agrees_on_membrane_updates():
    pytest.importorskip("neurobench.metrics.workload", reason="NeuroBench's package is not installed")
    from types import SimpleNamespace

    from neurobench.metrics.workload import MembraneUpdates

    task, network = network_of("binary-core")
    x = events(task)
    _, record = network(x, record=tuple(task.populations))
    hooks = []
    for v in record.v.values():
        before = [None, *v[:-1]]  # a membrane has no value before its first step
        hooks.append(SimpleNamespace(layer=network, pre_fire_mem_potential=before, post_fire_mem_potential=list(v)))
    counted = MembraneUpdates()(SimpleNamespace(activation_hooks=hooks), None, (torch.zeros(x.shape[1], 1), None))
    assert counted == operations_of(network, x)[6] / x.shape[1]


def test_a_silent_membrane_is_updated_in_its_first_step_only():
    task, network = network_of("generic")
    neurons, silent = sum(p.size for p in task.populations.values()), torch.zeros(task.steps, 3, 8)
    assert operations_of(network, silent)[6] == 3 * neurons
    silent[5, 1, 2] = 1
    assert operations_of(network, silent)[6] > 3 * neurons


def test_a_crossbar_sends_where_its_tables_do():
    """Routes, cores and deliveries of a network with splitters, against the rows of its exported tables."""
    task, network = network_of("truenorth", ["cores.neurons=12", "cores.axons=9"])
    frames, x = neuro.export(network).frames, events(task)
    found = resources_of(network)
    assert found.routes == len(frames["routes"]) and network.plan.splitter_cores
    assert found.cores == len(frames["neurons"][["chip", "core"]].drop_duplicates())
    _, record = network(x, record=tuple(task.populations))
    sent = sum(int(x[:, :, row.channel].sum()) for row in frames["inputs"].itertuples())
    names = [*task.populations, *(p.name for p in neuro.export(network).manifest.populations[len(task.populations) :])]
    homes = frames["neurons"].merge(frames["routes"], on=["chip", "core", "neuron"])
    for row in homes.itertuples():
        sent += int(record.spikes[names[row.population].split(".")[0]][:, :, row.index].sum())
    assert operations_of(network, x)[4] == sent > 0
