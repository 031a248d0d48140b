"""Turn plain loops into machine code, kept on disk between runs (numba: no compiler needed)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path


def compiled(function):
    """Compile a function with the arithmetic exactly as written: nothing is reordered or fused."""
    return _kept(function, fastmath=False)


def estimated(function):
    """Compile a function whose sums may be reordered and hold no NaN: for gradients, whole numbers, and checked guesses."""
    return _kept(function, fastmath={"reassoc", "contract", "nsz", "nnan"})


def _kept(function, fastmath):
    from numba import njit  # a fifth of a second: for those who compile something

    try:
        return njit(nogil=True, error_model="numpy", fastmath=fastmath, cache=True)(function)
    except RuntimeError:  # no folder to keep it in may be written: compile anew in each process
        return njit(nogil=True, error_model="numpy", fastmath=fastmath)(function)


def is_kept(function) -> bool:
    """Whether a function's machine code is on disk, or in this process, already."""
    folder = Path(function.stats.cache_path or "")
    module = Path(function.py_func.__code__.co_filename).stem
    return bool(function.signatures) or any(folder.glob(f"{module}.{function.py_func.__name__}-*.nbi"))


def in_parallel(threads: int, function: Callable, jobs: Sequence[tuple]) -> None:
    """Call a compiled function once a job; jobs share nothing they write to, so threads change no bit."""
    if threads == 1 or len(jobs) == 1:
        for job in jobs:
            function(*job)
        return
    waiting = iter(jobs)

    def work() -> None:
        for job in waiting:  # one iterator for all: each takes the next job when it is free
            function(*job)

    helpers = [_pool(threads - 1).submit(work) for _ in range(min(threads, len(jobs)) - 1)]
    work()
    for helper in helpers:
        helper.result()


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, "neuro")
