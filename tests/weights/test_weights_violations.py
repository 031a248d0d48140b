"""The checkers find every seeded violation, say where it is, and share no code with the projections."""

import ast
import inspect

import pytest
import torch

from neuro.weights import CountScheme, LevelScheme, MaskScheme, Violation, violation


def texts(found):
    return [str(v) for v in found]


def test_the_checkers_import_nothing_of_ours():
    nodes = [n for n in ast.walk(ast.parse(inspect.getsource(violation))) if isinstance(n, ast.Import | ast.ImportFrom)]
    names = {n.module if isinstance(n, ast.ImportFrom) else n.names[0].name for n in nodes}
    assert names == {"__future__", "dataclasses", "numpy"}


def test_a_violation_reads_as_a_sentence():
    assert str(Violation(3, "words in use", 65, "64 slots")) == "row 3: words in use: have 65, allowed 64 slots"
    assert str(Violation(-1, "shape", 2, 3)) == "all rows: shape: have 2, allowed 3"


COUNTS = CountScheme([1.0, 1.0, 1.0], [1, -1, 1], torch.tensor([3, 2]), [0, 0, 1])


@pytest.fixture
def counts():
    code = torch.zeros(2, 4, 3, dtype=torch.int16)
    code[0, 0, 0], code[0, 1, 1], code[1, 3, 2] = 2, 1, 2
    assert COUNTS.violations(code) == []
    return code


def test_counts_over_budget(counts):
    counts[1, 2, 0] = 1
    assert texts(COUNTS.violations(counts)) == ["row 1: words in use: have 3, allowed 2 slots"]


def test_counts_below_zero(counts):
    counts[0, 3, 2] = -1
    assert texts(COUNTS.violations(counts)) == ["row 0: code at column 3, type 2: have -1, allowed 0..2147483647"]


def test_counts_of_both_signs(counts):
    counts[0, 0, :2] = 1
    assert texts(COUNTS.violations(counts)) == ["row 0: signs at column 0, current 0: have + and -, allowed one sign"]


def test_counts_of_both_signs_on_different_lines_are_allowed():
    code = torch.zeros(1, 2, 3, 2, dtype=torch.int16)
    code[0, 1, 0, 0] = code[0, 1, 1, 1] = 1
    scheme = CountScheme([1.0, 1.0, 1.0], [1, -1, 1], 4, [0, 0, 1])
    assert scheme.violations(code) == []
    code[0, 1, 1, 0] = 1
    assert texts(scheme.violations(code)) == [
        "row 0: signs at column 1, current 0, line 0: have + and -, allowed one sign"
    ]


@pytest.mark.parametrize("dimensions", [2, 3])
def test_counts_not_allowed(counts, dimensions):
    allowed = torch.ones((2, 4, 2)[:dimensions], dtype=torch.bool)
    allowed[1, 3] = False
    if dimensions == 3:
        allowed[1, 3, 0] = True
    assert texts(COUNTS.violations(counts, allowed)) == [
        "row 1: connection at column 3, current 1: have in use, allowed no connection"
    ]


def test_counts_of_one_current_not_allowed():
    scheme, code = CountScheme([1.0], [1], 4), torch.ones(1, 3, 1, dtype=torch.int16)
    allowed = torch.tensor([[True, False, True]])
    assert texts(scheme.violations(code, allowed)) == [
        "row 0: connection at column 1: have in use, allowed no connection"
    ]
    assert len(scheme.violations(code[..., None], allowed)) == 1


def test_malformed_codes(counts):
    assert [v.what for v in COUNTS.violations(counts.float())] == ["data type of the code"]
    assert [v.what for v in COUNTS.violations(counts[0])] == ["dimensions of the code"]
    assert [v.what for v in COUNTS.violations(counts[:, :, :2])] == ["types in the code"]
    assert [v.what for v in MaskScheme([1.0], 1).violations(torch.zeros(3))] == [
        "data type of the code",
        "dimensions of the code",
    ]
    assert len(LevelScheme([1.0]).violations(torch.zeros(2, 2))) == 1


def test_masks():
    scheme, allowed = MaskScheme([1.0, 2.0], torch.tensor([1, 2])), torch.tensor([[True, True, False]])
    code = torch.tensor([[-3, 0, 0], [0, 1, 2]], dtype=torch.int8)
    assert scheme.violations(code) == []
    code[0, 1], code[1, 1] = -1, 4
    assert texts(scheme.violations(code, allowed)) == [
        "row 1: code at column 1: have 4, allowed -3..3",
        "row 0: words in use: have 2, allowed 1 slots",
        "row 1: connection at column 2: have in use, allowed no connection",
    ]
    assert len(scheme.violations(torch.tensor([[-4, 0, 0], [0, 0, 0]]))) == 1


@pytest.mark.parametrize(("sign", "most"), [("free", 1), ("row", 3), ("source", 3)])
def test_levels_out_of_range_over_budget_and_not_allowed(sign, most):
    scheme = LevelScheme([1.0, 2.0], 1, sign)
    code = torch.tensor([[most + 1, -1], [-1, -2], [0, 1]], dtype=torch.int16)
    found = texts(scheme.violations(code[:, :, None], torch.tensor([[True, True], [True, True], [True, False]])))
    assert found[:3] == [
        f"row 0: code at column 0, current 0: have {most + 1}, allowed -1..{most}",
        f"row 1: code at column 1, current 0: have -2, allowed -1..{most}",
        "row 2: words in use: have 2, allowed 1 slots",
    ]
    assert found[-1] == "row 2: connection at column 1, current 0: have in use, allowed no connection"


def test_levels_of_mixed_signs():
    code = torch.tensor([[0, 1], [2, 1], [3, -1]], dtype=torch.int16)
    assert texts(LevelScheme([1.0, 2.0], None, "row").violations(code)) == [
        "row 1: signs of its sources: have 1 + and 1 -, allowed one sign"
    ]
    assert texts(LevelScheme([1.0, 2.0], None, "source").violations(code)) == [
        "row 0: signs of column 0 in group 0: have 1 + and 2 -, allowed one sign"
    ]
    assert LevelScheme([1.0, 2.0], None, "source", groups=[7, 4, 4]).violations(code) == []
    assert LevelScheme([-1.0, 1.0, 2.0, 3.0]).violations(code) == []
