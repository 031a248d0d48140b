"""Threads of a forked process: those of its parent are not there, and it begins its own."""

import os
import threading

import pytest

from neuro.emulator import by_events
from neuro.jit import in_parallel


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes cannot be forked here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of forking beside threads: that it works is what is tested
def test_jobs_that_wait_for_one_another_run_in_a_forked_process():
    in_parallel(2, lambda barrier: barrier.wait(20), [(barrier := threading.Barrier(2),), (barrier,)])
    with by_events.ONE_AT_A_TIME:
        child = os.fork()
    if child == 0:
        barrier = threading.Barrier(2)
        try:
            assert by_events.ONE_AT_A_TIME.acquire(timeout=1)
            in_parallel(2, lambda barrier: barrier.wait(20), [(barrier,), (barrier,)])
        except BaseException:
            os._exit(1)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
