"""verify and export on trained runs: nothing differs, and what is not the run's own configuration is told."""

import json
import shutil

import pytest
from tiny_task import TINY, call, refused, run, snapshot

import neuro
from neuro.training.progress import Quiet

TASKS = {
    "dynapse1": TINY.replace("{from: hidden, to: digit}", "{from: hidden, to: hidden}\n  - {from: hidden, to: digit}"),
    "dynapse2": "delay_lines: [0, 2, 5]\n"
    + TINY.replace("tau_syn_s: 0.005", "tau_syn_s: {fast: 0.005, slow: 0.02}", 1),
    "generic": "delay_lines: [0, 3]\n"
    + TINY.replace("size: 12,", "size: 12, route_delay: 3, adaptation: {strength: 0.1, tau_s: 0.05},"),
    "binary-core": TINY.replace("refractory_s: 0.001", "refractory_s: 0.003, route_delay: 2"),
    "truenorth": TINY.replace("size: 12", "size: 140, route_delay: 2").replace(  # two cores listen: splitters
        "{from: hidden, to: digit}", "{from: hidden, to: hidden}\n  - {from: hidden, to: digit}"
    ),
}


@pytest.mark.parametrize("chip", TASKS)
def test_no_spike_differs_on_any_chip(tmp_path, chip):
    (tmp_path / "task.yaml").write_text(TASKS[chip])
    trained = neuro.train(str(tmp_path / "task.yaml"), chip, tmp_path / "run", epochs=1, progress=Quiet())
    assert trained.metrics[-1]["violations"] == 0
    proof = neuro.verify(tmp_path / "run")
    assert (proof.differ, proof.findings, proof.first) == (0, (), None) and proof.passed
    assert proof.spikes > 100 and proof.accuracy == proof.replay_accuracy == neuro.evaluate(trained).accuracy
    said = call("verify", tmp_path / "run", "--json")
    assert said.status == 0 and json.loads(said.out)["differ"] == 0 and said.err == ""
    neuro.export(str(tmp_path / "run")).save(tmp_path / "a")
    neuro.export(trained).save(tmp_path / "b")
    neuro.load_tables(tmp_path / "a").save(tmp_path / "c")
    assert snapshot(tmp_path / "a") == snapshot(tmp_path / "b") == snapshot(tmp_path / "c")
    assert call("verify", tmp_path / "run", "--tables", tmp_path / "a").status == 0
    assert call("check", tmp_path / "a").status == 0


@pytest.fixture
def others(tmp_path):
    """Tables of runs that are not the shared one."""

    def make(chip="dynapse1", text=TINY, seed=1):
        (tmp_path / "other.yaml").write_text(text)
        neuro.train(str(tmp_path / "other.yaml"), chip, tmp_path / "other", seed=seed, epochs=1, progress=Quiet())
        neuro.export(tmp_path / "other").save(tmp_path / "tables")
        return tmp_path / "tables"

    return make


def test_tables_of_another_seed_are_told(shared_run, others):
    tables = others()
    said = call("verify", shared_run, "--tables", tables)
    assert said.status == 1 and said.err == "", said
    assert "first difference: population" in said.out and "not this run's network" in said.out
    assert "0 of" not in said.out.splitlines()[0]
    told = call("verify", shared_run, "--tables", tables, "--json")
    assert told.status == 1 and json.loads(told.out)["differ"] > 0 and told.err == ""


@pytest.mark.parametrize(
    ("chip", "old", "new"),
    [
        ("generic", "size: 12", "size: 12"),
        ("dynapse2", "size: 12", "size: 12"),
        ("dynapse1", "hidden: {size: 12", "hidden: {size: 9"),
        ("dynapse1", "hidden: {size: 12", "hidden: {size: 14"),
        ("dynapse1", "hidden", "veiled"),
        ("dynapse1", "digit: {size: 10", "digit: {size: 20"),
        ("dynapse1", "inputs: {pixels", "inputs: {picture"),
        (
            "dynapse1",
            "digit: {population: digit, readout: spikes",
            "digit: {population: digit, tau_out_s: 0.01, readout: linear",
        ),
    ],
)
def test_tables_of_another_network_are_told(shared_run, others, chip, old, new):
    text = TINY.replace(old, new)
    if new == "inputs: {picture":
        text = text.replace("from: pixels", "from: picture")
    said = call("verify", shared_run, "--tables", others(chip, text))
    assert said.status == 1, said
    assert "not this run's network" in said.out + said.err


def test_the_chip_beside_the_tables_is_the_run_s(shared_run, tmp_path):
    """The same network on a chip with one more slot is another configuration: verify compares chips, too."""
    neuro.export(shared_run).save(tmp_path / "tables")
    assert call("verify", shared_run, "--tables", tmp_path / "tables").status == 0
    manifest = json.loads((tmp_path / "tables" / "manifest.json").read_text())
    manifest["chip"]["weights"]["slots"] = 65
    from neuro.tables.manifest import sha256_of

    manifest["chip_sha256"] = sha256_of(manifest["chip"])
    (tmp_path / "tables" / "manifest.json").write_text(json.dumps(manifest))
    said = call("verify", shared_run, "--tables", tmp_path / "tables")
    assert said.status == 1, said


@pytest.mark.parametrize("change", [lambda w: w * 2, lambda w: w.iloc[::-1].to_numpy(), lambda w: w * 0])
def test_another_linear_read_out_is_told(tmp_path, change):
    """Spikes alone do not show it: what is read from them is part of the configuration."""
    from neuro.tables import Tables

    linear = TINY.replace("readout: spikes, classes: 10", "readout: linear, classes: 10, tau_out_s: 0.02")
    (tmp_path / "task.yaml").write_text(linear)
    neuro.train(str(tmp_path / "task.yaml"), "generic", tmp_path / "run", epochs=1, progress=Quiet())
    tables = neuro.export(tmp_path / "run")
    frames = {k: f.copy() for k, f in tables.frames.items()}
    frames["readout"]["weight"] = change(frames["readout"]["weight"])
    Tables(tables.manifest, frames).save(tmp_path / "tables")
    assert call("check", tmp_path / "tables").status == 0
    said = call("verify", tmp_path / "run", "--tables", tmp_path / "tables")
    assert said.status == 1, said


def test_a_float_twin_trains_but_is_neither_exported_nor_verified(tiny, tmp_path):
    out = tmp_path / "twin"
    said = call("train", tiny, "--chip", "dynapse1", "--set", "chip.weights.kind=float", "--out", out, "--epochs", "1")
    assert said.status == 0, said
    assert "not the real chip: weights.kind=float" in said.err
    before = snapshot(tmp_path)
    refused(call("export", out, "--out", tmp_path / "tables"), "float twin")
    refused(call("verify", out), "float twin")
    assert snapshot(tmp_path) == before
    assert call("evaluate", out).status == 0


def test_parquet_and_csv_are_one_configuration(shared_run, tmp_path):
    import numpy as np

    assert call("export", shared_run, "--out", tmp_path / "csv").status == 0
    assert call("export", shared_run, "--out", tmp_path / "parquet", "--parquet").status == 0
    assert list((tmp_path / "parquet").glob("*.parquet")) and not list((tmp_path / "parquet").glob("*.csv"))
    rng = np.random.default_rng(0)
    np.save(tmp_path / "x.npy", rng.integers(0, 2, (20, 3, 64)).astype("f4"))
    np.save(tmp_path / "one.npy", rng.integers(0, 2, (20, 64)).astype("u1"))
    for kind in ("csv", "parquet"):
        assert (
            call("replay", tmp_path / kind, "--input", tmp_path / "x.npy", "--out", tmp_path / f"{kind}.npy").status
            == 0
        )
    a, b = np.load(tmp_path / "csv.npy"), np.load(tmp_path / "parquet.npy")
    assert a.shape == (20, 3, 10) and np.array_equal(a, b) and a.sum() > 0
    import torch

    with torch.inference_mode():
        assert np.array_equal(a, neuro.load_run(shared_run).network(torch.from_numpy(np.load(tmp_path / "x.npy")))[0])
    command = ("replay", tmp_path / "csv", "--input", tmp_path / "one.npy", "--out", tmp_path / "y.npy")
    assert json.loads(call(*command, "--spikes", "hidden", "--json").out)["shape"] == [20, 1, 12]


def test_tables_need_nothing_of_the_run(shared_run, tmp_path):
    """Check and replay in a process of its own, the run folder gone, from another folder."""
    copy = shutil.copytree(shared_run, tmp_path / "run")
    assert call("export", copy, "--out", tmp_path / "tables").status == 0
    shutil.rmtree(copy)
    said = run("check", "../tables", "--json", cwd=tmp_path / "tables")
    assert said.status == 0 and said.err == "" and json.loads(said.out)["findings"] == []
