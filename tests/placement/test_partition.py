"""Partitions keep every capacity exactly, search never worsens them, and small ones come near the optimum."""

import numpy as np
import pytest
from graphs import counted, small_world
from hypothesis import given, settings
from hypothesis import strategies as st

import neuro
from neuro.placement.graph import destinations, fewest_destinations
from neuro.placement.partition import ROW, along_the_board, broken, cost_of, limits_of, net_of, pairs_of, partition
from neuro.placement.search import change_of, improve, move, new_state, put

ONE = (np.zeros((1, 1)), np.ones(1))


def board(*overrides):
    return neuro.load_chip("dynapse2", ["cores.per_chip=2", "cores.neurons=6", *overrides])


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), tight=st.booleans(), kinds=st.integers(1, 3))
def test_capacities_hold_and_costs_are_counted_right(seed, tight, kinds):
    rng = np.random.default_rng(seed)
    chip = board("board.columns=3", "tags.bits=5" if tight else "tags.bits=11")
    graph = small_world(int(rng.integers(5, 30)), 4, 0.2, rng, inputs=3)
    limits = limits_of(chip, np.arange(kinds)[:, None], np.array([2]))
    kind = rng.integers(0, kinds, graph.neurons)
    core, state = partition(graph, kind, limits, seed)
    net = net_of(graph, kind)
    assert (core >= 0).all() and np.bincount(core).max() <= 6
    assert all(len(set(kind[core == k])) <= 2 for k in set(core))
    have = counted(graph, core, 2)
    assert (state.reach.sum(), state.length.sum()) == (have["chips"], have["cores"])
    assert destinations(graph, core, 2).cores == have["cores"] and destinations(graph, core, 2).chips == have["chips"]
    assert fewest_destinations(graph, 6, 2).cores <= have["cores"]
    assert fewest_destinations(graph, 6, 2).chips <= have["chips"]
    over = broken(net, limits, state)
    assert (over["sources"] == 0) == (have["heard"] <= limits.sources)
    assert (over["rows"] == 0) == (have["rows"] <= limits.rows)
    far = {(n, c) for n in range(graph.neurons) for c in have["chips of"][graph.inputs + n]
           if abs(c - core[n] // 2) > limits.hops}  # fmt: skip
    assert over["hops"] == len(far)
    sources, cores = pairs_of(net, state)
    assert len(set(zip(sources.tolist(), cores.tolist(), strict=True))) == have["cores"]
    assert np.array_equal(core, partition(graph, kind, limits, seed)[0])


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_the_change_a_move_promises_is_the_change_it_makes(seed):
    """With hops, rows, tags and channels so tight that random placements break them all."""
    rng = np.random.default_rng(seed)
    chip = board("board.columns=4", "routes.max_hop=1", "routes.entries=2", "tags.bits=3", "inputs.channels=2")
    graph = small_world(20, 5, 0.3, rng, inputs=4)
    limits, kind = limits_of(chip, *ONE), np.zeros(20, int)
    net, state = net_of(graph, kind), new_state(limits=limits, net=net_of(graph, kind))
    put(net, limits, state, np.arange(20), rng.permutation(np.repeat(np.arange(8), 5))[:20].astype(np.int32))
    for _ in range(30):
        n, core = int(rng.integers(20)), int(rng.integers(8))
        if state.fill[core] < 6:
            before, promised = cost_of(net, limits, state), change_of(net, limits, state, n, core)
            move(net, limits, state, n, core)
            assert cost_of(net, limits, state) - before == promised
    before = cost_of(net, limits, state)
    gained = improve(net, limits, state, rng.permutation(20), False)
    after = cost_of(net, limits, state)
    assert before - after == gained >= 0 and state.fill.max() <= 6


def test_search_beats_its_beginnings_on_a_shuffled_ring():
    rng = np.random.default_rng(0)
    graph = small_world(240, 8, 0.05, rng)
    limits, kind = limits_of(board("board.columns=5", "board.rows=4", "routes.max_hop=7"), *ONE), np.zeros(240, int)
    plain = destinations(graph, np.arange(240) // 6, 2).cores
    best = partition(graph, kind, limits)[1].length.sum()
    assert best < 0.5 * plain and best < 1.6 * fewest_destinations(graph, 6, 2).cores + 240


def test_the_board_is_walked_there_and_back_again():
    limits = limits_of(board("board.columns=3", "board.rows=2"), *ONE)
    assert along_the_board(limits).tolist() == [0, 1, 2, 3, 4, 5, 10, 11, 8, 9, 6, 7]


def optimum(graph, limits, cores):
    """The least cost of any placement, proven by CP-SAT: chips · ROW + cores over all sources."""
    cp_model = pytest.importorskip(
        "ortools.sat.python.cp_model", reason="the oracle needs ortools: pip install ortools"
    )
    model = cp_model.CpModel()
    at = [[model.new_bool_var("") for _ in range(cores)] for _ in range(graph.neurons)]
    for row in at:
        model.add_exactly_one(row)
    for k in range(cores):
        model.add(sum(row[k] for row in at) <= limits.neurons)
    cost = []
    starts, listeners = graph.targets
    for s in range(graph.inputs + graph.neurons):
        pins = listeners[starts[s] : starts[s + 1]].tolist()
        chips = []
        for chip in range(cores // limits.per_chip):
            here = []
            for k in range(chip * limits.per_chip, (chip + 1) * limits.per_chip):
                hears = model.new_bool_var("")
                for n in pins:
                    model.add_implication(at[n][k], hears)
                here.append(hears)
            reached = model.new_bool_var("")
            for hears in here:
                model.add_implication(hears, reached)
            cost += [*here, ROW * reached]
            chips.append(reached)
        if s >= graph.inputs and limits.rows >= 0:
            model.add(sum(chips) <= limits.rows)
    model.minimize(sum(cost))
    solver = cp_model.CpSolver()
    solver.parameters.num_workers, solver.parameters.max_deterministic_time = 1, 20
    status = solver.solve(model)
    return solver.best_objective_bound, solver.objective_value if status in (
        cp_model.OPTIMAL,
        cp_model.FEASIBLE,
    ) else None


@pytest.mark.parametrize("seed", range(4))
def test_small_graphs_come_within_a_tenth_of_the_optimum(seed):
    rng = np.random.default_rng(seed)
    graph = small_world(12, 3, 0.2, rng, inputs=2)
    limits = limits_of(board("cores.neurons=4", "board.columns=2"), *ONE)
    least, _ = optimum(graph, limits, 4)
    best = min(
        cost_of(net_of(graph, np.zeros(12)), limits, partition(graph, np.zeros(12), limits, s)[1]) for s in range(4)
    )
    assert least <= best <= 1.1 * least


def test_mtkahypar_is_one_more_beginning():
    pytest.importorskip("mtkahypar", reason="pip install mtkahypar")
    rng = np.random.default_rng(0)
    graph = small_world(120, 6, 0.05, rng)
    limits, kind = limits_of(board("board.columns=5", "board.rows=2"), *ONE), np.zeros(120, int)
    core, state = partition(graph, kind, limits, 1, "mtkahypar")
    assert np.bincount(core).max() <= 6 and not any(broken(net_of(graph, kind), limits, state).values())
    assert np.array_equal(core, partition(graph, kind, limits, 1, "mtkahypar")[0])
