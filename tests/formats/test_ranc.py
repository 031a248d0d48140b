"""RANC files: a slow reference of RANC spikes as our replay does, files read back give the tables, damage is told."""

import json
import shutil

import numpy as np
import pytest
import torch
from ranc_reference import simulate
from random_networks import random_events, random_network
from tiny_task import TINY, call, refused

import neuro
from neuro.errors import DescriptionError, FitError, NeuroError, TableError
from neuro.formats import ranc
from neuro.task import NetworkSpec
from neuro.training.progress import Quiet

SMALL = ("cores.neurons=6", "cores.axons=6", "cores.per_chip=40", "cores.columns=5", "board.columns=2")
CHIPS = [SMALL, (*SMALL, "neuron.reset=subtract", "neuron.floor=null"), ("cores.neurons=9", "cores.per_chip=30")]


def split_network(rng, overrides):
    """Draw a network of random sizes and delays in which at least one population needs splitters."""
    for _ in range(100):
        sizes = rng.integers(3, 12, 3)
        populations = {
            f"p{k}": {
                "size": int(size),
                "tau_mem_s": float(rng.uniform(2e-3, 4e-2)),
                "tau_syn_s": 0.005,
                "threshold": float(rng.choice([0.4, 1.0])),
                "bias": float(rng.uniform(0, 0.1)),
                "init_gain": 2.0,
                "route_delay": int(rng.integers(1, 16)),
            }
            for k, size in enumerate(sizes)
        }
        pairs = [("x", "p0"), ("p0", "p1"), ("p0", "p2"), ("p1", "p2"), ("p2", "p0"), ("p1", "p1")]
        spec = NetworkSpec.model_validate(
            {
                "dt_s": 1e-3,
                "inputs": {"x": int(rng.integers(3, 9))},
                "populations": populations,
                "projections": tuple({"from": a, "to": b} for a, b in pairs),
                "outputs": {"y": {"population": "p2"}, "z": {"population": "p1"}},
            }
        )
        try:
            plan = neuro.place(spec, neuro.load_chip("truenorth", overrides))
        except FitError:
            continue
        if any(fanout.splits for fanout in plan.fanouts.values()):
            return neuro.Network(plan, seed=int(rng.integers(10**6))).eval()
    raise AssertionError("no network needed splitters")


def packets_of(tables, content, x):
    """Turn events of one sample [T, channels] into packets, by the inputs table alone."""
    across, at = tables.chip.cores.columns or tables.chip.cores.per_chip, {p.chip: p for p in tables.manifest.chips}
    down = -(-tables.chip.cores.per_chip // across)
    packets = [[] for _ in range(len(x))]
    for row in tables.frames["inputs"].to_dict("records"):
        chip, core = at[row["target_chip"]], core_of(row)
        place = [chip.x * across + core % across, chip.y * down + core // across]
        for t in np.flatnonzero(x[:, row["channel"]]):
            packets[t].append(
                {"destination_core": place, "destination_axon": row["tag"], "destination_tick": row["delay"]}
            )
    return packets


def core_of(row):
    return row["target_core"] if "target_core" in row else row["core_mask"].bit_length() - 1


def wanted_spikes(tables, emulated, sample):
    """Who spiked in each step of the replay, as (x, y, neuron)."""
    across = tables.chip.cores.columns or tables.chip.cores.per_chip
    down, names = -(-tables.chip.cores.per_chip // across), list(tables.population_sizes)
    at = {p.chip: p for p in tables.manifest.chips}
    steps = [set() for _ in range(next(iter(emulated.spikes.values())).shape[0])]
    for row in tables.frames["neurons"].to_dict("records"):
        chip, core = at[row["chip"]], row["core"]
        place = (chip.x * across + core % across, chip.y * down + core // across, row["neuron"])
        spikes = emulated.spikes[names[row["population"]]][:, sample, row["index"]]
        for t in spikes.nonzero().flatten().tolist():
            steps[t].add(place)
    return steps


@pytest.mark.parametrize("seed", range(10))
def test_ranc_spikes_as_the_replay_does(seed, tmp_path):
    """Ten random networks with splitters and delays: every neuron, copies and splitters included, every step."""
    rng = np.random.default_rng(seed)
    network = split_network(rng, CHIPS[seed % len(CHIPS)])
    tables = neuro.export(network)
    ranc.write(tables, tmp_path / "ranc")
    content, architecture = (json.loads((tmp_path / "ranc" / f).read_text()) for f in ("ranc.json", "config.json"))
    x = random_events(rng, network, steps=50, batch=1)["x"]
    outputs, record = neuro.replay(tables, x, record=tuple(tables.population_sizes))
    packets = packets_of(tables, content, x[:, 0].numpy())
    spikes, lines = simulate(content, architecture, packets, len(x))
    assert [set(step) for step in spikes] == wanted_spikes(tables, record, 0)
    assert sum(map(len, spikes)) > 40 and any("splitter" in name for name in tables.population_sizes)
    read = torch.cat([outputs["y"], outputs["z"]], 2)[:, 0]  # the bus begins with who is read out
    for step, active in zip(read, lines, strict=True):
        assert {k for k in active if k < len(step)} == set(step.nonzero().flatten().tolist())


def same(a, b):
    return a.manifest == b.manifest and all(a.frames[t].equals(b.frames[t]) for t in a.frames)


@pytest.mark.parametrize("seed", range(12))
def test_what_is_written_is_read_back(seed, tmp_path):
    rng = np.random.default_rng(seed)
    network = random_network(rng, "truenorth")
    tables = neuro.export(network)
    try:
        ranc.write(tables, tmp_path / "a")
    except (DescriptionError, TableError) as error:
        assert "allowed in format ranc" in str(error) and not (tmp_path / "a").exists()
        return
    again = ranc.read(tmp_path / "a")
    assert same(again, tables)
    ranc.write(again, tmp_path / "b")
    for name in ("ranc.json", "config.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    network = split_network(np.random.default_rng(3), SMALL)
    folder = tmp_path_factory.mktemp("ranc") / "a"
    ranc.write(neuro.export(network), folder)
    return folder


def damaged(folder, target, change):
    """Copy a written folder with a change to the parsed file."""
    shutil.copytree(folder, target)
    content = json.loads((target / "ranc.json").read_text())
    change(content)
    (target / "ranc.json").write_text(json.dumps(content))
    return target


DAMAGE = [
    (lambda c: c["cores"].pop(), "cores: allowed: one at each"),
    (lambda c: c.pop("packets"), "allowed: an object with packets, output_bus, cores"),
    (lambda c: c["cores"][0].update(coordinates=[9, 9]), "cores: allowed: one at each"),
    (lambda c: c["cores"][0]["axons"].append(0), "cores.0.axons: allowed: a list of 6"),
    (lambda c: c["cores"][0]["axons"].__setitem__(0, 4), "cores.0.axons.0 is '4', allowed: 0 to 3"),
    (lambda c: c["cores"][0]["neurons"].pop(), "cores.0.neurons: have"),
    (lambda c: c["cores"][0]["neurons"][0].update(leak=77), "cores.0.neurons.0.leak is 77, allowed"),
    (lambda c: c["cores"][0]["neurons"][0].update(leak=1.5), "cores.0.neurons.0.leak is '1.5'"),
    (lambda c: c["cores"][0]["neurons"][0].update(positive_threshold=3), "positive_threshold is 3, allowed"),
    (lambda c: c["cores"][0]["neurons"][0].update(reset_mode=1), "reset_mode is 1, allowed: 0"),
    (lambda c: c["cores"][0]["neurons"][0].update(destination_core_offset=[-7, 0]), "leads to no core"),
    (lambda c: c["cores"][0]["connections"][0].__setitem__(0, 2), "connections.0.0 is '2', allowed: 0 to 1"),
    (lambda c: c["output_bus"].update(num_outputs=1), "output_bus.num_outputs is 1, allowed"),
    (lambda c: c["output_bus"].update(coordinates=[0, 0]), "output_bus.coordinates"),
]


@pytest.mark.parametrize(("change", "message"), DAMAGE, ids=[message[:40] for _, message in DAMAGE])
def test_damage_is_told(written, tmp_path, change, message):
    with pytest.raises(TableError) as caught:
        ranc.read(damaged(written, tmp_path / "b", change))
    assert message in str(caught.value)


def test_a_change_that_is_another_configuration_is_read_as_that(written, tmp_path):
    """A weight, a crosspoint, a delay: what only this file says."""
    before = ranc.read(written)

    def change(content):
        content["cores"][0]["neurons"][0]["weights"][1] = 99

    after = ranc.read(damaged(written, tmp_path / "b", change))
    frame = after.frames["weights"]
    differ = frame[frame["value"] != before.frames["weights"]["value"]]
    assert differ[["neuron", "part", "value"]].to_numpy().tolist() == [[0, 1, 99]]


def test_mutated_files_are_read_or_refused_in_one_message(written, tmp_path):
    rng = np.random.default_rng(0)
    text = (written / "ranc.json").read_bytes()
    for number in range(150):
        data = bytearray(text)
        for _ in range(rng.integers(1, 4)):
            at = int(rng.integers(len(data)))
            data[at : at + int(rng.integers(0, 3))] = bytes(rng.integers(32, 127, rng.integers(0, 3), dtype=np.uint8))
        target = tmp_path / str(number)
        shutil.copytree(written, target)
        (target / "ranc.json").write_bytes(bytes(data))
        try:
            neuro.check(ranc.read(target))
        except NeuroError as error:
            assert len(str(error)) < 1000


@pytest.mark.parametrize(
    ("chip", "overrides", "message"),
    [
        (
            "truenorth",
            ["neuron.leak=linear_to_zero"],
            "neuron.leak is linear_to_zero .* allowed in format ranc: linear",
        ),
        ("truenorth", ["neuron.reset=subtract"], "floor 0, reset by subtraction"),
        ("truenorth", ["neuron.floor=-0.5"], "floor -0.5, reset to 0"),
    ],
)
def test_neurons_ranc_does_not_have_are_refused(chip, overrides, message, tmp_path):
    spec = NetworkSpec.model_validate(
        {
            "dt_s": 1e-3,
            "inputs": {"x": 3},
            "populations": {"a": {"size": 4, "tau_mem_s": 0.02, "tau_syn_s": 0.005}},
            "projections": ({"from": "x", "to": "a"},),
            "outputs": {"y": {"population": "a"}},
        }
    )
    tables = neuro.export(neuro.Network(neuro.place(spec, neuro.load_chip(chip, overrides))))
    with pytest.raises((DescriptionError, TableError), match=message):
        ranc.write(tables, tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_a_full_folder_is_kept(written, tmp_path):
    (tmp_path / "mine.txt").write_text("years of work")
    with pytest.raises(TableError, match="not empty"):
        ranc.write(ranc.read(written), tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "years of work"


def test_the_command_line_writes_checks_and_verifies_it(tmp_path):
    (tmp_path / "task.yaml").write_text(TINY)
    neuro.train(str(tmp_path / "task.yaml"), "truenorth", tmp_path / "run", epochs=1, progress=Quiet())
    out = tmp_path / "ranc"
    assert call("export", tmp_path / "run", "--format", "ranc", "--out", out).status == 0
    assert call("check", out).status == 0
    said = call("verify", tmp_path / "run", "--tables", out, "--json")
    assert said.status == 0 and json.loads(said.out)["differ"] == 0
    refused(call("export", tmp_path / "run", "--format", "netparser", "--out", tmp_path / "n"), "netparser", "ranc")
