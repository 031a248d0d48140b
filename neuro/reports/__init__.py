"""Pictures and reports of runs, sweeps and configurations, made from their folders only."""

from neuro.reports.configuration import plot_configuration
from neuro.reports.devices import devices_histogram
from neuro.reports.encoded import plot_encoding
from neuro.reports.overview import plot_overview
from neuro.reports.page import report
from neuro.reports.pictures import plot
from neuro.reports.run_plots import codes_histogram, connectivity, learning_curves, membranes, raster, slots_histogram
from neuro.reports.sweep_plots import front, tradeoff

__all__ = [
    "codes_histogram",
    "connectivity",
    "devices_histogram",
    "front",
    "learning_curves",
    "membranes",
    "plot",
    "plot_configuration",
    "plot_encoding",
    "plot_overview",
    "raster",
    "report",
    "slots_histogram",
    "tradeoff",
]
