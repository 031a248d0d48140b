"""The checker on crossbars: a good configuration has no finding, and each rule is found where it alone is broken."""

import numpy as np
import pytest
import torch

import neuro
from neuro.tables import Tables, check, ill_formed
from neuro.task import NetworkSpec

HERE = ["chip", "core", "neuron"]
FIELDS = {"tau_mem_s": 0.02, "tau_syn_s": 0.005}


@pytest.fixture(scope="module")
def good():
    """Two cores listen to five neurons: their splitters, and 9 channels on 6 axons."""
    spec = NetworkSpec.model_validate(
        {
            "dt_s": 1e-3,
            "inputs": {"x": 9},
            "populations": {"a": FIELDS | {"size": 5}, "b": FIELDS | {"size": 9}},
            "projections": ({"from": "x", "to": "a"}, {"from": "a", "to": "b"}),
            "outputs": {"y": {"population": "b"}},
        }
    )
    chip = neuro.load_chip("truenorth", ["cores.neurons=8", "cores.axons=6"])
    return neuro.export(neuro.Network(neuro.place(spec, chip), seed=1))


def edited(tables, table, change):
    frame = tables.frames[table].copy()
    return Tables(tables.manifest, {**tables.frames, table: change(frame)})


def cell(table, column, value, row=0):
    def change(frame):
        frame.loc[row, column] = value(frame.loc[row, column]) if callable(value) else value
        return frame

    return table, change


def without(table, row=0):
    return table, lambda frame: frame.drop(index=row).reset_index(drop=True)


def once_more(table, **cells):
    def change(frame):
        frame.loc[len(frame)] = {**frame.iloc[0].to_dict(), **cells}
        return frame

    return table, change


def test_a_good_one_has_no_finding(good):
    assert check(good) == []
    assert set(good.frames["axons"]) == {"chip", "core", "axon", "tag", "type"}
    assert [p.name for p in good.manifest.populations] == ["a", "b", "a.splitter1", "a.splitter2"]
    assert (good.frames["routes"].groupby(["chip", "core", "neuron"]).size() == 1).all()


RULES = [
    (cell("axons", "tag", 5), "tag of an axon"),
    (cell("synapses", "tag", lambda tag: (tag + 1) % 6), "tag of a crosspoint"),
    (cell("axons", "type", 4), "axons.type"),
    (cell("axons", "axon", 6, row=5), "axons.axon"),
    (without("axons"), "axon"),
    (once_more("axons", type=3), "duplicate rows in axons"),
    (cell("synapses", "slot", 6), "synapses.slot"),
    (cell("synapses", "code", 2), "synapses.code"),
    (cell("synapses", "type", 0), "synapses.type"),
    (cell("synapses", "part", 0), "synapses.part"),
    (once_more("synapses"), "duplicate rows in synapses"),
    (cell("weights", "value", 256), "weight value"),
    (cell("weights", "neuron", -1), "weights.neuron"),
    (cell("weights", "neuron", 7), "neuron"),
    (cell("weights", "part", 4), "weights.part"),
    (lambda good: ("weights", lambda frame: frame[frame["neuron"] != 0].reset_index(drop=True)), "weight"),
    (cell("routes", "delay", 16), "routes.delay"),
    (cell("routes", "delay", 0), "routes.delay"),
    (once_more("routes", route=1), "routes"),
    (lambda good: once_more("routes", target_core=int(good.frames["routes"]["target_core"].max())), "cores of a route"),
    (cell("routes", "tag", 256), "routes.tag"),
    (cell("inputs", "tag", lambda tag: (tag + 1) % 6), "tag clash"),
    (without("inputs"), "unknown tag"),
    (lambda good: once_more("routes", **good.frames["neurons"].query("population == 1").iloc[0][HERE]), "read-out"),
]


@pytest.mark.parametrize(("edit", "what"), RULES, ids=[f"{i} {what}" for i, (_, what) in enumerate(RULES)])
def test_each_rule_is_found(good, edit, what):
    table, change = edit if isinstance(edit, tuple) else edit(good)
    findings = check(edited(good, table, change))
    assert what in [f.what for f in findings], findings


CONSTANTS = [
    ({"theta": 1.0 + 2.0**-9}, "threshold in weight units"),
    ({"theta": 2.0**11}, "threshold in weight units"),
    ({"leak": 2.0**-8}, "tau_mem in weight units"),
    ({"leak": -2.0}, "tau_mem in weight units"),
    ({"v_reset": 0.3}, "v_reset in weight units"),
    ({"decay_syn": (0.5,)}, "decay_syn of fast"),
    ({"refractory_steps": 1}, "refractory_steps"),
    ({"floor": -1.0}, "floor"),
    ({"beta": 0.5}, "beta"),
]


@pytest.mark.parametrize(("fields", "what"), CONSTANTS, ids=[f"{i} {what}" for i, (_, what) in enumerate(CONSTANTS)])
def test_constants_a_crossbar_cannot_have_are_found(good, fields, what):
    first, *rest = good.manifest.parameter_sets
    sets = (first.model_copy(update=fields), *rest)
    findings = check(Tables(good.manifest.model_copy(update={"parameter_sets": sets}), good.frames))
    assert what in [f.what for f in findings], findings


def test_the_most_axons_are_counted(good):
    rows = good.frames["axons"].groupby(["chip", "core"]).size()
    assert rows.max() == 6 and ill_formed(good) == []


def test_crossbar_tables_are_saved_and_read_back(good, tmp_path):
    good.save(tmp_path / "csv")
    good.save(tmp_path / "parquet", parquet=True)
    for name in ("csv", "parquet"):
        loaded = neuro.load_tables(tmp_path / name)
        assert all(loaded.frames[t].equals(good.frames[t]) for t in good.frames)
    assert "axons.csv" in [p.name for p in (tmp_path / "csv").iterdir()]


def test_splitters_repeat_every_spike_one_step_later(good):
    x = (torch.rand(20, 3, 9, generator=torch.Generator().manual_seed(0)) < 0.5).float()
    _, record = neuro.replay(good, x, record=("a", "a.splitter1", "a.splitter2"))
    sent = record.spikes["a"].numpy()
    assert sent.sum() > 10
    for name in ("a.splitter1", "a.splitter2"):
        assert np.array_equal(record.spikes[name].numpy()[1:], sent[:-1])
