"""What the README says is what the committed results say, and the benchmark of a training step still runs."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_readme_shows_the_committed_results():
    import update_readme

    readme = (ROOT / "README.md").read_text()
    shown = readme.split(update_readme.START, 1)[1].split("\n", 1)[1].split(update_readme.END, 1)[0]
    assert shown.strip() == update_readme.text().strip(), "run python benchmarks/update_readme.py"


@pytest.mark.parametrize("path", sorted((ROOT / "benchmarks" / "results").glob("*.json")), ids=lambda p: p.stem)
def test_results_say_where_they_come_from(path):
    circumstances = json.loads(path.read_text())["circumstances"]
    assert {"date", "cpu", "cores", "threads", "versions"} <= set(circumstances)


@pytest.mark.slow
def test_training_step_benchmark_runs(tmp_path):
    script = (ROOT / "benchmarks" / "training_step.py").read_text()
    assert "--repeats" in script
    code = f"import sys; sys.path.insert(0, {str(ROOT / 'benchmarks')!r}); import machine, pathlib; " + (
        f"machine.RESULTS = pathlib.Path({str(tmp_path)!r}); import training_step; "
        "sys.argv = ['training_step', '--repeats', '1']; training_step.main()"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=300)
    result = json.loads((tmp_path / "training_step.json").read_text())
    assert all(row["median_ms"] > 0 for row in result["times"].values())


@pytest.mark.slow
def test_speed_benchmark_runs(tmp_path):
    """Every contender of the speed table takes its turn on a small network."""
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT / 'benchmarks')!r}); import machine, pathlib; "
        f"machine.RESULTS = pathlib.Path({str(tmp_path)!r}); import speed; "
        "sys.argv = ['speed', '--rows', 'quick', '--repeats', '2']; speed.main()"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=300)
    table = json.loads((tmp_path / "speed_some.json").read_text())["rows"]["quick"]["contenders"]
    assert {"neuro, slots", "neuro, dense latents", "norse", "snntorch", "plain torch"} <= set(table)
    assert all(row["median_ms"] > 0 and row["peak_mb"] > 0 for row in table.values())


@pytest.mark.slow
def test_comparison_runs_at_tiny_size_and_goes_on(tmp_path):
    """Every rival trains, is tuned, fits its slots and is tested; a second call makes only what is missing."""
    script = [sys.executable, str(ROOT / "benchmarks" / "comparison.py"), "--tiny", "--out", str(tmp_path)]
    first = subprocess.run(script, check=True, capture_output=True, text=True, timeout=600)
    rows = sorted((tmp_path / "digits-generic").glob("row-*.json"))
    assert len(rows) == 15 and "not run" not in first.stdout  # seven methods at two limits, and the twin
    for path in rows:
        row = json.loads(path.read_text())
        assert row["limits_exceeded"] == 0 and 0 <= row["test_accuracy"] <= 1
        assert row["slots"] is None or row["slots_most"] <= row["slots"]
    before = {path: path.stat().st_mtime_ns for path in rows}
    gone = rows[3]
    wanted = json.loads(gone.read_text())["test_accuracy"]
    gone.unlink()
    shown = subprocess.run([*script, "--show"], check=True, capture_output=True, text=True, timeout=100)
    assert shown.stdout.count("not run") == 1
    subprocess.run(script, check=True, capture_output=True, timeout=600)
    assert json.loads(gone.read_text())["test_accuracy"] == wanted
    assert all(path.stat().st_mtime_ns == time for path, time in before.items() if path != gone)
