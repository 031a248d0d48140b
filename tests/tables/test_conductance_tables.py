"""Tables of arrays: every limit of a pair is found by the checker, and a chip in plain loops gives the same spikes."""

import numpy as np
import pytest
import torch
from brute_force import simulate

import neuro
from neuro.errors import FitError
from neuro.task import NetworkSpec

SPEC = {
    "dt_s": 1e-3,
    "inputs": {"x": 6},
    "populations": {
        "a": {"size": 5, "tau_mem_s": 0.01, "tau_syn_s": 0.005, "init_gain": 3.0},
        "b": {"size": 4, "tau_mem_s": 0.02, "tau_syn_s": 0.004, "init_gain": 3.0},
    },
    "projections": ({"from": "x", "to": "a"}, {"from": "a", "to": "a", "autapses": True}, {"from": "a", "to": "b"}),
    "outputs": {"y": {"population": "b"}},
}
SMALL = ("cores.neurons=8", "cores.axons=16", "cores.per_chip=4")
LEAKY = (*SMALL, "devices.states=4", "devices.ratio=4.0", "devices.gain=0.7")
TWO = (*SMALL, "devices.states=3", "weights.bases=[{name: plus}, {name: minus}]")


def made(overrides, seed=0, **changes):
    chip = neuro.load_chip("pcm-crossbar", overrides)
    spec = NetworkSpec.model_validate({**SPEC, **changes})
    return neuro.Network(neuro.place(spec, chip), seed=seed)


def with_rows(tables, table, change):
    frame = tables.frames[table].copy()
    change(frame)
    return type(tables)(tables.manifest, {**tables.frames, table: frame})


def found(tables):
    return {finding.what for finding in neuro.check(tables)}


@pytest.mark.parametrize("overrides", [SMALL, LEAKY, TWO], ids=["plain", "leaky", "two bases"])
def test_a_chip_in_plain_loops_gives_the_same_spikes(overrides):
    network = made(overrides)
    tables = neuro.export(network)
    assert neuro.check(tables) == []
    x = (torch.rand(25, 1, 6, generator=torch.Generator().manual_seed(1)) < 0.4).float()
    with torch.no_grad():
        record = network.eval()(x, record=("a", "b"))[1]
    z, v = simulate(tables, {"x": x.numpy().astype(int)}, 0)
    for number, name in enumerate(("a", "b")):
        for n in range(record.spikes[name].shape[2]):
            assert z[number, n] == record.spikes[name][:, 0, n].int().tolist()
            assert np.array_equal(np.array(v[number, n], np.float32), record.v[name][:, 0, n].numpy())
    assert record.spikes["a"].sum() > 10


def test_every_crosspoint_has_a_word_where_rest_weighs_something():
    plain, leaky = (neuro.export(made(o)) for o in (SMALL, LEAKY))
    rows = leaky.frames["axons"].groupby("core").size()
    neurons = leaky.frames["neurons"].groupby("core").size()
    assert len(leaky.frames["synapses"]) == int((rows * neurons).sum())
    assert len(plain.frames["synapses"]) < len(leaky.frames["synapses"])
    less = type(leaky)(leaky.manifest, {**leaky.frames, "synapses": leaky.frames["synapses"].iloc[:-1]})
    assert "crosspoint" in found(less)


@pytest.mark.parametrize("overrides", [SMALL, LEAKY, TWO], ids=["plain", "leaky", "two bases"])
def test_weights_that_no_bases_give_are_found(overrides):
    tables = neuro.export(made(overrides))
    large = tables.frames["weights"]["value"].abs().idxmax()

    def doubled(frame):
        frame.loc[large, "value"] *= -2

    assert "weights of pairs" in found(with_rows(tables, "weights", doubled))


def test_rows_and_tags_are_held_together():
    tables = neuro.export(made(SMALL))

    def swapped(frame):
        frame.loc[[0, 1], "tag"] = frame.loc[[1, 0], "tag"].to_numpy()

    def same(frame):
        frame.loc[1, "tag"] = frame.loc[0, "tag"]

    def beyond(frame):
        frame.loc[0, "axon"] = 16

    assert "tag of a crosspoint" in found(with_rows(tables, "axons", swapped))
    assert "rows of a tag" in found(with_rows(tables, "axons", same))
    assert "axons.axon" in found(with_rows(tables, "axons", beyond))
    assert "synapses.code" in found(with_rows(tables, "synapses", lambda frame: frame.__setitem__("code", 256)))


def test_what_needs_more_rows_or_absent_pairs_is_refused():
    with pytest.raises(FitError, match="axons"):
        made((*SMALL, "cores.axons=5"))
    with pytest.raises(FitError, match="has no autapses, but on pcm-crossbar .* no pair weighs 0 at rest"):
        made(LEAKY, projections=({"from": "x", "to": "a"}, {"from": "a", "to": "a"}, {"from": "a", "to": "b"}))
