"""Turn plain loops into machine code, kept on disk between runs (numba: no compiler needed)."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent


def compiled(function):
    """Compile a function with the arithmetic exactly as written: nothing is reordered or fused."""
    return _kept(function, fastmath=False)


def estimated(function):
    """Compile a function whose sums may be reordered and hold no NaN: for gradients, whole numbers, and checked guesses."""
    return _kept(function, fastmath={"reassoc", "contract", "nsz", "nnan"})


def _kept(function, fastmath):
    from numba import config, njit  # a fifth of a second: for those who compile something

    before = config.CACHE_DIR
    config.CACHE_DIR = str(_folder(before, Path(function.__code__.co_filename).parent))
    try:
        return njit(nogil=True, error_model="numpy", fastmath=fastmath, cache=True)(function)
    except RuntimeError:  # no folder to keep it in may be written: compile anew in each process
        return njit(nogil=True, error_model="numpy", fastmath=fastmath)(function)
    finally:
        config.CACHE_DIR = before


@cache
def _folder(chosen: str, room: Path) -> Path:
    """Where machine code is kept: a folder for this text of a room, as its loops are compiled into one another."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path(os.path.expanduser("~")) / ".cache")
    texts = [path.read_bytes() for folder in (HERE, room) for path in sorted(folder.glob("*.py"))]
    return (Path(chosen) if chosen else home / "neuro") / hashlib.sha256(b"".join(texts)).hexdigest()[:16]


def is_kept(function) -> bool:
    """Whether a function's machine code is on disk, or in this process, already."""
    folder = function.stats.cache_path
    name = f"{Path(function.py_func.__code__.co_filename).stem}.{function.py_func.__name__}-*.nbi"
    return bool(function.signatures) or (bool(folder) and any(Path(folder).glob(name)))


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
    try:
        work()
    finally:
        for _ in waiting:  # if this thread failed, no other begins a job: what they write to may be used again
            pass
        for helper in helpers:
            if not helper.cancel():  # one that has not begun has nothing left to do
                helper.result()


def renewed_in_child(make: Callable[[], object]) -> None:
    """Call this in processes that are forked from this one: threads, and locks they hold, do not come along."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=make)


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, "neuro")


renewed_in_child(_pool.cache_clear)
