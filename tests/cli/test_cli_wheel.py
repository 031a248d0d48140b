"""The wheel holds what the command line needs, and works from any folder."""

import os
import shutil
import subprocess
import sys
import zipfile

import pytest
from tiny_task import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """What a fresh clone holds: files known to git or not ignored by it, nothing else."""
    folder = tmp_path_factory.mktemp("source") / "neuro"
    told = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if told.returncode:
        pytest.skip("not a git checkout")
    for name in filter(None, told.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def wheel(source, tmp_path_factory):
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(source)]
    said = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert said.returncode == 0, said.stdout[-2000:] + said.stderr[-2000:]
    return next(out.glob("*.whl"))


def test_a_clone_holds_every_module_the_checkout_has(source):
    here = {str(p.relative_to(ROOT)) for p in (ROOT / "neuro").rglob("*.py")}
    cloned = {str(p.relative_to(source)) for p in (source / "neuro").rglob("*.py")}
    assert here == cloned, f"ignored by git: {sorted(here - cloned)}"
    tests = {str(p.relative_to(ROOT)) for p in (ROOT / "tests").rglob("*.py")}
    assert tests == {str(p.relative_to(source)) for p in (source / "tests").rglob("*.py")}


def test_the_wheel_holds_every_module_chip_and_task(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    modules = {str(p.relative_to(ROOT)) for p in (ROOT / "neuro").rglob("*.py")}
    assert modules <= names, sorted(modules - names)
    parts = {str(p.relative_to(ROOT)) for p in (ROOT / "neuro" / "reports" / "parts").iterdir()}
    assert parts and parts <= names, sorted(parts - names)
    for kind in ("chips", "tasks"):
        shipped = {f"neuro/_{kind}/{p.name}" for p in (ROOT / kind).iterdir() if p.suffix in (".yaml", ".csv")}
        assert shipped and shipped <= names, sorted(shipped - names)
    assert not [n for n in names if n.startswith(("tests/", "runs/", "benchmarks/")) or n.endswith(".pyc")]


def test_an_installed_wheel_runs_from_another_folder(wheel, tmp_path):
    target, elsewhere = tmp_path / "target", tmp_path / "elsewhere"
    elsewhere.mkdir()
    install = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--quiet", "--target", str(target)]
    said = subprocess.run([*install, str(wheel)], capture_output=True, text=True, timeout=300)
    assert said.returncode == 0, said.stderr
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"PYTHONPATH": str(target)}

    def neuro(*arguments):
        command = [sys.executable, "-m", "neuro", *arguments]
        return subprocess.run(command, cwd=elsewhere, env=environment, capture_output=True, text=True, timeout=300)

    chips = neuro("chips")
    assert chips.returncode == 0, chips.stderr
    for chip in (ROOT / "chips").glob("*.yaml"):
        assert chip.stem in chips.stdout
    assert neuro("chips", "dynapse2", "--json").returncode == 0
    small = ["--epochs", "1", "--set", "task.populations.hidden.size=8", "--set", "task.data.test=0.8"]
    trained = neuro("train", "digits", "--chip", "dynapse1", "--out", "run", *small)
    assert trained.returncode == 0, trained.stderr
    where = "import neuro; print(neuro.__file__)"
    told = subprocess.run([sys.executable, "-c", where], cwd=elsewhere, env=environment, capture_output=True, text=True)
    assert str(target) in told.stdout
