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


@pytest.mark.parametrize("room", [1, 100])
def test_parts_in_pieces_equal_the_whole(monkeypatch, room):
    monkeypatch.setattr(by_events, "WORTH_A_PART", 1)
    monkeypatch.setattr(by_events, "ROOM_TOGETHER", room)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    same(*both(wiring(seed=4), events(4, batch=1)))


def test_a_part_that_fails_is_not_waited_for(monkeypatch):
    """The other part's thread ends, too, and the next run is as ever."""
    monkeypatch.setattr(by_events, "WORTH_A_PART", 1)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    expected, _ = both(wiring(), events(4, batch=1))
    as_ever = by_events.run_stream

    def first_part_fails(*job):
        if job[9] == 0:
            raise KeyboardInterrupt
        as_ever(*job)

    monkeypatch.setattr(by_events, "run_stream", first_part_fails)
    with pytest.raises(KeyboardInterrupt):
        both(wiring(), events(4, batch=1))
    monkeypatch.setattr(by_events, "run_stream", as_ever)
    same(expected, both(wiring(), events(4, batch=1))[1])


def of_small_numbers(model, sizes=(300, 230), low=-2, high=4, density=0.15, own=0.5, one=1):
    """Words that are small multiples of a number of the target's own, all of which act after the same time."""
    g, neurons = np.random.default_rng(7), sum(sizes)
    number = g.integers(low, high, (CURRENTS * neurons, INPUTS + neurons))
    number[g.random(number.shape) >= density] = 0
    number[:, INPUTS:] *= g.random((len(number), neurons)) < own
    number[0, :2] = one, 1
    dense = number * g.integers(1, 400, (len(number), 1))
    weights = {0: dense.copy(), 1: dense.copy()}
    weights[0][:, INPUTS:], weights[1][:, :INPUTS] = 0, 0
    grid = 2.0 ** g.integers(-12, -8, neurons)
    weights = {delay: csr_array(part.astype(float)) for delay, part in weights.items()}
    return Wiring(model, stack(SETS, list(sizes)), weights, grid, CURRENTS, INPUTS)


@pytest.mark.parametrize(
    "model", MODELS[::7], ids=lambda m: f"{m.leak}-{m.reset}-{m.refractory}-{m.floor}-{m.adaptation}"
)
def test_rows_of_half_bytes_equal_the_steps(model):
    wired = of_small_numbers(model)
    (part,) = ByEvents(wired).parts(1)
    assert part.often >= 1 and part.words_for(1)[3].size and not part.words_for(part.often + 1)[3].size
    for most in (1, part.often, part.often + 1):
        expected, got = both(wired, events(6, most=most))
        assert 0.001 < expected[0][1].mean() < 0.95
        same(expected, got)


def test_rows_serve_only_where_they_hold_every_word_and_sum():
    def often(**changed):
        return ByEvents(of_small_numbers(MODELS[0], **changed)).parts(1)[0].often

    assert often(one=-8) and not often(one=-9) and often(one=7) and not often(one=8)
    assert not often(low=-8, high=-7, density=0.4, own=1.0)  # sums beyond −128
    assert not often(density=0.01)  # too few words
    late = of_small_numbers(MODELS[0])
    late.weights[2] = late.weights.pop(1)
    assert not ByEvents(late).parts(1)[0].often  # words that act after different times


def test_rows_in_parts_in_threads_equal_the_steps(monkeypatch):
    monkeypatch.setattr(by_events, "WORTH_A_PART", 1)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    wired = of_small_numbers(MODELS[0])
    assert all(part.often for part in ByEvents(wired).parts(3))
    same(*both(wired, events(8, batch=2, most=1)))


def test_vectors_of_many_kinds_equal_the_steps():
    """Runs of one, two, … vectors with constants of their own, and vectors where they meet."""
    sizes = [16, 32, 5, 16, 11, 48, 16, 16, 3, 170]
    often = {"theta": 0.5, "beta": 0.25, "decay_a": 0.5}
    sets = [ParameterSet(0.5 + k / 40, (0.75, 0.5), refractory_steps=k % 3, **often) for k in range(len(sizes))]
    for model in MODELS[::11]:
        expected, got = both(wiring(model, sizes=sizes, sets=sets), events(5))
        same(expected, got)


def test_sources_of_very_many_words_equal_the_steps():
    """More lines of words a source than are named at once, and more a step than are kept."""
    g, sizes = np.random.default_rng(3), (600, 500)
    dense = g.integers(-40, 45, (CURRENTS * 1100, INPUTS + 1100)).astype(float)
    inputs, own = dense.copy(), dense
    inputs[:, INPUTS:], own[:, :INPUTS] = 0, 0
    weights = {0: csr_array(inputs), 2: csr_array(own)}
    wired = Wiring(MODELS[0], stack(SETS, list(sizes)), weights, np.full(1100, 2.0**-8), CURRENTS, INPUTS)
    expected, got = both(wired, events(9, steps=12, batch=1))
    assert expected[0][1].sum(-1).max() > 100
    same(expected, got)


@pytest.mark.parametrize("kind", [bool, np.uint8, np.float32])
@pytest.mark.parametrize("channels", [1, 64, 150])
def test_events_of_any_kind_are_listed(kind, channels):
    """One a channel, or several; words of 64 channels and what is left."""
    g = np.random.default_rng(channels)
    dense = np.zeros((CURRENTS * 53, channels + 53))
    dense[:, :channels] = g.integers(-40, 60, (CURRENTS * 53, channels))
    wired = Wiring(MODELS[0], stack(SETS, [30, 23]), {0: csr_array(dense)}, np.full(53, 2.0**-8), CURRENTS, channels)
    x = (g.random((30, 3, channels)) < 0.2).astype(kind)
    for most in (1,) if kind is bool else (1, 3):
        silence = np.zeros((0, channels + 53, 3))
        shown = ([slice(0, 53)], [slice(0, 53)])
        asked = (State.zero(3, 53, CURRENTS), silence, *shown)
        expected, got = BySteps(wired).advance(x * kind(most), *asked), ByEvents(wired).advance(x * kind(most), *asked)
        assert expected[0][0].any()
        same(expected, got)


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
