"""Pictures of runs, made from run folders only."""

from neuro.reports.curves import plot_curves
from neuro.reports.overview import plot_overview

__all__ = ["plot_curves", "plot_overview"]
