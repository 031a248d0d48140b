"""A task that trains in a second, and the command line called in this process."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import neuro

ROOT = Path(neuro.__file__).parents[1]
TINY = """\
name: tiny
title: Digits for a few neurons
dt_s: 0.001
data: {dataset: sklearn_digits, test: 0.7, validation: 0.3}
encoder: {kind: regular, steps: 8, max_rate: 0.5}
tail_steps: 3
inputs: {pixels: 64}
populations:
  hidden: {size: 12, tau_mem_s: 0.02, tau_syn_s: 0.005, refractory_s: 0.001}
  digit: {size: 10, tau_mem_s: 0.02, tau_syn_s: 0.005}
projections:
  - {from: pixels, to: hidden}
  - {from: hidden, to: digit}
outputs:
  digit: {population: digit, readout: spikes, classes: 10}
loss: {kind: spike_count, scale: 0.2, rate_target: 0.1, rate_weight: 0.1}
training: {epochs: 2, batch: 64, lr: 0.02}
"""


class Said(NamedTuple):
    """What a command left: exit status, standard output, standard error."""

    status: int
    out: str
    err: str


def call(*arguments: object) -> Said:
    """Run the command line in this process; anything but SystemExit comes through."""
    from neuro.cli import main

    out, err, status = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main([str(a) for a in arguments])
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    return Said(status, out.getvalue(), err.getvalue())


def spawn(*arguments: object, **options) -> subprocess.Popen:
    """Start the command line in a process of its own, one thread."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": environment} | options
    return subprocess.Popen([sys.executable, "-m", "neuro", *map(str, arguments)], **options)


def run(*arguments: object, timeout: float = 120, **options) -> Said:
    """Run the command line in a process of its own to its end."""
    process = spawn(*arguments, **options)
    out, err = process.communicate(timeout=timeout)
    return Said(process.returncode, out, err)


def refused(said: Said, *words: str) -> str:
    """Assert one message and nothing else, holding the words; gives the message."""
    assert said.status == 2, said
    assert said.out == ""
    assert "Traceback" not in said.err
    assert said.err.strip()
    assert said.err.startswith(("neuro: ", "Usage: ")), said.err
    assert said.err.count("neuro: ") <= 1, said.err
    assert len(said.err) < 4000
    for word in words:
        assert word in said.err, (word, said.err)
    return said.err


def snapshot(folder: Path) -> dict[str, bytes | None]:
    """Every file below a folder with its bytes; folders as None."""
    found = sorted(Path(folder).rglob("*"))
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None for p in found}


def network_bits(run_folder: Path, name: str) -> dict[str, bytes]:
    """Every tensor of a checkpoint, as bytes."""
    from neuro.runs import load_checkpoint

    tensors, _ = load_checkpoint(Path(run_folder), name)
    return {key: t.numpy().tobytes() for key, t in tensors.items()}


def metrics_without_time(run_folder: Path) -> list[dict]:
    """The lines of metrics.jsonl without the only figure that may differ."""
    import json

    lines = (Path(run_folder) / "metrics.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in lines]
