"""Sums over columns of weights against plain products of matrices."""

from types import SimpleNamespace

import numpy as np
import pytest

from neuro.dynamics import columns
from neuro.jit.vector import LANES

SIZES = {"a": (70, 37), "b": (5, 90), "silent": (20, 30)}  # neurons, sources it hears
LINES, CURRENTS, INPUTS = (0, 3), 2, 40
NEURONS = sum(neurons for neurons, _ in SIZES.values())


@pytest.fixture(params=range(4))
def problem(request):
    """Random weights of three populations, the last too sparse for a table; sources of mixed delays."""
    g = np.random.default_rng(request.param)
    sources, weights, first = [], [], []
    for name, (neurons, heard) in SIZES.items():
        first.append(sum(map(len, weights)))
        sources.append(np.sort(g.choice(INPUTS + NEURONS, heard, replace=False))[None])
        weight = g.integers(-9, 10, (neurons, heard, CURRENTS, len(LINES))).astype(np.float32)
        weights.append(weight * (g.random(weight.shape) < (0.02 if name == "silent" else 0.7)))
    route = np.concatenate([np.zeros(INPUTS, np.int64), g.integers(1, 4, NEURONS)])
    network = SimpleNamespace(route=route, lines=np.array(LINES), inputs=INPUTS, neurons=NEURONS, first=tuple(first))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns, "DENSE_BACK", columns.DENSE)
        return g, network, weights, sources, laid_out(network, weights, sources)


def laid_out(network, weights, sources, whole=False):
    rows = INPUTS + NEURONS
    return columns.lay_out(network, weights, sources, 1, INPUTS, rows, lambda n: np.full(n, np.nan, np.float32), whole)


def test_sums_are_those_of_the_weights(problem):
    g, network, weights, sources, (forward, *_) = problem
    populations, offsets, places, table = forward
    rows = INPUTS + NEURONS
    spikes = g.random((12, rows, LANES)) < 0.2
    bits = (spikes << np.arange(LANES)).sum(-1).astype(np.uint16)
    now = 9
    for p, (weight, source) in enumerate(zip(weights, sources, strict=True)):
        begin, end = populations[p, columns.BEGIN], populations[p, columns.END]
        if p == 2:
            assert begin == end and not columns.few_events(bits.reshape(-1), now * rows, populations[p], offsets)
            continue
        arrived = spikes[now - (network.route[source[0]][:, None] + network.lines), source[0][:, None]]
        wanted = np.einsum("nmcd,mdl->ncl", weight, arrived)
        out = np.full((columns.widest(populations), CURRENTS, LANES), np.nan, np.float32)
        spoken = np.empty(LANES * columns.most_columns(populations), np.int32)
        columns.sum_columns(
            *(out.reshape(-1), bits.reshape(-1), now * rows, populations[p]),
            *(CURRENTS, offsets, places, table, spoken),
        )
        assert np.array_equal(out[: len(weight)], wanted)


def test_few_spikes_go_by_columns_and_many_by_words(problem):
    *_, (forward, *_) = problem
    populations, offsets, _, _ = forward
    for rate, few in ((0, True), (0xFFFF, False)):
        words = np.full(12 * (INPUTS + NEURONS), rate, np.uint16)
        assert columns.few_events(words, 9 * (INPUTS + NEURONS), populations[0], offsets) == few


def test_on_the_way_back_tables_serve_only_where_most_weights_are_there(problem):
    _, network, weights, sources, _ = problem
    weights[0][:] = 1
    forward, (populations, column_of, *_), wordless = laid_out(network, weights, sources)
    assert not any(wordless)
    in_tables = [p[:, columns.BEGIN] < p[:, columns.END] for p in (forward[0], populations)]
    assert [each.tolist() for each in in_tables] == [[True, True, False], [True, False, False]]
    assert (column_of[0] >= 0).any() and (column_of[1:] < 0).all()


def test_where_most_weights_are_there_and_loops_take_all_neurons_no_words_are_listed(problem):
    _, network, weights, sources, _ = problem
    weights[0][:] = 1
    (populations, offsets, *_), _, wordless = laid_out(network, weights, sources, whole=True)
    assert wordless == [True, False, False]
    words = np.full(12 * (INPUTS + NEURONS), 0xFFFF, np.uint16)
    assert columns.few_events(words, 9 * (INPUTS + NEURONS), populations[0], offsets)


@pytest.mark.parametrize("least, most", [(0, NEURONS), (3, 16), (90, 95)])
def test_gradients_are_those_of_the_transposed_weights(problem, least, most):
    g, network, weights, sources, (_, back, _) = problem
    grad = g.integers(-5, 6, (12, CURRENTS, NEURONS * LANES)).astype(np.float32)
    t, of_lanes = 2, grad.reshape(12, CURRENTS, NEURONS, LANES)
    wanted = np.zeros((NEURONS, LANES))
    for first, weight, source in list(zip(network.first, weights, sources, strict=True))[:2]:
        for m, who in enumerate(source[0]):
            for d, line in enumerate(LINES) if who >= INPUTS else ():
                later = of_lanes[t + network.route[who] + line, :, first : first + len(weight)]
                wanted[who - INPUTS] += np.einsum("nc,cnl->l", weight[:, m, :, d], later)
    out = np.ones(((most - least + 3) * LANES,), np.float32)
    columns.gather_gradients(out, least, most, grad, t, *back)
    assert np.array_equal(out.reshape(-1, LANES)[: most - least], 1 + wanted[least:most])
