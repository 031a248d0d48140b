"""The benchmarks of conductance pairs run at tiny size, go on where they stood, and say what was not run."""

import json
import subprocess
import sys

import pytest
from tiny_task import ROOT


def run(name, *arguments):
    script = [sys.executable, str(ROOT / "benchmarks" / f"{name}.py"), *map(str, arguments)]
    return subprocess.run(script, check=True, capture_output=True, text=True, timeout=600).stdout


@pytest.mark.slow
def test_self_correction(tmp_path):
    common = ("--seeds", 0, "--samples", 300, "--tune", 1, "--epochs", 1, "--cache", tmp_path / "c", "--out", tmp_path)
    said = run("self_correction", *common, "--states", 3)
    rows = json.loads((tmp_path / "self_correction.json").read_text())["rows"]
    assert len(rows) == 3 + 8 and "not run" in said
    before = (tmp_path / "self_correction.json").read_bytes()
    run("self_correction", *common, "--states", 3)
    assert (tmp_path / "self_correction.json").read_bytes() == before


@pytest.mark.slow
def test_hardware_aware(tmp_path):
    said = run("hardware_aware", "--samples", 200, "--out", tmp_path)
    rows = json.loads((tmp_path / "hardware_aware.json").read_text())["rows"]
    assert "not run" not in said and len(rows) == 1 + 4 * 13
    assert all(0 <= row["test"] <= 1 for row in rows)
