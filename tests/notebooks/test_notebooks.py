"""Notebooks run at a small size, and the committed ones hold their pictures, public calls, and nobody's paths."""

import ast
import json
import os
import re
import subprocess
import sys

import pytest
from tiny_task import ROOT

import neuro

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
NAMES = [path.stem for path in NOTEBOOKS]
LEAST = {
    "01_first_network": 2,
    "02_fan_in_accuracy": 3,
    "03_your_chip": 2,
    "04_inside_q_rewiring": 3,
    "05_real_board": 4,
}


def cells(path, kind="code"):
    return [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == kind]


def source(cell) -> str:
    return "".join(line for line in "".join(cell["source"]).splitlines(True) if not line.startswith("%"))


def run(path):
    """Run a notebook in a kernel of this Python, as nbmake does; the file itself is left as it is."""
    environment = os.environ | {"NEURO_SMALL": "1", "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "pytest", "-n", "0", "-q", "-p", "no:cacheprovider", "-c", os.devnull]
    command += ["--nbmake", "--nbmake-timeout=300", str(path)]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=400)


def test_the_notebooks_are_these():
    assert list(LEAST) == NAMES


@pytest.mark.parametrize(
    "path", [NOTEBOOKS[0], *(pytest.param(p, marks=pytest.mark.slow) for p in NOTEBOOKS[1:])], ids=NAMES
)
def test_a_notebook_runs(path):
    pytest.importorskip("nbmake", reason="nbmake is not installed")
    said = run(path)
    assert said.returncode == 0, said.stdout[-3000:] + said.stderr[-1000:]
    assert "1 passed" in said.stdout or re.search(r"^\.", said.stdout), said.stdout


@pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)
def test_committed_notebooks_were_run_from_top_to_bottom_and_hold_their_pictures(path):
    code = cells(path)
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell["outputs"]]
    assert not [o for o in outputs if o["output_type"] == "error" or o.get("name") == "stderr"]
    pictures = [o for o in outputs if "image/png" in o.get("data", {})]
    assert len(pictures) >= LEAST[path.stem]
    assert path.stat().st_size < 1_000_000
    assert not re.search(r"/home/|/root|/work|/tmp|/Users/", path.read_text())


@pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)
def test_notebooks_use_public_calls_only(path):
    public = {*neuro.__all__, "reports"}
    for cell in cells(path):
        for node in ast.walk(ast.parse(source(cell))):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "neuro":
                assert node.attr in public, ast.unparse(node)
            if isinstance(node, ast.ImportFrom):
                assert not node.module.startswith("neuro"), ast.unparse(node)
            assert not (isinstance(node, ast.Attribute) and node.attr.startswith("_")), ast.unparse(node)
