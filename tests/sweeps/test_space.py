"""What varies: reading keys and values, and the points they make."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuro.errors import DescriptionError
from neuro.sweeps.space import Axis, make_space

VALUES = st.lists(
    st.one_of(st.integers(-99, 99), st.floats(-9, 9, allow_nan=False), st.lists(st.integers(0, 9), max_size=3)),
    min_size=1,
    max_size=4,
    unique_by=json.dumps,
)


def test_texts_are_parted_at_commas_outside_brackets_and_quotes():
    space = make_space(["a"], ["slots=8, 16", "task.delay_lines=[0],[0,4]", 'task.title="x,y",z'], 2)
    assert space.axes == (
        Axis("chip.slots", ("8", "16")),
        Axis("task.delay_lines", ("[0]", "[0,4]")),
        Axis("task.title", ('"x,y"', "z")),
    )
    assert space.size == 2 * 2 * 2 * 2


@given(VALUES)
def test_values_from_python_and_from_text_are_one(values):
    from_python = make_space(["a"], {"task.x": values}, 1)
    from_text = make_space(["a"], [f"task.x={','.join(map(json.dumps, values))}"], 1)
    assert from_python == from_text
    assert [json.loads(text) for text in from_python.axes[0].values] == values


def test_points_are_all_combinations_once_and_seeds_come_last():
    points = list(make_space(["a", "b"], ["slots=1,2", "task.x=3,4"], 2).points())
    assert len(set(points)) == len(points) == 16
    assert [p.seed for p in points] == [0] * 8 + [1] * 8
    assert {(p.chip, *dict(p.settings).values()) for p in points} == {
        (c, s, x) for c in "ab" for s in "12" for x in "34"
    }


@pytest.mark.parametrize(
    ("chips", "over", "seeds", "words"),
    [
        (["a"], ["chip.slots="], 1, "a value is missing"),
        (["a"], ["chip.slots=8,,9"], 1, "a value is missing"),
        (["a"], {"chip.slots": []}, 1, "a value is missing"),
        (["a"], {"chip.slots": 8}, 1, "allowed: a list of values"),
        (["a"], ["chip.slots"], 1, "allowed: key=value,value"),
        (["a"], ["chip.slots=8,8"], 1, "stands more than once"),
        (["a"], ["slots=8", "chip.weights.slots=9"], 1, "--over chip.slots stands more than once"),
        (["a", "a"], ["slots=8"], 1, "--chip a stands more than once"),
        ([], ["slots=8"], 1, "at least one chip"),
        (["a"], ["slots=8"], 0, "--seeds is 0, allowed"),
        (["a"], ["slot=8,16"], 1, "did you mean slots=8,16?"),
        (["a"], ["populations.hidden.size=8"], 1, "did you mean task.populations.hidden.size=8"),
    ],
)
def test_what_makes_no_space_is_refused(chips, over, seeds, words):
    with pytest.raises(DescriptionError, match=words.replace("?", r"\?").replace(".", r"\.")):
        make_space(chips, over, seeds)
