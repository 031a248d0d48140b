"""A small grid that was run without a break: what broken-off and shared sweeps must come to."""

import pytest
import torch
from tiny_task import TINY

import neuro

GRID = {"chip.slots": [4, 8], "task.populations.hidden.size": [6, 12]}
TIMES = ["seconds"]


@pytest.fixture(scope="session")
def tiny_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("sweeps") / "tiny.yaml"
    path.write_text(TINY)
    return path


@pytest.fixture(scope="session")
def grid(tiny_file):
    """A finished sweep of four runs."""
    torch.set_num_threads(1)
    out = tiny_file.parent / "grid"
    neuro.sweep(tiny_file, "dynapse1", GRID, out=out, progress="quiet")
    return out
