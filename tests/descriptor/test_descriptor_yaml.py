"""The YAML reader against PyYAML's own safe loader, and the lines it remembers."""

import math

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from neuro.descriptor.document import read_document
from neuro.descriptor.yamltext import file_place, parse, scalar
from neuro.errors import DescriptionError

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT
TREES = st.dictionaries(
    TEXT, st.recursive(LEAVES, lambda t: st.lists(t, max_size=4) | st.dictionaries(TEXT, t, max_size=4), max_leaves=12)
)


class Dumper(yaml.SafeDumper):
    """Writes no aliases, and quotes text such as 1e3, which YAML 1.1 takes for text and 1.2 for a number."""

    def ignore_aliases(self, data):
        return True

    def represent_text(self, text):
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=None if scalar(text) == text else '"')


Dumper.add_representer(str, Dumper.represent_text)


@settings(max_examples=150, deadline=None)
@given(TREES, st.booleans())
def test_reads_what_yaml_writes(tree, flow):
    text = yaml.dump(tree, Dumper=Dumper, default_flow_style=flow)
    assert read_document("tree.yaml", text).tree == tree == yaml.safe_load(text)


@settings(max_examples=150, deadline=None)
@given(st.text(st.sampled_from("ab:-?[]{},&*!#|>'\"%@`\t\n \\0\ud800\x00é"), max_size=40))
def test_any_text_is_read_or_refused(text):
    try:
        assert isinstance(read_document("any.yaml", text).tree, dict)
    except DescriptionError as error:
        assert str(error).startswith("any.yaml:")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 1e-3),
        ("1E3", 1e3),
        ("-2.", -2.0),
        (".5", 0.5),
        ("+7", 7),
        ("0", 0),
        ("-0", 0),
        ("1e400", math.inf),
        ("-.inf", -math.inf),
        ("9" * 400, math.inf),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("", None),
        ("null", None),
        ("010", "010"),
        ("0x10", "0x10"),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("on", "on"),
        ("no", "no"),
        ("2020-01-01", "2020-01-01"),
        ("N", "N"),
        ("inf", "inf"),
        (".", "."),
        ("e5", "e5"),
        ("\u0661", "\u0661"),
    ],
)
def test_plain_words(text, value):
    assert scalar(text) == value
    assert type(scalar(text)) is type(value)


def test_nan():
    assert math.isnan(scalar(".nan"))


def test_lines():
    document = read_document("x.yaml", "a: 1\n\nb:\n  - 2\n  - {c: 3,\n     d: 4}\ne: |\n  text\n")
    assert document.tree == {"a": 1, "b": [2, {"c": 3, "d": 4}], "e": "text\n"}
    lines = {path: spot.line for path, spot in document.spots.items()}
    assert lines == {
        (): 1,
        ("a",): 1,
        ("b",): 3,
        ("b", 0): 4,
        ("b", 1): 5,
        ("b", 1, "c"): 5,
        ("b", 1, "d"): 6,
        ("e",): 7,
    }
    assert document.line(("b", 1, "nowhere", "at", "all")) == 5
    assert document.place(("b", 1, "d")) == "x.yaml:6"


def test_depth_is_counted_from_the_top():
    parse("[" * 32 + "]" * 32, file_place("x"))
    with pytest.raises(DescriptionError, match="x:1:33: nested more than 32 deep"):
        parse("[" * 33 + "]" * 33, file_place("x"))
