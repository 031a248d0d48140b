"""Turn plain loops into machine code, kept on disk between runs (numba: no compiler needed)."""

from __future__ import annotations

from numba import njit


def compiled(function):
    """Compile a function with the arithmetic exactly as written: nothing is reordered or fused."""
    return _kept(function, fastmath=False)


def estimated(function):
    """Compile a function whose sums may be reordered: for guesses that something exact checks, and for whole numbers."""
    return _kept(function, fastmath={"reassoc", "contract", "nsz"})


def _kept(function, fastmath):
    try:
        return njit(nogil=True, error_model="numpy", fastmath=fastmath, cache=True)(function)
    except RuntimeError:  # no folder to keep it in may be written: compile anew in each process
        return njit(nogil=True, error_model="numpy", fastmath=fastmath)(function)
