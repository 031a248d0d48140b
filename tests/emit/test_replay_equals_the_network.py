"""The central property: whatever the network, its tables replayed give every spike and every membrane value."""

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_networks import CHIPS, differences, random_events, random_network
from tiny_task import snapshot

import neuro
from neuro.errors import NeuroError

SEEDS = st.integers(0, 2**32 - 1)
MANY = settings(deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None)


def holds(name, seed):
    rng = np.random.default_rng(seed)
    network = random_network(rng, name)
    assert network.violations() == []
    tables = neuro.export(network)
    assert neuro.check(tables) == []
    spikes = 0
    for share in (0.15, 0.6):
        x = random_events(rng, network, share=share)
        assert differences(network, tables, x) == []
        with torch.no_grad():
            record = network(x, record=tuple(network.plan.spec.populations))[1]
        spikes += sum(int(z.sum()) for z in record.spikes.values())
    return spikes


@pytest.mark.parametrize("name", CHIPS)
@settings(MANY, max_examples=15)
@given(seed=SEEDS)
def test_replay_equals_the_network(name, seed):
    holds(name, seed)


@pytest.mark.slow
@pytest.mark.parametrize("name", CHIPS)
@settings(MANY, max_examples=600)
@given(seed=SEEDS)
def test_replay_equals_the_network_many_times(name, seed):
    holds(name, seed)


@pytest.mark.parametrize("name", CHIPS)
def test_the_networks_compared_do_spike(name):
    assert np.mean([holds(name, seed) > 20 for seed in range(8)]) > 0.6


@pytest.mark.parametrize("name", CHIPS)
def test_export_load_export_gives_the_same_bytes(name, tmp_path):
    for seed in range(4):
        network = random_network(np.random.default_rng(seed), name)
        for parquet in (False, True):
            first, second, third = (tmp_path / f"{seed}{parquet}{k}" for k in "abc")
            neuro.export(network).save(first, parquet=parquet)
            neuro.load_tables(first).save(second, parquet=parquet)
            neuro.export(network).save(third, parquet=parquet)
            assert snapshot(first) == snapshot(second) == snapshot(third)
        x = random_events(np.random.default_rng(seed), network)
        assert differences(network, neuro.load_tables(first), x) == []


@pytest.mark.parametrize("name", CHIPS)
def test_a_sequence_in_pieces_equals_the_whole_on_both_sides(name):
    for seed in range(5):
        rng = np.random.default_rng(1000 + seed)
        network = random_network(rng, name)
        tables, names = neuro.export(network), tuple(network.plan.spec.populations)
        x = random_events(rng, network, steps=20)
        cuts = [{k: v[a:b] for k, v in x.items()} for a, b in ((0, 1), (1, 7), (7, 20))]
        for run in (network, lambda *a, tables=tables, **k: neuro.replay(tables, *a, **k)):
            with torch.no_grad():
                whole, state, parts = run(x, record=names)[1], None, []
                for cut in cuts:
                    _, record = run(cut, state=state, record=names)
                    state = record.state
                    parts.append(record)
            for n in names:
                assert torch.equal(whole.spikes[n], torch.cat([p.spikes[n] for p in parts]))
                assert torch.equal(whole.v[n], torch.cat([p.v[n] for p in parts]))


def test_the_state_dict_of_a_network_gives_the_same_tables(tmp_path):
    for name in CHIPS:
        rng = np.random.default_rng(5)
        network = random_network(rng, name)
        other = neuro.Network(network.plan, seed=99)
        other.load_state_dict(network.state_dict())
        neuro.export(network).save(tmp_path / name / "a")
        neuro.export(other).save(tmp_path / name / "b")
        assert snapshot(tmp_path / name / "a") == snapshot(tmp_path / name / "b")


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 0.5, -1.0, 99.0, 1e30])
@pytest.mark.parametrize("name", ["dynapse1", "generic"])
def test_batches_that_hold_no_events_are_refused_on_both_sides(name, bad):
    network = random_network(np.random.default_rng(0), name)
    tables = neuro.export(network)
    x = random_events(np.random.default_rng(0), network)
    key = list(x)[-1]
    x[key][3, 1, 0] = bad
    for run in (network, lambda x: neuro.replay(tables, x)):
        with pytest.raises(NeuroError, match=key):
            run(x)


def test_batches_of_a_wrong_shape_are_refused_on_both_sides():
    network = random_network(np.random.default_rng(3), "generic")
    tables = neuro.export(network)
    x = random_events(np.random.default_rng(0), network)
    key, n = list(x)[-1], x[list(x)[-1]].shape[2]
    wrong = [
        {**x, key: torch.zeros(24, 3, n + 1)},
        {**x, key: torch.zeros(24, n)},
        {**x, key: torch.zeros(0, 3, n)},
        {**x, key: torch.zeros(24, 0, n)},
        {**x, "more": torch.zeros(24, 3, 1)},
        {k: v for k, v in x.items() if k != key},
        {**x, key: "events"},
        {**x, key: [[["a"]]]},
        {**x, key: None},
        {**x, key: torch.zeros(24, 3, n, dtype=torch.complex64)},
        {**x, key: np.array([[[object()]]])},
        torch.zeros(3),
        5,
        None,
    ]
    for number, events in enumerate(wrong):
        for run in (network, lambda x: neuro.replay(tables, x)):
            with pytest.raises(NeuroError):
                run(events)
                raise AssertionError(number)
    for record in ("nobody", ["p0", "nobody"]):
        for run in (network, lambda x, **k: neuro.replay(tables, x, **k)):
            with pytest.raises(NeuroError, match="nobody"):
                run(x, record=record)


def test_an_infeasible_network_is_not_exported():
    network = random_network(np.random.default_rng(1), "dynapse1")
    name = next(iter(network.latents))
    with torch.no_grad():
        network.latents[name].data += 0.25
    with pytest.raises(NeuroError, match="project"):
        neuro.export(network)
    network.project()
    neuro.export(network)
    network.memories[name].code[0, 0, 0, 0] += 500
    with pytest.raises(NeuroError, match="breaks"):
        neuro.export(network)
