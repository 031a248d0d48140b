"""Train spiking networks inside a named chip's limits, export its configuration, and prove that both compute the same.

Public names are imported when first used, so that `import neuro` and the command line stay quick.
"""

from __future__ import annotations

import importlib

__version__ = "0.1.0"

_HOMES = {
    "NeuroError": "neuro.errors",
    "load_chip": "neuro.descriptor",
    "load_task": "neuro.task",
    "place": "neuro.placement",
    "Network": "neuro.nn",
    "build": "neuro.nn",
    "constrain": "neuro.nn",
    "QRewiring": "neuro.rewiring",
    "virtual_chip": "neuro.silicon",
    "train": "neuro.training",
    "calibrate": "neuro.training",
    "load_run": "neuro.runs",
    "load_virtual_chip": "neuro.runs",
    "save_virtual_chip": "neuro.runs",
    "evaluate": "neuro.evaluation",
    "evaluate_devices": "neuro.evaluation",
    "export": "neuro.emit",
    "replace": "neuro.emit",
    "load_tables": "neuro.tables",
    "check": "neuro.tables",
    "on_board": "neuro.tables",
    "replay": "neuro.emulator",
    "verify": "neuro.verification",
    "sweep": "neuro.sweeps",
    "load_sweep": "neuro.sweeps",
    "plot": "neuro.reports",
    "report": "neuro.reports",
    "from_norse": "neuro.interop",
    "from_snntorch": "neuro.interop",
}
_ROOMS = ("weights", "dynamics", "errors", "rewiring", "silicon", "emulator", "verification", "reports")

__all__ = [*list(_HOMES), "weights"]  # noqa: PLE0604  (names come from the table above)


def __getattr__(name: str):
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    if name in _ROOMS:
        return importlib.import_module(f"neuro.{name}")
    raise AttributeError(f"module 'neuro' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
