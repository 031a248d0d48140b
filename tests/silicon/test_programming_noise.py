"""Pairs programmed with noise: what the network makes of it, what the replay of tables does, and both side by side."""

import json

import numpy as np
import pytest
import torch
from random_networks import chip_of, random_events, random_network
from scipy.stats import norm
from tiny_task import TINY, call

import neuro
from neuro.emulator import programming as replayed
from neuro.errors import DescriptionError, TableError
from neuro.silicon.pcm import replace_part
from neuro.silicon.programming import programmed_deviation
from neuro.tables import Joined, Tables
from neuro.verification import verify
from neuro.verification.noise import largest_z

DRAWS = 600
STANDARD_ERRORS = 6.0


def moments(devices, share):
    """Mean and variance of max(0, target + σ · ξ), in shares of g_max, by the formulas of a normal cut off at 0."""
    sigma = np.polynomial.polynomial.polyval(share, devices.programming_us) / devices.g_max_us
    a = share / sigma
    mean = share * norm.cdf(a) + sigma * norm.pdf(a)
    return mean, (share**2 + sigma**2) * norm.cdf(a) + share * sigma * norm.pdf(a) - mean**2


def expected(devices, scheme_levels, code, plus, minus):
    """Mean and spread of the weights of codes whose devices weigh plus and minus at full conductance."""
    shares = np.array(scheme_levels)
    i, j = np.divmod(code, len(shares))
    (mean_i, var_i), (mean_j, var_j) = moments(devices, shares[i]), moments(devices, shares[j])
    return plus * mean_i - minus * mean_j, np.sqrt(plus**2 * var_i + minus**2 * var_j)


def agree(draws, mean, spread, grid):
    """Draws [D, K] have that mean and spread, but for chance and the rounding to a grid."""
    off = np.abs(draws.mean(0) - mean)
    assert (off <= STANDARD_ERRORS * np.hypot(spread, grid) / np.sqrt(len(draws)) + grid * 0.01).all()
    wide = spread > 5 * np.max(grid)
    assert wide.any() and np.allclose(draws.std(0)[wide], spread[wide], rtol=0.25)


@pytest.fixture(params=range(6))
def network(request):
    return random_network(np.random.default_rng(request.param), "pcm-crossbar")


def test_programmed_networks_have_the_moments_of_their_devices(network):
    devices, draws = network.plan.chip.devices, [programmed_deviation(network, seed) for seed in range(DRAWS)]
    for name, memory in network.memories.items():
        code = memory.code.flatten().numpy()
        used = code != memory.scheme.empty
        both = memory.scheme._both(memory.scheme.bases).expand(len(memory.code), 2)
        plus, minus = (np.repeat(side.numpy(), code.size // len(memory.code)) for side in both.T)
        found = np.stack([draw.memories[name].programmed.flatten().numpy() for draw in draws]).astype(float)
        grid = np.repeat(network.bases.grid()[memory.cores].numpy(), code.size // len(memory.code))
        assert (found[:, ~used] == memory.weight.flatten().numpy()[~used]).all()
        assert (found / grid == np.rint(found / grid)).all()
        mean, spread = expected(devices, memory.scheme.levels, code[used], plus[used], minus[used])
        agree(found[:, used], mean, spread, grid[used])


def test_programmed_tables_have_the_moments_of_their_devices(network):
    joined = Joined(neuro.export(network))
    words, scheme = joined.tables.frames["synapses"], next(iter(network.memories.values())).scheme
    cores = [network.plan.cores.index((c, k)) for c, k in zip(words["chip"], words["core"], strict=True)]
    units = network.bases.units[cores].numpy().astype(float)
    plus, minus = (units[:, 0], units[:, 1]) if units.shape[1] == 2 else (units[:, 0], scheme.gain * units[:, 0])
    order = ["chip", "core", "neuron", "slot"]
    exact = joined.words.merge(words.assign(row=np.arange(len(words)))[[*order, "row"]], on=order)["row"].to_numpy()
    found = np.stack([replayed.words_programmed(joined, seed)["value"].to_numpy() for seed in range(DRAWS)])
    mean, spread = expected(network.plan.chip.devices, scheme.levels, words["code"].to_numpy(), plus, minus)
    agree(found.astype(float), mean[exact], spread[exact], np.ones(len(exact)))


def test_a_seed_is_a_draw_on_either_side(network):
    x, tables = random_events(np.random.default_rng(0), network), neuro.export(network)
    names = tuple(network.plan.spec.populations)

    def both(seed):
        with torch.inference_mode():
            first = network(x, record=names, deviation=programmed_deviation(network, seed))[1]
        return [
            torch.cat([r.v[n].flatten() for n in names])
            for r in (first, neuro.replay(tables, x, record=names, noise_seed=seed)[1])
        ]

    one, again, other = both(1), both(1), both(2)
    for a, b, c in zip(one, again, other, strict=True):
        assert torch.equal(a, b) and not torch.equal(a, c)


def test_noise_of_nothing_is_the_exact_replay(network):
    quiet = network.plan.chip.model_copy(
        update={"devices": replace_part(network.plan.chip.devices, programming_us=(0.0,))}
    )
    same = neuro.Network(neuro.place(network.plan.spec, quiet), seed=5).eval()
    x, names = random_events(np.random.default_rng(0), same), tuple(same.plan.spec.populations)
    with torch.inference_mode():
        plain, noisy = (same(x, record=names, deviation=d)[1] for d in (None, programmed_deviation(same, 3)))
    again = neuro.replay(neuro.export(same), x, record=names, noise_seed=3)[1]
    for name in names:
        assert torch.equal(plain.v[name], noisy.v[name]) and torch.equal(plain.v[name], again.v[name])


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("noise")
    (folder / "tiny.yaml").write_text(TINY)
    assert call("train", folder / "tiny.yaml", "--chip", "pcm-crossbar", "--out", folder / "run").status == 0
    return folder / "run"


def test_verification_with_noise_says_how_many_draws(run):
    said = call("verify", run, "--draws", 12)
    assert said.status == 0 and "with noise, 12 draws each of " in said.out and "% trained, " in said.out
    told = json.loads(call("verify", run, "--draws", 12, "--json").out)["noise"]
    assert told["draws"] == 12 and 0 < told["largest_z"] < told["allowed_z"] and len(told["accuracies"][1]) == 12


@pytest.mark.parametrize("size", [0.0, 0.7, 1.5], ids=["no noise", "less", "more"])
def test_other_noise_is_noticed(run, monkeypatch, size):
    right = replayed.programmed
    monkeypatch.setattr(replayed, "programmed", lambda devices, x, g: x + size * (right(devices, x, g) - x))
    proof = verify(run, draws=20)
    assert not proof.differ and not proof.findings and not proof.passed


def test_weights_that_do_not_tell_their_bases_are_refused():
    network = random_network(np.random.default_rng(0), "pcm-crossbar")
    tables = neuro.export(network)
    weights = tables.frames["weights"].assign(part=0)
    joined = Joined(Tables(tables.manifest, {**tables.frames, "weights": weights}))
    with pytest.raises(TableError, match="chip 0 core 0: the pairs in use are too few to tell"):
        replayed._bases(joined)


def test_a_difference_of_means_is_counted_in_standard_errors():
    first, second = np.array([[1.0, 5.0], [3.0, 5.0]]), np.array([[2.0, 5.0], [8.0, 5.0]])
    z, allowed = largest_z(first, second)  # means 2 and 5; variances 2 and 18, each of the mean of two
    assert z == pytest.approx(3 / np.sqrt(10)) and allowed > 1000
    assert largest_z(first[:, 1:], second[:, 1:] + 1)[0] == np.inf
    assert largest_z(np.zeros((50, 1)), np.zeros((50, 1)))[1] == pytest.approx(5.55, abs=0.05)


def test_chips_without_noise_and_single_draws_are_refused(run, shared_run):
    assert "draws is 1, allowed: 0 for none, or at least 10" in call("verify", run, "--draws", 1).err
    with pytest.raises(DescriptionError, match="draws is 1, allowed: 0 for none, or at least 10"):
        verify(run, draws=1)
    said = call("verify", shared_run, "--draws", 10)
    assert said.status == 2 and "dynapse1 states no noise of programming" in said.err
    network = random_network(np.random.default_rng(0), "generic")
    with pytest.raises(DescriptionError, match="generic.* states no noise of programming"):
        programmed_deviation(network, 0)
    with pytest.raises(DescriptionError, match="states no noise of programming"):
        neuro.replay(neuro.export(network), random_events(np.random.default_rng(0), network), noise_seed=0)
    assert chip_of("pcm-crossbar", ()).devices.programming_us
