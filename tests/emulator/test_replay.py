"""Replay: hand-computed spikes, a chip in plain loops as oracle, sequences in pieces, and input that is refused."""

import time

import numpy as np
import pandas as pd
import pytest
import torch
from brute_force import simulate
from handmade_tables import handmade, make_chip, random_events, random_tables, tables_of
from hypothesis import given, settings
from hypothesis import strategies as st

from neuro.emulator import ReplayState, replay
from neuro.errors import DataError, TableError


def chain(**changes):
    """Input → a → b: words of 1.0 = θ, no leak on the current's way out; a's route takes 2 steps, b's word 1 more."""
    manifest, rows = handmade()
    manifest["chip"] = make_chip(
        neuron={"leak": "exponential", "reset": "to_value", "refractory": "hold", "adaptation": "none"},
        weights__dac=None,
        weights__weight_unit_a=None,
        **({"tags": {"bits": 4}} | changes),
    )
    constants = {"decay_syn": [(0.0).hex(), (0.0).hex()], "leak": (0.5).hex(), "theta": (1.0).hex()}
    manifest |= {
        "populations": [{"name": "a", "size": 1}, {"name": "b", "size": 1}],
        "inputs": [{"name": "in", "channels": 2}],
        "outputs": [{"name": "b", "population": "b", "kind": "spikes"}],
        "parameter_sets": [{"id": 5, **constants}],
    }
    frames = {
        "neurons": [(0, 0, 1, 0, 0, 5), (1, 1, 3, 1, 0, 5)],
        "weights": [(c, k, -1, t, -1, s * 1024) for c, k in ((0, 0), (1, 1)) for t, s in ((3, 1), (0, -1))],
        "synapses": [(0, 0, 1, 0, 9, 3, -1, 1, 0), (0, 0, 1, 1, 8, 0, -1, 1, 0), (1, 1, 3, 0, 9, 3, -1, 1, 1)],
        "routes": [(0, 0, 1, 0, 9, 1, 0b10, 2)],
        "inputs": [(0, 0, 9, 0, 0b01, 0), (0, 1, 8, 0, 0b01, 0)],
    }
    return manifest, frames


def run_chain(x, manifest, frames):
    x = np.array(x)[:, None, :]
    output, record = replay(tables_of(manifest, frames), x, record=("a", "b"))
    return output[:, 0, 0].tolist(), record.spikes["a"][:, 0, 0].tolist(), record.v["a"][:, 0, 0].tolist()


def test_a_spike_arrives_after_route_and_synapse():
    """Events at steps 0 and 4; the second meets an inhibitory event and is cancelled."""
    x = [[1, 0], [0, 0], [0, 0], [0, 0], [1, 1], [0, 0], [0, 0], [0, 0]]
    b, a, _ = run_chain(x, *chain())
    assert a == [1, 0, 0, 0, 0, 0, 0, 0]
    assert b == [0, 0, 0, 1, 0, 0, 0, 0]


def test_reset_refractory_and_leak_by_hand():
    """Events 1, 1, 0, 0.5: fires; held while refractory; then below θ; 0.5 + 0.5 · 0.5 = 0.75 stays silent."""
    manifest, frames = chain()
    manifest["parameter_sets"][0]["refractory_steps"] = 1
    frames["weights"][0] = (0, 0, -1, 3, -1, 512)
    b, a, v = run_chain([[2, 0], [2, 0], [1, 0], [1, 0], [1, 0], [0, 0]], manifest, frames)
    assert a == [1, 0, 0, 0, 0, 0]
    assert v == [0, 0, 0.5, 0.75, 0.875, 0.4375]
    assert b == [0, 0, 0, 1, 0, 0]


def test_a_shared_tag_fires_every_word():
    """Input channel 1 sends a's tag to b's core as well: b hears what a never sent."""
    manifest, frames = chain()
    frames["inputs"].append((0, 1, 9, 1, 0b10, 0))
    b, a, _ = run_chain([[0, 1], [0, 0], [0, 0]], manifest, frames)
    assert a == [0, 0, 0] and b == [0, 1, 0]


@settings(max_examples=45, deadline=None, derandomize=True)
@given(st.integers(0, 2**32), st.sampled_from(["counts", "masks", "levels"]), st.booleans())
def test_equals_a_chip_in_plain_loops(seed, kind, clashes):
    tables = random_tables(seed, kind, clashes)
    x = random_events(tables, seed)
    names = list(tables.population_sizes)
    _, record = replay(tables, x, record=names)
    z, v = simulate(tables, x, b=1)
    for (population, index), spikes in z.items():
        assert record.spikes[names[population]][:, 1, index].tolist() == spikes
        assert record.v[names[population]][:, 1, index].tolist() == [float(u) for u in v[population, index]]


@pytest.mark.parametrize("seed", range(6))
def test_random_tables_do_spike(seed):
    """The oracle above would also equal a replay of silence."""
    tables = random_tables(100 + seed)
    names = list(tables.population_sizes)
    _, record = replay(tables, random_events(tables, seed, steps=40), record=names)
    assert sum(float(record.spikes[name].sum()) for name in names) > 0


def equal(a, b) -> bool:
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal(a[k], b[k]) for k in a)
    if isinstance(a, tuple):
        return all(equal(x, y) for x, y in zip(a, b, strict=True))
    return torch.equal(a, b)


@pytest.mark.parametrize("seed", [None, *range(10)])
def test_pieces_equal_the_whole(seed):
    tables = tables_of(*handmade()) if seed is None else random_tables(seed)
    names = list(tables.population_sizes)
    x = random_events(tables, 1, steps=11, batch=3)
    outputs, record = replay(tables, x, record=names)
    state, pieces = None, []
    for start, stop in ((0, 1), (1, 2), (2, 7), (7, 11)):
        piece, seen = replay(tables, {name: part[start:stop] for name, part in x.items()}, state, names)
        state = seen.state
        pieces.append((piece, seen))
    outputs = outputs if isinstance(outputs, dict) else {"": outputs}
    for name, whole in outputs.items():
        parts = [piece[name] if isinstance(piece, dict) else piece for piece, _ in pieces]
        assert torch.equal(torch.cat(parts), whole)
    for name in names:
        assert torch.equal(torch.cat([seen.spikes[name] for _, seen in pieces]), record.spikes[name])
        assert torch.equal(torch.cat([seen.v[name] for _, seen in pieces]), record.v[name])
    assert equal(state, record.state)


def test_outputs_by_hand():
    """Classes are sums of neighbouring neurons; traces are r = ½ r + z, y = W r + b."""
    manifest, rows = handmade()
    manifest["outputs"].append({"name": "all", "population": "hidden", "kind": "spikes"})
    manifest["outputs"].append({"name": "sum", "population": "hidden", "kind": "spikes", "classes": 1})
    tables = tables_of(manifest, rows)
    outputs, record = replay(tables, random_events(tables, 3, steps=30, batch=4), record=("hidden", "out"))
    z = record.spikes["hidden"]
    assert z.sum() > 10 and set(outputs) == {"spikes", "traces", "all", "sum"}
    assert torch.equal(outputs["all"], z) and torch.equal(outputs["sum"], z.sum(-1, keepdim=True))
    assert torch.equal(outputs["spikes"], record.spikes["out"])
    frame = pd.DataFrame(rows["readout"], columns=["output", "row", "population", "index", "weight"])
    full = frame.pivot(index="row", columns="index", values="weight").to_numpy()
    r = np.zeros((4, 3))
    for t in range(30):
        r = 0.5 * r + z[t].numpy()
        np.testing.assert_allclose(outputs["traces"][t].numpy(), r @ full[:, 1:].T + full[:, 0], rtol=1e-6)


def test_one_output_is_a_tensor_and_one_input_needs_no_name():
    manifest, frames = chain()
    tables = tables_of(manifest, frames)
    x = np.ones((4, 2, 2), dtype=np.uint8)
    x.setflags(write=False)
    outputs, _ = replay(tables, x)
    assert outputs.shape == (4, 2, 1) and outputs.dtype == torch.float32
    for same in (torch.ones(4, 2, 2), {"in": torch.ones(4, 2, 2, dtype=torch.bool)}, np.ones((4, 2, 2)).tolist()):
        assert torch.equal(replay(tables, same)[0], outputs)


REFUSED = [
    (np.zeros((0, 1, 2)), r"shape \[0, 1, 2\]"),
    (np.zeros((3, 0, 2)), r"shape \[3, 0, 2\]"),
    (np.zeros((3, 2)), r"shape \[3, 2\], allowed: \[T, B, 2\]"),
    (np.zeros((3, 1, 3)), r"allowed: \[T, B, 2\]"),
    (np.full((3, 1, 2), 0.5), "fractions"),
    (np.full((3, 1, 2), np.nan), "NaN"),
    (np.full((3, 1, 2), np.inf), "infinity"),
    (np.full((3, 1, 2), 3), "3 events a step, allowed on handmade"),
    (np.full((3, 1, 2), -1), "-1 to -1 events"),
    (np.full((3, 1, 2), 1j), "complex"),
    ({"other": np.zeros((3, 1, 2))}, "allowed: exactly in"),
    ([[[1, 0]], [[1]]], "no array of numbers"),
    (np.array([["a"]]), "no array of numbers"),
    (None, "no array of numbers"),
]


@pytest.mark.parametrize("x, message", REFUSED)
def test_input_that_is_no_events_is_refused(x, message):
    with pytest.raises(DataError, match=message):
        replay(tables_of(*chain()), x)


def test_inputs_of_different_lengths_are_refused():
    tables = next(t for t in map(random_tables, range(20)) if len(t.manifest.inputs) == 2)
    x = random_events(tables, 0)
    with pytest.raises(DataError, match="the same for every input"):
        replay(tables, x | {"in0": x["in0"][:3]})
    with pytest.raises(DataError, match="where there are several"):
        replay(tables, x["in0"])


def test_names_and_states_that_do_not_suit_are_refused():
    tables = tables_of(*chain())
    _, record = replay(tables, np.zeros((3, 2, 2)))
    with pytest.raises(DataError, match="record names 'c', allowed: a, b"):
        replay(tables, np.zeros((3, 2, 2)), record=("c",))
    with pytest.raises(DataError, match="another batch"):
        replay(tables, np.zeros((3, 1, 2)), record.state)
    with pytest.raises(DataError, match="state is dict"):
        replay(tables, np.zeros((3, 2, 2)), {})
    with pytest.raises(DataError, match="9 steps"):
        replay(tables, np.zeros((3, 2, 2)), ReplayState(record.state.neurons, torch.zeros(9, 4, 2), {}))


def test_tables_that_refer_to_nothing_are_refused():
    manifest, frames = chain()
    frames["neurons"].pop()
    with pytest.raises(TableError, match="no such neuron.*neuro check"):
        replay(tables_of(manifest, frames), np.zeros((3, 1, 2)))


def test_a_hundred_steps_of_500_neurons_are_quick():
    g = np.random.default_rng(0)
    neurons, channels, slots = 500, 200, 64
    manifest, frames = chain(cores={"per_chip": 2, "neurons": 512}, weights__slots=64, tags={"bits": 10})
    manifest["inputs"] = [{"name": "in", "channels": channels}]
    manifest["populations"] = [{"name": "a", "size": neurons}]
    manifest["outputs"] = [{"name": "a", "population": "a", "kind": "spikes", "classes": 10}]
    ids = range(neurons)
    words = ((n, s, int(tag)) for n in ids for s, tag in enumerate(g.choice(channels + neurons, slots, False)))
    frames |= {
        "neurons": [(0, 0, n, 0, n, 5) for n in ids],
        "weights": [(0, 0, -1, 3, -1, 100), (0, 0, -1, 0, -1, -90)],
        "synapses": [(0, 0, n, s, tag, 3 * (tag % 2), -1, 1, 0) for n, s, tag in words],
        "routes": [(0, 0, n, 0, channels + n, 0, 1, 1) for n in ids],
        "inputs": [(0, c, c, 0, 1, 0) for c in range(channels)],
    }
    tables = tables_of(manifest, frames)
    x = g.random((100, 64, channels)) < 0.2
    start = time.perf_counter()
    outputs, _ = replay(tables, x)
    assert time.perf_counter() - start < 10 and outputs.sum() > 100
