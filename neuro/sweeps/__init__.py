"""Studies: many runs over chips, keys and seeds, or a search for the best trade-offs, with one tidy table."""

from neuro.sweeps.run import sweep
from neuro.sweeps.table import load_sweep

__all__ = ["load_sweep", "sweep"]
