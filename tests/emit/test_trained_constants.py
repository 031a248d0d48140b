"""Networks with trained constants as tables: a set for every core, codes of the biases, and every spike again."""

import signal

import numpy as np
import pytest
import torch
from random_networks import chip_of, differences, random_events, random_spec, with_mismatch
from tiny_task import TINY

import neuro
from neuro.errors import DescriptionError, FitError, RunError
from neuro.nn.constants import THETA
from neuro.tables.constants import realised_constants
from neuro.training.progress import Quiet

CASES = {
    "dynapse1": [("cores.neurons=4", "tags.own_bits=2"), ("board.columns=1", "board.rows=1", "cores.per_chip=1")],
    "dynapse2": [("board.columns=2", "board.rows=2", "cores.neurons=4")],
    "generic": [()],
}


def trained_network(rng, name):
    """A random network whose constants have moved, or None where it cannot be."""
    chip = chip_of(name, CASES[name][rng.integers(len(CASES[name]))])
    spec = random_spec(rng, chip)
    trainable = ("tau_mem", "tau_syn") + (("threshold",) if name != "dynapse1" else ())
    populations = {n: p.model_copy(update={"tau_mem_s": p.tau_mem_s or 0.01, "decay_mem": None})
                   for n, p in spec.populations.items()}  # fmt: skip
    try:
        plan = neuro.place(spec.model_copy(update={"populations": populations, "trainable": trainable}), chip)
    except FitError:
        return None
    network = neuro.Network(plan, seed=int(rng.integers(10**6)))
    with torch.no_grad():
        network.constants.latent += torch.from_numpy(rng.normal(0, 0.7, network.constants.latent.shape)).float()
    network.project()
    return network.eval()


@pytest.mark.parametrize("name", CASES)
def test_replay_equals_the_network(name):
    sets, spikes, done = 0, 0, 0
    for seed in range(10):
        rng = np.random.default_rng([21, seed])
        network = trained_network(rng, name)
        if network is None:
            continue
        assert network.violations() == []
        tables = neuro.export(network)
        assert neuro.check(tables) == []
        x = random_events(rng, network)
        assert differences(network, tables, x) == []
        marked = with_mismatch(network, rng)
        device = neuro.virtual_chip(marked.plan.chip, seed, 1.0, np.concatenate(list(marked.plan.locations.values())))
        assert differences(marked, neuro.export(marked), x, device) == []
        sets += max(0, len(tables.manifest.parameter_sets) - len(network.plan.parameters))
        spikes += int(network(x, record=("p0",))[1].spikes["p0"].sum())
        done += 1
    assert done >= 4 and spikes > 50 and (sets > 1 or name == "generic"), (done, spikes, sets)


def on_one_core(chip="dynapse1"):
    """Two populations of one core, the second with the second membrane time constant."""
    spec = neuro.task.NetworkSpec.model_validate({
        "dt_s": 1e-3,
        "inputs": {"x": 4},
        "populations": {"a": {"size": 3, "tau_mem_s": 0.02, "tau_syn_s": 0.005},
                        "b": {"size": 2, "tau_mem_s": 0.05, "tau_syn_s": 0.005}},
        "projections": ({"from": "x", "to": "a"}, {"from": "x", "to": "b"}),
        "outputs": {"y": {"population": "a"}},
        "trainable": ("tau_mem", "tau_syn"),
    })  # fmt: skip
    chip = chip_of(chip, ("board.columns=1", "board.rows=1", "cores.per_chip=1"))
    return neuro.Network(neuro.place(spec, chip), seed=0)


def test_both_leaks_of_a_core_are_trained_and_may_meet():
    network = on_one_core()
    assert [e.setting.name for e in network.constants.entries] == ["IF_TAU1_N", "NPDPIE_TAU_F_P", "IF_TAU2_N"]
    assert len(neuro.export(network).frames["latches"]) == 2
    with torch.no_grad():
        network.constants.latent[2] = network.constants.latent[0]
    network.project()
    tables = neuro.export(network)
    assert neuro.check(tables) == [] and len(tables.frames["latches"]) == 0
    assert len(tables.manifest.parameter_sets) == 1
    with torch.no_grad():  # the second the shorter one
        network.constants.latent[2] += 2.0
    network.project()
    tables = neuro.export(network)
    assert neuro.check(tables) == [] and len(tables.frames["latches"]) == 2
    told = {r.bias: r.realised for r in realised_constants(tables)}
    assert told["IF_TAU2_N"] < told["IF_TAU1_N"] / 5


def test_tables_carry_the_codes_that_were_trained():
    for seed in range(6):
        network = trained_network(np.random.default_rng([22, seed]), "dynapse2")
        if network is None:
            continue
        tables = neuro.export(network)
        told = {(r.chip, r.core, r.bias): r for r in realised_constants(tables)}
        rows = tables.frames["biases"].set_index(["chip", "core", "name"])["current_a"]
        for entry, value in zip(network.constants.entries, network.constants.values.tolist(), strict=True):
            place = (*network.plan.cores[entry.core], entry.setting.name)
            given = dict(entry.codes)[rows[place]]
            assert given == pytest.approx(value, rel=1e-6), place
            assert abs(told[place].error) < 1e-4 and (entry.row == THETA) == (told[place].constant == "threshold")


@pytest.mark.parametrize("chip", ["dynapse1", "dynapse2"])
def test_a_trained_run_is_verified_and_resumed_to_the_bit(tmp_path, chip):
    text = "trainable: [tau_mem, tau_syn]\n" + TINY.replace("lr: 0.02", "lr: 0.02, base_every: 2, constant_lr: 0.3")
    (tmp_path / "task.yaml").write_text(text)
    task = str(tmp_path / "task.yaml")
    run = neuro.train(task, chip, tmp_path / "run", epochs=2, progress=Quiet())
    start = neuro.nn.build(neuro.load_task(task), neuro.load_chip(chip)).constants.values
    assert (run.network.constants.values != start).sum() >= 3
    proof = neuro.verify(tmp_path / "run")
    assert proof.passed and proof.spikes > 100 and proof.accuracy == proof.replay_accuracy
    assert run.metrics[-1]["violations"] == 0
    with pytest.raises(RunError, match="--resume"):
        neuro.train(task, chip, tmp_path / "again", epochs=2, progress=Stopping(3))
    neuro.train(task, chip, tmp_path / "again", epochs=2, resume=True, progress=Quiet())
    other = neuro.load_run(tmp_path / "again").network.state_dict()
    assert all(torch.equal(tensor, other[name]) for name, tensor in run.network.state_dict().items())


class Stopping(Quiet):
    """Send this process Ctrl-C after so many steps."""

    def __init__(self, after: int):
        self.left = after

    def step(self, at, network) -> None:
        super().step(at, network)
        self.left -= 1
        if self.left == 0:
            signal.raise_signal(signal.SIGINT)


def test_a_task_that_trains_what_the_chip_cannot_is_refused():
    with pytest.raises(DescriptionError, match="trainable.*threshold"):
        neuro.nn.build(neuro.load_task("digits", ["trainable=[threshold]"]), neuro.load_chip("dynapse1"))
