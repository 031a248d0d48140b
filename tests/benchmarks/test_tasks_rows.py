"""The table of tasks: rows keep what they promise, the README holds them as they are, and a row not run says so."""

import json
from pathlib import Path

import numpy as np
import pytest
import tasks_table
from footprint import footprint
from tiny_task import TINY

import neuro
import tasks as rows
from neuro.data import load_dataset

RESULTS = sorted((Path(rows.__file__).parent / "results/tasks").glob("*.json"))


@pytest.mark.parametrize("path", RESULTS, ids=lambda p: p.stem)
def test_committed_rows_keep_the_promises(path):
    row = json.loads(path.read_text())
    assert row["spikes_differ"] == 0 and row["limits_exceeded"] == 0
    assert row["spikes"] > 0 and 0 < row["test_accuracy"] <= 1
    assert row["float_twin"] is None or 0 < row["float_twin"] <= 1
    limit = neuro.load_chip(row["chip"].split(" ")[0]).weights.slots
    assert limit is None or row["slots_most"] <= limit
    known = {rows.result_path(r, seed) for r in rows.ROWS for seed in rows.SEEDS}
    assert path in known


def test_the_readme_holds_the_table_of_the_results():
    text = (Path(rows.__file__).parent / "README.md").read_text()
    assert tasks_table.table() in text


def test_a_row_not_run_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(tasks_table, "result_path", lambda row, seed: tmp_path / "none")
    assert all(" not run " in tasks_table.line(row) for row in rows.ROWS)


def test_every_row_names_a_task_and_a_chip():
    for row in rows.ROWS:
        task, chip = neuro.load_task(row.task, row.task_set), neuro.load_chip(row.chip, row.chip_set)
        neuro.place(task.network, chip)


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    path = tmp_path_factory.mktemp("task") / "tiny.yaml"
    path.write_text(TINY)
    task = neuro.load_task(str(path))
    return task, neuro.build(task, neuro.load_chip("dynapse1"))


def test_bytes_are_those_of_the_exported_words(network):
    task, net = network
    part = load_dataset(task.data).test
    found = footprint(net, task, part)
    words = len(neuro.export(net).frames["synapses"])
    bases = 2 * 4 * 11 / 8  # two cores of four base weights, or of those in use
    assert np.ceil(words * 12 / 8) <= found["synapse_bytes"] <= np.ceil(words * 12 / 8) + bases
    assert found["synapse_bytes_of_cores"] == 2 * 256 * 64 * 12 // 8 + found["synapse_bytes"] - int(
        np.ceil(words * 12 / 8)
    )


def test_the_rounded_twin_is_the_float_twin_within_the_chip(network, tmp_path, monkeypatch):
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY)
    row = rows.Row(str(path), "dynapse1", None)
    twin = neuro.train(str(path), neuro.load_chip("dynapse1", ["weights.kind=float"]), tmp_path / "f", epochs=1)
    net = rows.rounded(twin, row, 0)
    assert net.violations() == []
    for name, latent in twin.network.latents.items():
        near = (net.memories[name].weight - latent.detach()).norm() / latent.detach().norm()
        assert float(near) < 1  # nearer than nothing at all
