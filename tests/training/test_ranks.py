"""Two real processes that train one network: the same bits in both, what one alone would do, and an end that is told."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_task import ROOT, metrics_without_time, network_bits

from neuro.training.ranks import Ranks

WORKER = ROOT / "tests/support/trained_by_rank.py"
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


def started(*arguments, ranks=2, **environment):
    command = [sys.executable, *(TORCHRUN if ranks == 2 else ()), *map(str, arguments)]
    known = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"} | environment
    return subprocess.run(command, capture_output=True, text=True, timeout=150, env=known)


def notes(folder: Path) -> list[list[dict]]:
    return [torch.load(path, weights_only=True) for path in sorted(folder.glob("*.pt"))]


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    """The tiny task with a batch that two processes cannot share evenly, and an odd last one."""
    from tiny_task import TINY

    path = tmp_path_factory.mktemp("ranks") / "tiny.yaml"
    path.write_text(
        TINY.replace("batch: 64", "batch: 53").replace("rate_weight: 0.1", "rate_weight: 0.1, weight_l1: 1e-5")
    )
    return path


@pytest.fixture(scope="module")
def trained(task):
    """Folders of notes by two processes and by one, and of their runs."""
    folder = task.parent
    for name, ranks in (("two", 2), ("one", 1)):
        (folder / f"notes-{name}").mkdir()
        done = started(WORKER, task, folder / name, folder / f"notes-{name}", ranks=ranks)
        assert done.returncode == 0, done.stderr
    return folder


def test_every_process_has_the_same_bits_after_every_step(trained):
    first, second = notes(trained / "notes-two")
    assert len(first) == len(second) >= 10
    for a, b in zip(first, second, strict=True):
        assert all(torch.equal(a[name], b[name]) for name in a)


def test_two_processes_do_what_one_does(trained):
    """Latents agree within 1e-5 until a code differs; there both latents lie that near a threshold between two codes."""
    (together, _), (alone,) = notes(trained / "notes-two"), notes(trained / "notes-one")
    compared = 0
    for a, b in zip(together, alone, strict=True):
        latents = [name for name in a if name.startswith("latent ")]
        for name in latents:
            assert float((a[name] - b[name]).norm() / b[name].norm()) < 1e-5, compared
        compared += 1
        differing = [
            n
            for n in latents
            if not torch.equal(a[n.replace("latent ", "code ", 1)], b[n.replace("latent ", "code ", 1)])
        ]
        for name in differing:
            code = name.replace("latent ", "code ", 1)
            rows = (a[code] != b[code]).flatten(1).any(1)
            assert float((a[name] - b[name])[rows].abs().max()) < 1e-5
        if differing:
            break
    assert compared >= 5
    two, one = metrics_without_time(trained / "two"), metrics_without_time(trained / "one")
    assert [m["epoch"] for m in two] == [m["epoch"] for m in one]
    assert two[0]["train_loss"] == pytest.approx(one[0]["train_loss"], rel=1e-3)


def test_a_killed_process_ends_the_run_with_a_message_and_resume_goes_on(trained, task, tmp_path):
    done = started(WORKER, task, tmp_path / "run", tmp_path, FAIL_AT="9")
    assert done.returncode != 0
    assert "rank 0: another process of this training ended" in done.stderr and "--resume" in done.stderr
    done = started(WORKER, task, tmp_path / "run", tmp_path, "--resume")
    assert done.returncode == 0, done.stderr
    for name in ("best", "last"):
        assert network_bits(tmp_path / "run", name) == network_bits(trained / "two", name)
    assert metrics_without_time(tmp_path / "run") == metrics_without_time(trained / "two")


@pytest.mark.slow
def test_processes_that_differ_are_noticed(task, tmp_path):
    done = started(WORKER, task, tmp_path / "run", tmp_path, SPOIL_AT="3")
    assert done.returncode != 0
    assert "not the same in all 2 processes" in done.stderr


@pytest.mark.slow
def test_the_command_line_speaks_once(task, tmp_path):
    done = started(
        "-m", "neuro", "train", task, "--chip", "dynapse1", "--out", tmp_path / "run", "--epochs", "1", "--json"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count('"best"') == 1
    again = started("-m", "neuro", "train", task, "--chip", "dynapse1", "--out", tmp_path / "run", "--epochs", "1")
    assert again.returncode != 0 and "is there already" in again.stderr


@pytest.mark.slow
def test_every_part_of_rewiring_does_the_same_in_every_process(task, tmp_path):
    """Processes hold sources, codes and latents against each other after every step: it ends well if all agree."""
    parts = "storage=slots reserve=4 growth_every=2 growth_share=1.0 growth_candidates=9 rounding=stochastic "
    parts += "random_shares=true least_connections=2 temperature=1e-6 epochs=1"
    overrides = [word for part in parts.split() for word in ("--set", f"task.training.{part}")]
    command = (
        "-m",
        "neuro",
        "train",
        task,
        "--chip",
        "dynapse1",
        "--set",
        "slots=6",
        *overrides,
        "--out",
        tmp_path / "r",
    )
    done = started(*command)
    assert done.returncode == 0, done.stderr
    assert [line["violations"] for line in metrics_without_time(tmp_path / "r")] == [0]


def test_shares_are_the_whole():
    ids = np.arange(100, 111)
    parts = [Ranks(r, 3).share(ids) for r in range(3)]
    assert sorted(np.concatenate([own for own, _ in parts]).tolist()) == ids.tolist()
    assert sum(share for _, share in parts) == pytest.approx(1)
    own, share = Ranks(2, 3).share(ids[:2])
    assert len(own) == 1 and share == 0.0
    alone = Ranks()
    assert alone.share(ids)[0] is not None and alone.share(ids)[1] == 1.0
    assert alone.total([1.0, 2.0]) == [1.0, 2.0]
