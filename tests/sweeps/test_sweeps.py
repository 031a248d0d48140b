"""Sweeps from end to end: tables, going on after kill -9, workers, optimization, what cannot be run."""

import json
import os
import re
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from tiny_task import ROOT, call, refused, snapshot, spawn

import neuro
from neuro.errors import DescriptionError, RunError
from neuro.evaluation import evaluate

GRID = {"chip.slots": [4, 8], "task.populations.hidden.size": [6, 12]}
OVER = [w for key, values in GRID.items() for w in ("--over", f"{key}={','.join(map(str, values))}")]

MANY = "task.training.lr=" + ",".join(f"{i}.0e-5" for i in range(1, 1001))


def without_times(table: pd.DataFrame) -> pd.DataFrame:
    return table.drop(columns="seconds")


def files_of_runs(out):
    """What training wrote, without what says how long it took."""
    kept = {k: v for k, v in snapshot(out / "runs").items() if "metrics" not in k and "last" not in k}
    return {k: v for k, v in kept.items() if v is not None and not k.endswith(".png")}


def test_a_grid_has_a_row_a_point_with_what_others_measure(grid):
    table = neuro.load_sweep(grid)
    assert list(table.state) == ["complete"] * 4 and list(table.trial) == [0, 1, 2, 3]
    assert list(zip(table["chip.slots"], table["task.populations.hidden.size"], strict=True)) == [
        (4, 6),
        (4, 12),
        (8, 6),
        (8, 12),
    ]
    for row in table.itertuples():
        run = neuro.load_run(grid / row.run)
        tested = evaluate(run)
        assert (row.test_accuracy, row.test_loss, row.rate) == (tested.accuracy, tested.loss, tested.rate)
        assert (row.slots_mean, row.sources_mean) == (tested.slots_mean, tested.sources_mean)
        tables = neuro.export(run)
        assert row.slots == len(tables.frames["synapses"]) and row.routes == len(tables.frames["routes"])
        assert row.memory_bytes == -(-row.slots * 12 // 8)
        assert pd.isna(row.energy_estimate_j)  # the chip states none
        assert neuro.verify(run).passed


def test_tables_say_which_runs_are_of_a_changed_chip(tiny_file, tmp_path):
    settings = ["task.training.epochs=1", "task.populations.hidden.size=4"]
    over = {"chip.slots": [4, 64]}
    table = neuro.sweep(tiny_file, "dynapse1", over, out=tmp_path / "a", settings=settings, progress="quiet")
    assert dict(zip(table["chip.slots"], table.chip_is, strict=True)) == {4: "not the real chip", 64: "the real chip"}
    read = pd.read_csv(tmp_path / "a" / "table.csv")
    assert list(read.chip_is) == list(table.chip_is) and list(read.columns[4:7]) == ["chip", "chip_is", "chip.slots"]
    assert neuro.load_run(tmp_path / "a" / table.run[1]).chip.label == "dynapse1"
    table.drop(columns="chip_is").to_parquet(tmp_path / "a" / "table.parquet")
    with pytest.raises(RunError, match="chip_is is missing; the same command writes it again"):
        neuro.load_sweep(tmp_path / "a")
    again = neuro.sweep(tiny_file, "dynapse1", over, out=tmp_path / "a", settings=settings, progress="quiet")
    pd.testing.assert_frame_equal(again, table)


def test_csv_and_parquet_hold_the_same(grid):
    read = pd.read_csv(grid / "table.csv", keep_default_na=True)
    table = neuro.load_sweep(grid)
    assert list(read.columns) == list(table.columns)
    for name in table.columns:
        if pd.api.types.is_numeric_dtype(table[name]):
            np.testing.assert_array_equal(read[name].to_numpy(float), table[name].to_numpy(float, na_value=np.nan))


def test_the_same_command_again_runs_nothing(grid, tiny_file):
    before = snapshot(grid / "runs")
    table = neuro.sweep(tiny_file, "dynapse1", GRID, out=grid, progress="quiet")
    assert snapshot(grid / "runs") == before
    assert len(table) == 4


def test_a_moved_folder_goes_on(grid, tiny_file, tmp_path):
    shutil.copytree(grid, tmp_path / "elsewhere")
    table = neuro.sweep(tiny_file, "dynapse1", GRID, out=tmp_path / "elsewhere", progress="quiet")
    assert len(table) == 4


def test_kill_9_in_the_middle_loses_and_repeats_nothing(grid, tiny_file, tmp_path):
    out = tmp_path / "killed"
    command = ["sweep", tiny_file, "--chip", "dynapse1", *OVER, "--out", out]
    process = spawn(*command, start_new_session=True)
    until(lambda: (out / "runs" / "0001" / "metrics.jsonl").exists(), process)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    done = {
        p.name: (p / "best.json").stat().st_mtime_ns for p in (out / "runs").iterdir() if (p / "curves.png").exists()
    }
    assert done and len(done) < 4
    table = neuro.sweep(tiny_file, "dynapse1", GRID, out=out, progress="quiet")
    assert done == {name: (out / "runs" / name / "best.json").stat().st_mtime_ns for name in done}
    pd.testing.assert_frame_equal(without_times(table), without_times(neuro.load_sweep(grid)))
    assert files_of_runs(out).keys() == files_of_runs(grid).keys()
    differ = [k for k, v in files_of_runs(out).items() if v != files_of_runs(grid)[k] and not k.endswith("run.json")]
    assert not differ


@pytest.mark.slow
def test_two_workers_come_to_the_same_and_survive_the_death_of_one(grid, tiny_file, tmp_path):
    out = tmp_path / "two"
    command = ["sweep", tiny_file, "--chip", "dynapse1", *OVER, "--out", out, "--workers", "2"]
    process = spawn(*command)
    until(lambda: len(list((out / "runs").glob("*/task.json"))) >= 2, process)
    os.kill(children_of(process.pid)[0], signal.SIGKILL)
    said, errors = process.communicate(timeout=120)
    assert process.returncode == 2 and "a worker stopped" in errors, errors
    table = neuro.sweep(tiny_file, "dynapse1", GRID, out=out, progress="quiet")
    pd.testing.assert_frame_equal(without_times(table), without_times(neuro.load_sweep(grid)))


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def until(ready, process, seconds: float = 100) -> None:
    end = time.monotonic() + seconds
    while not ready():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.02)


def test_more_seeds_go_on_but_other_values_or_tasks_do_not(grid, tiny_file, tmp_path):
    out = tmp_path / "seeds"
    over = {"chip.slots": [4]}
    settings = ["task.training.epochs=1", "task.populations.hidden.size=4"]
    first = neuro.sweep(tiny_file, "dynapse1", over, out=out, settings=settings, progress="quiet")
    second = neuro.sweep(tiny_file, "dynapse1", over, out=out, seeds=2, settings=settings, progress="quiet")
    assert list(second.seed) == [0, 1]
    pd.testing.assert_frame_equal(second[:1], first)
    with pytest.raises(RunError, match="begun with another over.chip.slots"):
        neuro.sweep(tiny_file, "dynapse1", {"chip.slots": [4, 8]}, out=out, settings=settings)
    with pytest.raises(RunError, match="begun with another chips"):
        neuro.sweep(tiny_file, "dynapse2", over, out=out, settings=settings)
    other = tmp_path / "dynapse1.yaml"
    shutil.copytree(ROOT / "chips", tmp_path, dirs_exist_ok=True)
    other.write_text(other.read_text().replace("DYNAP-SE1, mixed", "DYNAP-SE1, another mixed"))
    sides = {"seeds": 2, "settings": settings, "progress": "quiet"}
    with pytest.raises(RunError, match="begun with another chips"):
        neuro.sweep(tiny_file, other, over, out=out, **sides)
    neuro.sweep(tiny_file, other, over, out=tmp_path / "own", **sides)
    other.write_text(other.read_text().replace("another mixed", "a third mixed"))
    with pytest.raises(RunError, match="chip .*dynapse1.yaml was described otherwise"):
        neuro.sweep(tiny_file, other, over, out=tmp_path / "own", **sides)
    with pytest.raises(RunError, match="sweep of another task, tiny, not digits"):
        neuro.sweep("digits", "dynapse1", over, out=out)


def test_a_run_that_does_not_fit_is_kept_with_its_reason(tiny_file, tmp_path):
    over = {"task.populations.hidden.size": [4, 90_000]}
    settings = ["task.training.epochs=1"]
    table = neuro.sweep(tiny_file, "dynapse1", over, out=tmp_path / "a", settings=settings, progress="quiet")
    assert list(table.state) == ["complete", "failed"]
    assert "allowed" in table.reason[1] and pd.isna(table.validation_accuracy[1])
    again = neuro.sweep(tiny_file, "dynapse1", over, out=tmp_path / "a", settings=settings, progress="quiet")
    pd.testing.assert_frame_equal(again, table)


@pytest.mark.slow
def test_hopeless_runs_are_stopped_and_still_verify(tiny_file, tmp_path):
    over = {"task.training.lr": [0.03, 0.02, 0.025, 0.04, 1e-9]}
    settings = ["task.training.epochs=4", "task.training.schedule=constant"]
    table = neuro.sweep(
        tiny_file, "dynapse1", over, out=tmp_path / "a", settings=settings, prune=True, progress="quiet"
    )
    assert table.state[4] == "pruned" and "below" in table.reason[4] and table.epochs[4] < 4
    assert neuro.verify(tmp_path / "a" / table.run[4]).passed


@pytest.mark.slow
def test_optimizing_tries_no_point_twice_and_goes_on_as_if_never_stopped(tiny_file, tmp_path):
    over = {"chip.slots": [2, 4, 8], "task.populations.hidden.size": [4, 8]}
    settings = ["task.training.epochs=1"]

    def search(name, trials, seeds=1):
        return neuro.sweep(
            *(tiny_file, "dynapse1", over),
            out=tmp_path / name,
            optimize=("accuracy", "slots"),
            trials=trials,
            seeds=seeds,
            settings=settings,
            progress="quiet",
        )

    search("a", 3)
    table = search("a", 100)
    keys = [*over, "seed"]
    assert len(table) == 6 and not table.duplicated(keys).any() and set(table.state) <= {"complete", "pruned"}
    pd.testing.assert_frame_equal(without_times(table), without_times(search("b", 6)))
    more = search("b", 8, seeds=2)
    assert len(more) == 8 and not more.duplicated(keys).any() and list(more.seed[6:]) == [1, 1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--over", "chip.slotz=8"], ["--over chip.slotz", "did you mean slots"]),
        (["--over", "task.populations.hiden.size=8"], ["--over", "did you mean hidden"]),
        (["--over", "chip.slots=8,x"], ["--over chip.slots=x", "whole number"]),
        (["--over", "chip.slots="], ["a value is missing"]),
        (["--over", MANY, "--seeds", "1000"], ["1,000,000 runs"]),
        (["--optimize", "acuracy", "--trials", "3"], ["did you mean accuracy"]),
        (["--optimize", "accuracy"], ["--trials"]),
        (["--optimize", "energy", "--trials", "3"], ["energy", "states no energies"]),
        (["--optimize", "accuracy,seconds", "--trials", "3", "--prune"], ["--prune", "seconds"]),
        (["--over", "slots=0"], ["--over chip.slots=0", "have 0"]),
        (["--trials", "3"], ["--trials goes with --optimize"]),
        (["--workers", "0"], ["--workers is 0"]),
        (["--storage", "mysql://me:secret@host/db"], ["mysql", "postgresql://"]),
        (["--storage", "postgresql://me:secret@127.0.0.1:9/db?connect_timeout=2"], ["does not answer", "127.0.0.1"]),
        (["--storage", "nonsense"], ["postgresql://"]),
    ],
)
def test_mistakes_are_told_in_one_message_before_anything_is_written(tiny_file, tmp_path, arguments, words):
    out = tmp_path / "s"
    said = refused(call("sweep", tiny_file, "--chip", "dynapse1", "--out", out, *arguments), *words)
    assert "secret" not in said
    assert not (out / "table.csv").exists() and not (out / "runs" / "0000").exists()


def test_folders_of_something_else_and_damaged_ones_are_refused(grid, tiny_file, tmp_path, shared_run):
    before = snapshot(shared_run)
    refused(call("sweep", tiny_file, "--chip", "dynapse1", "--out", shared_run), "holds no sweep")
    assert snapshot(shared_run) == before
    with pytest.raises(RunError, match="is no sweep"):
        neuro.load_sweep(shared_run)
    (tmp_path / "b").mkdir()
    for text, words in (
        ("{}", "allowed: neuro-sweep 1"),
        ('{"format": "neuro-sweep", "version": 1}', "damaged"),
        ("[", "damaged"),
    ):
        (tmp_path / "b" / "sweep.json").write_text(text)
        refused(call("sweep", tiny_file, "--chip", "dynapse1", "--out", tmp_path / "b"), words)


def test_a_database_of_another_version_is_told(grid, tiny_file, tmp_path):
    import sqlite3
    from contextlib import closing

    shutil.copytree(grid, tmp_path / "old")
    with closing(sqlite3.connect(tmp_path / "old" / "sweep.db")) as base:
        base.execute("update alembic_version set version_num = 'v0.9.0.a'")
        base.commit()
    over = [w for key, values in GRID.items() for w in ("--over", f"{key}={','.join(map(str, values))}")]
    refused(call("sweep", tiny_file, "--chip", "dynapse1", *over, "--out", tmp_path / "old"), "version")
    (tmp_path / "old" / "sweep.db").write_bytes(b"no database at all" * 99)
    refused(call("sweep", tiny_file, "--chip", "dynapse1", *over, "--out", tmp_path / "old"), "not a database")


def test_a_full_disk_ends_the_sweep_and_loses_nothing(tiny_file, tmp_path, monkeypatch, grid):
    import neuro.runs.files as files

    real, count = os.replace, iter(range(10**6))

    def full(source, target):
        if next(count) > 20:
            raise OSError(28, "No space left on device")
        real(source, target)

    out = tmp_path / "full"
    monkeypatch.setattr(files.os, "replace", full)
    with pytest.raises(RunError, match="No space left"):
        neuro.sweep(tiny_file, "dynapse1", GRID, out=out, progress="quiet")
    monkeypatch.undo()
    table = neuro.sweep(tiny_file, "dynapse1", GRID, out=out, progress="quiet")
    pd.testing.assert_frame_equal(without_times(table), without_times(neuro.load_sweep(grid)))


def test_the_command_says_what_came_out(tiny_file, tmp_path):
    small = ["--set", "task.populations.hidden.size=4", "--epochs", "1", "--out", tmp_path / "s"]
    said = call("sweep", tiny_file, "--chip", "dynapse1", "--over", "slots=2,4", *small)
    assert said.status == 0 and "2 runs: 2 complete" in said.out and "neuro report" in said.out
    assert "1/2  dynapse1, slots=2, seed 0: validation" in said.err
    told = json.loads(call("sweep", tiny_file, "--chip", "dynapse1", "--over", "slots=2,4", *small, "--json").out)
    assert told["runs"] == {"complete": 2}
    table = neuro.load_sweep(tmp_path / "s")
    best = table.loc[table.validation_accuracy.idxmax(), "run"]
    assert said.out.splitlines()[-1].endswith(f"neuro verify {tmp_path / 's' / best}")


def test_fewer_points_than_trials_are_told_before_the_first_run(tiny_file, tmp_path):
    small = ["--set", "task.populations.hidden.size=4", "--epochs", "1", "--optimize", "accuracy,slots"]
    command = ["sweep", tiny_file, "--chip", "dynapse1", *small, "--out", tmp_path / "s", "--trials"]
    said = call(*command, "4")
    assert said.status == 0 and "1 runs:" in said.out
    assert said.err.splitlines()[0] == (
        "4 trials asked, 1 run: the space has no more points (1 chip x 1 seed); add keys to vary, such as --over "
        "chip.slots=8,16,32,64"
    )
    assert "asked" not in call(*command, "1").err


def test_python_refuses_what_the_command_line_refuses(tiny_file, tmp_path):
    with pytest.raises(DescriptionError, match="did you mean slots"):
        neuro.sweep(tiny_file, "dynapse1", {"chip.slotz": [1]}, out=tmp_path / "x")
    with pytest.raises(DescriptionError, match="sure=True"):
        neuro.sweep(tiny_file, "dynapse1", {"chip.slots": list(range(1, 1002))}, out=tmp_path / "x")
    assert not (tmp_path / "x").exists()
    assert torch.get_num_threads() == 1


@pytest.fixture(params=["100k", "350k", "600k"])
def small_disk(tmp_path, request):
    """A file system of its own that a sweep fills, and a way to make it larger."""
    import subprocess

    place = tmp_path / "disk"
    place.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={request.param}", "tmpfs", place], capture_output=True
    ).returncode:
        pytest.skip("no right to mount a small file system")
    yield place, lambda: subprocess.run(["mount", "-o", "remount,size=60m", place], check=True)
    subprocess.run(["umount", place], check=True)


@pytest.mark.slow
def test_a_disk_that_really_fills_up_ends_the_sweep_and_loses_nothing(grid, tiny_file, small_disk):
    """Wherever it happens, in a run or in the database: one message, and the same command comes to the same table."""
    out, enlarge = small_disk[0] / "s", small_disk[1]
    said = call("sweep", tiny_file, "--chip", "dynapse1", *OVER, "--out", out)
    assert said.status == 2 and said.err.count("neuro: ") == 1, said.err
    assert re.search("No space left|disk is full|disk I/O error", said.err), said.err
    enlarge()
    table = neuro.sweep(tiny_file, "dynapse1", GRID, out=out, progress="quiet")
    pd.testing.assert_frame_equal(without_times(table), without_times(neuro.load_sweep(grid)))


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_saves_and_the_same_command_goes_on(grid, tiny_file, tmp_path, workers):
    out = tmp_path / "stopped"
    command = ["sweep", tiny_file, "--chip", "dynapse1", *OVER, "--out", out, "--workers", workers]
    process = spawn(*command)
    until(lambda: list((out / "runs").glob("*/task.json")), process)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130 and "go on with the same command" in errors, errors
    assert "Traceback" not in errors
    assert len(list((out / "runs").glob("*/curves.png"))) < 4
    table = neuro.sweep(tiny_file, "dynapse1", GRID, out=out, progress="quiet")
    pd.testing.assert_frame_equal(without_times(table), without_times(neuro.load_sweep(grid)))


def test_stopping_often_is_no_failure_but_dying_at_one_place_is(tiny_file, tmp_path, monkeypatch):
    import neuro.sweeps.work as work
    from neuro.sweeps.trial import run_trial
    from neuro.training.loop import Interrupted

    def stopped(*_):
        raise KeyboardInterrupt

    over, settings = {"chip.slots": [2, 3]}, ["task.training.epochs=1", "task.populations.hidden.size=4"]
    options = {"out": tmp_path / "s", "settings": settings, "progress": "quiet"}
    for _ in range(5):
        monkeypatch.setattr(work, "run_trial", stopped)
        with pytest.raises(Interrupted, match="go on with the same command"):
            neuro.sweep(tiny_file, "dynapse1", over, **options)
    monkeypatch.setattr(work, "run_trial", run_trial)
    monkeypatch.setattr(work, "end_early", lambda *_: None)  # as if killed: nothing is noted on the way out
    for _ in range(3):
        monkeypatch.setattr(work, "run_trial", stopped)
        with pytest.raises(Interrupted):
            neuro.sweep(tiny_file, "dynapse1", over, **options)
    monkeypatch.setattr(work, "run_trial", run_trial)
    table = neuro.sweep(tiny_file, "dynapse1", over, **options)
    assert list(table.state) == ["failed", "complete"] and "died 3 times" in table.reason[0]
