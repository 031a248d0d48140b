"""Tests of the emulator share the hand-made configurations of the tables' tests."""

import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "tables"))


@pytest.fixture(autouse=True)
def one_thread():
    """Networks of a few neurons: threads would only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
