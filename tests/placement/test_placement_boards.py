"""Placement on measured boards: good neurons and tags first, dead ones never, three nested numbers for each neuron."""

import numpy as np
import pytest
from plan_checker import problems
from random_boards import on, random_board
from random_networks import random_spec

import neuro
from neuro.descriptor.boards import FAILURES, TAGS
from neuro.errors import FitError
from neuro.placement import high_columns, word_limits
from neuro.task import NetworkSpec

SMALL = ("cores.neurons=16", "slots=8", "tags.bits=6")


def spec_of(inputs, sizes, projections):
    return NetworkSpec.model_validate(
        {
            "dt_s": 1e-3,
            "inputs": inputs,
            "populations": {name: {"size": n, "decay_mem": 0.5, "decay_syn": 0.5} for name, n in sizes.items()},
            "projections": tuple({"from": a, "to": b} for a, b in projections),
            "outputs": {"y": {"population": next(iter(sizes))}},
        }
    )


@pytest.fixture
def board(tmp_path):
    """Load the small chip on a board of given failures and tags."""

    def load(failures=None, tags=None, overrides=SMALL):
        path = tmp_path / "board.npz"
        failures = np.zeros((4, 16, 8, 2), np.float32) if failures is None else failures
        tags = np.ones((4, 64), bool) if tags is None else tags
        np.savez_compressed(path, **{FAILURES: failures, TAGS: tags})
        return on("dynapse2", overrides, path)

    return load


def test_a_board_without_defects_is_planned_whole(board):
    plan = neuro.place(spec_of({"x": 10}, {"a": 16, "b": 30}, [("x", "a"), ("a", "b")]), board())
    assert problems(plan) == []
    assert (word_limits(plan, "b") == 8).all() and not high_columns(plan, "b").any()


def test_the_best_neurons_go_to_the_populations_with_most_need(board):
    failures = np.zeros((4, 16, 8, 2), np.float32)
    for neuron in range(16):
        failures[:, neuron, : neuron // 2] = 1.0  # neuron n has 8 − n // 2 words
    failures[1:] = 1.0  # one core works
    spec = spec_of({"x": 20, "one": 2}, {"little": 5, "much": 6}, [("one", "little"), ("x", "much")])
    plan = neuro.place(spec, board(failures))
    assert problems(plan) == []
    assert sorted(plan.locations["much"][:, 2]) == [0, 1, 2, 3, 4, 5]
    assert sorted(plan.locations["little"][:, 2]) == [6, 7, 8, 9, 10]
    assert sorted(word_limits(plan, "much")[:, 2]) == [6, 6, 7, 7, 8, 8]


def test_the_best_cores_go_first_and_dead_neurons_are_left_out(board):
    failures = np.zeros((4, 16, 8, 2), np.float32)
    failures[0, :, :4], failures[2, :, :1], failures[1, 3:], failures[3, :12] = 1.0, 1.0, 1.0, 1.0
    spec = spec_of({"x": 20}, {"a": 14, "b": 14, "c": 3}, [("x", "a"), ("x", "b"), ("x", "c")])
    plan = neuro.place(spec, board(failures))
    assert {name: set(place[:, 1]) for name, place in plan.locations.items()} == {"a": {2}, "b": {0}, "c": {3}}
    assert (plan.locations["c"][:, 2] >= 12).all()
    with pytest.raises(FitError, match="25 of them without a word that works"):
        neuro.place(spec_of({"x": 2}, {"a": 60}, [("x", "a")]), board(failures))


def test_tags_of_the_half_with_most_words_come_first(board):
    failures = np.zeros((4, 16, 8, 2), np.float32)
    failures[..., :3, 0] = 1.0
    plan = neuro.place(spec_of({"x": 40}, {"a": 16}, [("x", "a")]), board(failures))
    tags = [r.tag for r in plan.inputs]
    assert tags == [*range(32, 64), *range(8)] and high_columns(plan, "a").tolist() == [[True] * 32 + [False] * 8]
    assert (word_limits(plan, "a") == [5, 8, 8]).all()


def test_cores_with_few_tags_in_common_get_tags_of_their_own(board):
    tags = np.zeros((4, 64), bool)
    tags[0, :40], tags[1, 20:], tags[2, 30:60], tags[3, 50:] = True, True, True, True
    spec = spec_of({"x": 15}, {"a": 32, "b": 16, "c": 10}, [("x", "a"), ("x", "b"), ("a", "c")])
    with pytest.raises(FitError, match="2 of the cores reached by fewer than the 32 tags it listens to"):
        neuro.place(spec, board(tags=tags))
    tags[3, 10:] = True
    plan = neuro.place(spec, board(tags=tags))
    assert problems(plan) == []
    assert all(tags[list(r.cores), r.tag].all() for r in (*plan.routes, *plan.inputs))
    rows = {}
    for r in plan.inputs:
        rows.setdefault(r.index, []).append(r.cores)
    assert rows[0] == [(0, 1), (2,)]  # 20 tags reach cores 0 and 1 alike, 10 all three


def test_a_source_with_too_few_rows_is_refused(board):
    tags = np.zeros((4, 64), bool)
    for core in range(4):
        tags[core, 16 * core : 16 * core + 16] = True
    spec = spec_of({"x": 3}, {"a": 12, "b": 16, "c": 16, "d": 16}, [("x", "a"), *(("a", b) for b in "bcd")])
    plan = neuro.place(spec, board(tags=tags))
    assert problems(plan) == [] and len({r.tag // 16 for r in plan.routes}) == 3
    with pytest.raises(
        FitError, match="need 3 rows, as the cores that listen share too few tags that work, allowed: 2"
    ):
        neuro.place(spec, board(tags=tags, overrides=(*SMALL, "routes.entries=3")))


def test_tags_forbidden_or_lost_are_not_counted(board):
    tags = np.ones((4, 64), bool)
    tags[:, 5:] = False
    with pytest.raises(FitError, match="may listen to 9 sources, allowed: 5"):
        neuro.place(spec_of({"x": 9}, {"a": 4}, [("x", "a")]), board(tags=tags))


@pytest.mark.parametrize("seed", range(12))
def test_random_networks_on_random_boards(seed, tmp_path):
    rng = np.random.default_rng(seed)
    name, overrides, classes = (
        ("dynapse2", SMALL, 2),
        ("dynapse2", (*SMALL, "board.columns=2"), 1),
        ("dynapse1", ("slots=8", "cores.neurons=16", "tags.own_bits=4", "tags.bits=6"), 1),
    )[seed % 3]
    chip = on(name, overrides, random_board(rng, neuro.load_chip(name, overrides), classes, tmp_path / "b.npz"))
    placed = 0
    for turn in range(12):
        spec = random_spec(rng, chip)
        spec = spec.model_copy(update={"candidates": "reachable"}) if turn % 3 == 0 else spec
        try:
            plan = neuro.place(spec, chip)
        except FitError:
            continue
        placed += 1
        assert problems(plan) == []
        for place in plan.locations.values():
            assert chip.working_words[tuple(place.T)].any((1, 2)).all()
        for r in (*plan.routes, *plan.inputs):
            assert chip.working_tags[r.target_chip, list(r.cores), r.tag].all()
        assert plan.routes == neuro.place(spec, chip).routes
    assert placed > 2
