"""The compiled replay against the one by the step of `neuro.dynamics`: every spike, membrane and state to the bit."""

import numpy as np
import pytest
import torch
from neuron_models import MODELS, SETS
from scipy.sparse import csr_array

from neuro.dynamics import ParameterSet, State, stack
from neuro.emulator import by_events
from neuro.emulator.by_events import ByEvents
from neuro.emulator.by_steps import BySteps
from neuro.emulator.wiring import Wiring

INPUTS, CURRENTS = 7, 2


def wiring(model=MODELS[0], seed=0, sizes=(30, 23), sets=SETS, delays=(1, 2, 5)):
    """Random words: inputs arrive after 0 or 3 steps, spikes after `delays`."""
    g, neurons = np.random.default_rng(seed), sum(sizes)
    weights = {}
    for delay in {0, 3, *delays}:
        dense = np.zeros((CURRENTS * neurons, INPUTS + neurons))
        for low, high, wanted, density in ((0, INPUTS, (0, 3), 0.3), (INPUTS, INPUTS + neurons, delays, 0.1)):
            if delay in wanted:
                part = g.integers(-40, 60, (len(dense), high - low))
                dense[:, low:high] = np.where(g.random(part.shape) < density, part, 0)
        weights[delay] = csr_array(dense)
    return Wiring(model, stack(list(sets), list(sizes)), weights, np.full(neurons, 2.0**-6), CURRENTS, INPUTS)


def events(seed, steps=40, batch=3, rate=0.3, most=3):
    g = np.random.default_rng(seed)
    shape = (steps, batch, INPUTS)
    return np.where(g.random(shape) < rate, g.integers(1, most + 1, shape), 0).astype(np.float32)


def start(wired, batch):
    silence = np.zeros((0, INPUTS + wired.neurons, batch))
    return State.zero(batch, wired.neurons, CURRENTS), silence


def same(a, b, counts_adaptation=True) -> None:
    for x, y in zip([*a[0], *a[1]], [*b[0], *b[1]], strict=True):
        assert torch.equal(x, y)
    for name, x, y in zip(State._fields, a[2], b[2], strict=True):
        assert torch.equal(x, y) or (name == "a" and not counts_adaptation), name
    assert np.array_equal(a[3], b[3])


def both(wired, x, state=None, history=None):
    zero, silence = start(wired, x.shape[1])
    asked = (x, state or zero, silence if history is None else history)
    shown = ([slice(3, 40), slice(0, wired.neurons)], [slice(20, 35), slice(0, 3)])
    return BySteps(wired).advance(*asked, *shown), ByEvents(wired).advance(*asked, *shown)


@pytest.mark.parametrize("model", MODELS, ids=lambda m: f"{m.leak}-{m.reset}-{m.refractory}-{m.floor}-{m.adaptation}")
def test_every_model_equals_the_steps(model):
    expected, got = both(wiring(model), events(1))
    assert 0.02 < expected[0][1].mean() < 0.9
    same(expected, got)


@pytest.mark.parametrize("seed", range(8))
def test_a_later_piece_equals_the_steps(seed):
    """State, resting neurons and events on their way are taken over."""
    wired = wiring(MODELS[seed * 9 % 72], seed, sizes=(40, 1 + 16 * (seed % 3)))
    before, _ = both(wired, events(seed, steps=2 + seed))
    same(*both(wired, events(seed + 50), before[2], before[3]))


def test_a_neuron_alone_and_a_network_without_words():
    lone = wiring(sizes=(1, 0), delays=(1,))
    shown = ([slice(0, 1)], [slice(0, 1)])
    x = events(0)
    same(BySteps(lone).advance(x, *start(lone, 3), *shown), ByEvents(lone).advance(x, *start(lone, 3), *shown))
    empty = Wiring(MODELS[0], stack(SETS, [30, 23]), {}, np.full(53, 1.0), CURRENTS, INPUTS)
    same(*both(empty, x))


def test_pieces_of_a_full_list_equal_the_whole(monkeypatch):
    expected, _ = both(wiring(), events(2, steps=60))
    monkeypatch.setattr(by_events, "ROOM", 1)
    same(expected, both(wiring(), events(2, steps=60))[1])


@pytest.mark.parametrize("seed", range(3))
def test_parts_in_threads_equal_the_whole(monkeypatch, seed):
    monkeypatch.setattr(by_events, "WORTH_A_PART", 1)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    same(*both(wiring(seed=seed), events(seed, batch=2)))


def test_blocks_that_have_come_to_rest_wake_again():
    """Membranes that decay by 1/16 a step are exactly 0 after some forty; events after 300 silent steps then count."""
    quick = [ParameterSet(0.0625, (0.0625, 0.0625), theta=1.0, refractory_steps=1)]
    wired = wiring(MODELS[0], sizes=(700,), sets=quick, delays=())
    x = events(3, steps=420, batch=1, rate=0.05)
    x[20:320] = 0
    expected, got = both(wired, x)
    assert ByEvents(wired).sleeps and expected[0][1][:20].any() and not expected[0][1][100:320].any()
    assert expected[0][1][320:].any()
    same(expected, got)


def test_neurons_that_move_on_their_own_never_sleep():
    biased = [ParameterSet(0.5, (0.25, 0.25), theta=1.0, bias=0.75)]
    wired = wiring(MODELS[0], sizes=(50,), sets=biased)
    expected, got = both(wired, np.zeros((400, 1, INPUTS), np.float32))
    assert not ByEvents(wired).sleeps and expected[0][1][300:].any()
    same(expected, got)


def test_sums_that_float32_may_round_are_not_exact():
    wired = wiring()
    row = max(abs(m[:, :INPUTS]).sum(1).max() for m in wired.weights.values())
    assert wired.is_exact(3) and not wired.is_exact(int(2**24 / row) + 1)
    at_once = wiring(delays=(0, 1))
    assert not at_once.is_exact(1)
