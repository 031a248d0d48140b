"""Run folders and checkpoints."""

from neuro.runs.checkpoint import load_checkpoint, pack_optimizer, save_checkpoint, unpack_optimizer
from neuro.runs.curves import plot_curves
from neuro.runs.devices import load_virtual_chip, save_virtual_chip
from neuro.runs.files import write_atomically
from neuro.runs.folder import Run, create_run, load_run

__all__ = [
    "Run",
    "create_run",
    "load_checkpoint",
    "load_run",
    "load_virtual_chip",
    "pack_optimizer",
    "plot_curves",
    "save_checkpoint",
    "save_virtual_chip",
    "unpack_optimizer",
    "write_atomically",
]
