"""What a worker does: claim, run, write down, until nothing is left; here, or in processes of their own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TextIO

from neuro.errors import RunError
from neuro.sweeps.claims import MOST_DEATHS, Claim, begin, claim, end_early, finish, is_done, rivals_in
from neuro.sweeps.definition import Definition, definition_to_json
from neuro.sweeps.locks import Locks
from neuro.sweeps.table import table_of, write_table
from neuro.sweeps.trial import FAILED, Outcome, run_trial

POLL_S = 0.5


def work(out: Path, definition: Definition, study, locks: Locks, tell: Callable[[object], None]) -> None:
    """Run trials until all have ended, others' included; `tell` gets the study whenever one may have ended."""
    while not is_done(study, definition):
        claimed = claim(study, definition, locks)
        if claimed is None:  # all that are left are others': wait, should one of them die
            time.sleep(POLL_S)
        else:
            _run(out, definition, study, claimed)
            save_table(out, definition, study, locks)
        tell(study)


def _run(out: Path, definition: Definition, study, claimed: Claim) -> None:
    folder = out / "runs" / f"{claimed.number:04d}"
    try:
        if begin(study, claimed, _epochs_done(folder)):
            rivals = rivals_in(study) if definition.prune else []
            outcome = run_trial(claimed.point, definition, folder, rivals)
        else:
            outcome = Outcome(FAILED, f"its process died {MOST_DEATHS} times at one place (out of memory?)", {}, [])
        finish(study, definition, claimed, outcome)
    except BaseException:
        end_early(study, claimed)
        raise
    finally:
        claimed.held.close()


def _epochs_done(folder: Path) -> int:
    path = folder / "metrics.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def save_table(out: Path, definition: Definition, study, locks: Locks) -> None:
    """Write the table of all that has ended; one writer at a time, so that none overwrites a newer one."""
    with closing(locks.take("table", wait=True)):
        write_table(out, table_of(study, definition))


def work_in_processes(
    out: Path, definition: Definition, study, url: str, workers: int, tell: Callable[[object], None]
) -> None:
    """The same by several processes; they stop when this one is stopped, and die when it dies."""
    order = json.dumps({"out": str(out), "url": url, "workers": workers, "definition": definition_to_json(definition)})
    with ExitStack() as stack:
        said = [stack.enter_context(tempfile.TemporaryFile("w+")) for _ in range(workers)]
        processes = [stack.enter_context(_start(order, errors)) for errors in said]
        try:
            while any(process.poll() is None for process in processes):
                time.sleep(POLL_S)
                tell(study)
        finally:
            for process in processes:  # all, before any is waited for: else the others go on
                if process.poll() is None:
                    process.send_signal(signal.SIGINT)
            for process in processes:
                process.wait()
        for process, errors in zip(processes, said, strict=True):
            if process.returncode:
                raise RunError(f"a worker stopped: {_last_line(errors, process)}; go on with the same command")


def _start(order: str, errors: TextIO) -> subprocess.Popen:
    """Start a worker in a session of its own: Ctrl-C reaches it through us, once."""
    command = [sys.executable, "-m", "neuro.sweeps.worker"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=errors, text=True, start_new_session=True)
    process.stdin.write(order + "\n")
    process.stdin.flush()
    return process


def _last_line(errors: TextIO, process: subprocess.Popen) -> str:
    errors.seek(0)
    lines = errors.read().strip().splitlines() or [f"it ended with status {process.returncode}"]
    return lines[-1].removeprefix("neuro: ")
