"""Sweeps through a real PostgreSQL, started for the test from what Debian's package installs."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pandas as pd
import pytest
from test_sweeps import OVER, without_times
from tiny_task import call, refused, spawn

import neuro

pytestmark = pytest.mark.slow


def programs() -> Path | None:
    """Where initdb and pg_ctl are."""
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    found = [p for p in places if (p / "initdb").exists()]
    beside = shutil.which("initdb")
    return found[0] if found else Path(beside).parent if beside else None


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """A server that listens on a socket of its own, as the user postgres where we are root (it refuses root)."""
    pytest.importorskip("psycopg", reason="no psycopg, PostgreSQL's driver: pip install 'neuro[postgresql]'")
    binaries = programs()
    if binaries is None:
        pytest.skip("no PostgreSQL on this machine: apt-get install postgresql")
    home = Path("/tmp") / f"neuro-postgresql-{os.getpid()}"  # a socket's path may hold 107 letters
    home.mkdir(mode=0o777)
    home.chmod(0o777)
    as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if as_user and subprocess.run([*as_user, "true"], capture_output=True).returncode:
        pytest.skip("PostgreSQL does not run as root, and there is no user postgres")

    def run(*command):
        subprocess.run([*as_user, *map(str, command)], check=True, capture_output=True, cwd="/", timeout=60)

    run(binaries / "initdb", "-D", home / "data", "-U", "postgres", "--auth=trust", "--no-sync")
    start = f"-c listen_addresses='' -c unix_socket_directories={home}"
    run(binaries / "pg_ctl", "-D", home / "data", "-w", "-l", home / "log", "-o", start, "start")
    yield f"postgresql://postgres@/postgres?host={home}"
    run(binaries / "pg_ctl", "-D", home / "data", "-m", "immediate", "stop")
    shutil.rmtree(home, ignore_errors=True)


def test_two_folders_share_one_sweep_and_one_is_killed(address, grid, tiny_file, tmp_path):
    """As two machines would: each has its own folder of the same name, both end with the whole table."""
    outs = [tmp_path / name / "shared" for name in ("one", "other")]
    started = [
        spawn("sweep", tiny_file, "--chip", "dynapse1", *OVER, "--out", out, "--storage", address) for out in outs
    ]
    end = time.monotonic() + 120
    while not all(list((out / "runs").glob("*/task.json")) for out in outs):
        assert time.monotonic() < end and any(p.poll() is None for p in started), [p.communicate() for p in started]
        time.sleep(0.02)
    started[0].send_signal(signal.SIGKILL)
    started[0].communicate()
    said, errors = started[1].communicate(timeout=120)
    assert started[1].returncode == 0, errors
    table = neuro.load_sweep(outs[1])
    pd.testing.assert_frame_equal(without_times(table), without_times(neuro.load_sweep(grid)))
    again = call("sweep", tiny_file, "--chip", "dynapse1", *OVER, "--out", outs[0], "--storage", address)
    assert again.status == 0, again.err
    pd.testing.assert_frame_equal(without_times(neuro.load_sweep(outs[0])), without_times(table))


def test_a_name_that_another_sweep_has_is_refused(address, tiny_file, tmp_path):
    small = ["--set", "task.populations.hidden.size=4", "--epochs", "1", "--storage", address]
    done = call("sweep", tiny_file, "--chip", "dynapse1", "--over", "slots=2", *small, "--out", tmp_path / "a" / "name")
    assert done.status == 0, done.err
    other = ["sweep", "digits", "--chip", "dynapse1", "--over", "slots=2", "--storage", address]
    said = refused(call(*other, "--out", tmp_path / "b" / "name"), "sweep of another task", "'name'")
    assert "postgres@" in said
