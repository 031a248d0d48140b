"""Pictures of runs, made from run folders only."""

from neuro.reports.overview import plot_overview

__all__ = ["plot_overview"]
