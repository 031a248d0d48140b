"""What commands say: JSON alone for machines, lines and the next step for people, and help without delay."""

import json
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest
from tiny_task import ROOT, call, run, spawn

import neuro
from neuro.runs import load_virtual_chip


@pytest.fixture(scope="module")
def tables(tmp_path_factory, shared_run):
    folder = tmp_path_factory.mktemp("tables") / "tables"
    assert call("export", shared_run, "--out", folder).status == 0
    np.save(folder.parent / "x.npy", np.ones((5, 2, 64), "f4"))
    return folder


@pytest.fixture
def commands(tiny, shared_run, tables, tmp_path):
    """Every command with arguments that succeed."""
    return {
        "chips": ["chips"],
        "chips NAME": ["chips", "dynapse2"],
        "chips --schema": ["chips", "--schema"],
        "tasks": ["tasks"],
        "tasks NAME": ["tasks", "digits"],
        "tasks --schema": ["tasks", "--schema"],
        "train": ["train", tiny, "--chip", "dynapse1", "--out", tmp_path / "new", "--epochs", "1"],
        "resume": ["train", tiny, "--chip", "dynapse1", "--out", shared_run, "--resume"],
        "evaluate": ["evaluate", shared_run],
        "evaluate --part": ["evaluate", shared_run, "--part", "train"],
        "export": ["export", shared_run, "--out", tmp_path / "tables"],
        "export --parquet": ["export", shared_run, "--out", tmp_path / "parquet", "--parquet"],
        "verify": ["verify", shared_run],
        "verify --tables": ["verify", shared_run, "--tables", tables],
        "tasks --plot": ["tasks", "digits", "--plot", tmp_path / "a.png"],
        "report": ["report", shared_run, "--out", tmp_path / "report.html"],
        "evaluate --chips": ["evaluate", shutil.copytree(shared_run, tmp_path / "run"), "--chips", "2"],
        "check": ["check", tables],
        "replay": ["replay", tables, "--input", tables.parent / "x.npy", "--out", tmp_path / "y.npy"],
    }


NAMES = """chips;chips NAME;chips --schema;tasks;tasks NAME;tasks --schema;train;resume;evaluate;evaluate --part;export;
export --parquet;verify;verify --tables;check;replay""".replace("\n", "").split(";")


@pytest.mark.parametrize("name", NAMES)
def test_json_is_one_object_and_nothing_else(commands, name):
    said = call(*commands[name], "--json")
    assert said.status == 0, said
    assert said.err == ""

    def refuse(constant):
        raise AssertionError(constant)

    told = json.loads(said.out, parse_constant=refuse)
    assert isinstance(told, dict) and told
    if "schema" not in name:
        assert said.out.count("\n") == 1


def test_json_holds_the_figures(commands, shared_run):
    evaluation = json.loads(call(*commands["evaluate"], "--json").out)
    assert evaluation == vars(neuro.evaluate(shared_run))
    proof = json.loads(call(*commands["verify"], "--json").out)
    assert proof["differ"] == 0 and proof["findings"] == [] and proof["samples"] == evaluation["samples"]
    trained = json.loads(call(*commands["train"], "--json").out)
    assert trained["last"]["epoch"] == 1 and trained["last"]["violations"] == 0
    assert trained["best"]["validation_accuracy"] == trained["last"]["validation_accuracy"]
    exported = json.loads(call(*commands["export"], "--json").out)
    assert exported["rows"]["neurons"] == 22 and exported["findings"] == []
    replayed = json.loads(call(*commands["replay"], "--json").out)
    assert replayed["shape"] == [5, 2, 10]
    shipped = sorted(path.stem for path in (ROOT / "chips").glob("*.yaml"))
    assert json.loads(call("chips", "--json").out)["chips"] == shipped
    assert json.loads(call("tasks", "digits", "--json").out)["inputs"] == {"pixels": 64}


NEXT = {
    "chips": "neuro train",
    "chips NAME": "neuro train",
    "tasks": "neuro train",
    "tasks NAME": "neuro train",
    "train": "neuro evaluate",
    "resume": "neuro evaluate",
    "evaluate": "neuro verify",
    "export": "neuro check",
    "verify": "neuro export",
    "verify --tables": "neuro check",
    "tasks --plot": "neuro train",
    "report": "neuro plot",
    "evaluate --chips": "neuro report",
}


@pytest.mark.parametrize("name", NEXT)
def test_people_are_told_the_next_step_last(commands, name):
    said = call(*commands[name])
    assert said.status == 0, said
    last = said.out.strip().splitlines()[-1]
    assert last.startswith("next") and NEXT[name] in last, last


def test_next_steps_can_be_typed_as_they_stand(tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = call("train", "tiny.yaml", "--chip", "generic", "--out", "run", "--epochs", "1")
    done, waiting = set(), [said.out]
    while waiting:
        line = next((x for x in waiting.pop().splitlines() if x.startswith("next: ")), "next: ")
        for command in re.split(r"\s{2,}", line.removeprefix("next: ")):
            if command and command not in done:
                done.add(command)
                said = call(*command.split()[1:])
                assert said.status == 0, (command, said)
                waiting.append(said.out)
    assert {c.split()[1] for c in done} >= {"evaluate", "verify", "export", "check"}


def test_next_steps_keep_what_was_given_and_name_folders_that_are_free(tmp_path, shared_run, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = ["--set", "slots=8", "--set", "chip.weights.base_max=2"]
    last = call("chips", "generic", *given).out.splitlines()[-1]
    assert last == f"next: neuro train digits --chip generic {' '.join(given)} --out runs/a"
    (tmp_path / "runs" / "a").mkdir(parents=True)
    last = call("tasks", "digits", "--set", "task.training.lr=0.1").out.splitlines()[-1]
    assert last == "next: neuro train digits --chip dynapse1 --set task.training.lr=0.1 --out runs/a-2"
    last = call("virtual", shared_run, "--out", "a device.json").out.splitlines()[-1]
    assert last == f"next: neuro evaluate {shared_run} --virtual 'a device.json'"
    last = call("evaluate", shared_run, "--virtual", "a device.json").out.splitlines()[-1]
    assert last == f"next: neuro verify {shared_run} --virtual 'a device.json'"


def test_edited_tables_can_be_saved_anew_as_it_is_told(tmp_path, tables, monkeypatch):
    folder = shutil.copytree(tables, tmp_path / "tables")
    path = folder / "synapses.csv"
    path.write_text(path.read_text().rsplit("\n", 2)[0] + "\n")  # the last word is gone
    said = call("check", folder, "--edited")
    assert said.status == 0, said
    code = said.out.splitlines()[-1].split('"')[1]
    exec(code, {})
    assert call("check", tmp_path / "tables-2").status == 0 and call("check", folder).status == 2


def test_a_run_that_was_stopped_is_said_to_be_unfinished(tmp_path, shared_run):
    folder = shutil.copytree(shared_run, tmp_path / "run")
    metrics = folder / "metrics.jsonl"
    commands = ("evaluate", folder), ("verify", folder), ("export", folder, "--overwrite", "--out", tmp_path / "tables")
    assert not any("not finished" in call(*command).out for command in commands)
    metrics.write_text(metrics.read_text().splitlines()[0] + "\n")
    for command in commands:
        said = call(*command)
        assert said.status == 0 and "epoch 1 of 2: training is not finished; --resume goes on\n" in said.out, said


def test_calibrating_tells_the_accuracy_before_and_after(tmp_path, shared_run):
    device, out = tmp_path / "device.json", tmp_path / "calibrated"
    assert call("virtual", shared_run, "--out", device).status == 0
    said = call("calibrate", shared_run, "--virtual", device, "--out", out, "--epochs", "1")
    assert said.status == 0, said
    first, best = neuro.load_run(shared_run), neuro.load_run(out).facts
    before = neuro.evaluate(first, "validation", load_virtual_chip(device)).accuracy
    assert f"{before:.1%} before, " in said.out, said.out
    after = f"{best['validation_accuracy']:.1%} after 1 of 1 epochs" if best["epoch"] else "never better after"
    assert after in said.out, said.out


def test_the_first_line_of_help_and_no_arguments():
    said = call("--help")
    assert said.status == 0 and said.err == ""
    for name in ("chips", "tasks", "train", "evaluate", "export", "verify", "check", "replay", "demo"):
        assert re.search(rf"^\s*{name}\s+\S", said.out, re.M), name
        one = call(name, "--help")
        assert one.status == 0 and one.err == "" and "--json" in one.out, name
    nothing = call()
    assert "Usage" in nothing.out + nothing.err


def test_help_is_quick_and_light():
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    times = []
    for _ in range(5):
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-m", "neuro", "--help"], check=True, capture_output=True, env=environment)
        times.append(time.perf_counter() - begun)
    assert sorted(times)[2] < 0.5, times
    code = "import sys\nfrom neuro.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass\nprint(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment)
    heavy = {"torch", "numpy", "pandas", "norse", "matplotlib", "scipy", "sklearn", "pydantic", "rich"}
    assert not heavy & set(said.stdout.split())


LINE = (
    r"epoch\s+{}\s+loss \d\.\d+\s+accuracy \d+\.\d%\s+validation \d+\.\d%[ *]+rate \d\.\d+\s+slots \d+\.\d+\s+"
    r"left \d+:\d\d:\d\d"
)


def test_plain_lines_in_a_pipe(tiny, tmp_path):
    said = run("train", tiny, "--chip", "dynapse1", "--out", tmp_path / "run")
    assert said.status == 0
    lines = said.err.strip().splitlines()
    assert len(lines) == 4
    assert "tiny on dynapse1, seed 0" in lines[0] and "best on validation so far" in lines[1]
    for number in (1, 2):
        assert re.fullmatch(LINE.format(number), lines[number + 1].strip()), lines[number + 1]
    assert "\r" not in said.err and "\x1b" not in said.err + said.out
    assert lines[3].endswith("left 0:00:00")


def test_a_live_bar_in_a_terminal(tiny, tmp_path):
    leader, follower = pty.openpty()
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "TERM": "xterm", "COLUMNS": "120"}
    arguments = ("train", tiny, "--chip", "dynapse1", "--out", tmp_path / "run")
    process = spawn(*arguments, "--set", "task.training.batch=8", stderr=follower, env=environment)
    os.close(follower)
    screen, end = b"", time.monotonic() + 90
    while time.monotonic() < end:
        if select.select([leader], [], [], 0.2)[0]:
            try:
                data = os.read(leader, 65536)
            except OSError:  # the other end is closed
                break
            if not data:
                break
            screen += data
    out, _ = process.communicate(timeout=30)
    os.close(leader)
    text = screen.decode()
    assert process.returncode == 0, text
    assert "\x1b[" in text and ("━" in text or "-" in text)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    assert re.search(r"epoch 1 +loss \d\.\d+ +accuracy \d+\.\d% +rate \d\.\d+", plain)
    assert re.search(r"left \d:\d\d:\d\d", plain) and "done" in plain
    assert re.search(r"epoch +2 +loss .* slots \d", plain)
    assert "next: neuro evaluate" in out and "\x1b" not in out


def test_a_closed_pipe_is_no_traceback(tmp_path):
    process = spawn("chips", "dynapse1")
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    assert process.wait(60) in (0, 1)
    assert "Traceback" not in err and "Exception" not in err


def test_ctrl_c_outside_training_ends_quietly_with_130(monkeypatch, shared_run):
    import neuro.evaluation

    def pressed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(neuro.evaluation, "evaluate", pressed)
    said = call("evaluate", shared_run)
    assert said.status == 130, said
    assert said.out == "" and "stopped" in said.err and "Traceback" not in said.err
