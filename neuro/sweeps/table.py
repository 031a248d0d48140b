"""A sweep's result as one tidy table: a row a run, written as CSV and Parquet after each run that ends."""

from __future__ import annotations

import contextlib
import functools
import io
from pathlib import Path

import pandas as pd

from neuro.descriptor import NOT_REAL, load_chip
from neuro.errors import DescriptionError, RunError
from neuro.runs import write_atomically
from neuro.runs.files import read_object
from neuro.sweeps.definition import Definition
from neuro.sweeps.space import Point
from neuro.sweeps.storage import point_of

MEASURES = {
    "validation_accuracy": float,
    "test_accuracy": float,
    "validation_loss": float,
    "test_loss": float,
    "neurons": int,
    "slots": int,
    "slots_mean": float,
    "sources": int,
    "sources_mean": float,
    "memory_bytes": int,
    "cores": int,
    "routes": int,
    "footprint": int,
    "connection_sparsity": float,
    "rate": float,
    "synaptic_operations": float,
    "dense_operations": float,
    "activation_sparsity": float,
    "membrane_updates": float,
    "spikes": float,
    "events_delivered": float,
    "words_met": float,
    "energy_estimate_j": float,
    "violations": int,
    "epochs": int,
    "seconds": float,
}


def table_of(study, definition: Definition) -> pd.DataFrame:
    """Lay out every trial that has ended, by number."""
    trials = [t for t in study.get_trials(deepcopy=False) if t.state.is_finished()]
    points = [point_of(t.params, definition) for t in trials]
    outcomes = [t.user_attrs["outcome"] for t in trials]
    columns = {
        "trial": pd.Series([t.number for t in trials], dtype="int64"),
        "state": pd.Series([o["state"] for o in outcomes], dtype="str"),
        "reason": pd.Series([o["reason"] for o in outcomes], dtype="str"),
        "task": pd.Series([Path(definition.task).stem] * len(trials), dtype="str"),
        "chip": pd.Series([Path(p.chip).stem for p in points], dtype="str"),
        "chip_is": pd.Series([_standing(p, definition) for p in points], dtype="str"),
    }
    for number, axis in enumerate(definition.space.axes):
        columns[axis.key] = _values([p.settings[number][1] for p in points])
    columns["seed"] = pd.Series([p.seed for p in points], dtype="int64")
    for name, kind in MEASURES.items():
        found = [o["measures"].get(name) for o in outcomes]
        columns[name] = pd.Series(found, dtype="Int64" if kind is int else "float64")
    columns["run"] = pd.Series([f"runs/{t.number:04d}" for t in trials], dtype="str")
    return pd.DataFrame(columns)


def _standing(point: Point, definition: Definition) -> str:
    digests = dict(zip(definition.space.chips, definition.hashes, strict=False))
    return _chip_is(point.chip, definition.overrides(point)[1], digests.get(point.chip))


@functools.cache
def _chip_is(name: str, overrides: tuple[str, ...], digest: str | None) -> str:
    """Whether a run was on the real chip; digest: of what its file held, since a file may change."""
    try:
        return load_chip(name, overrides).standing
    except DescriptionError:  # values that do not go together: the run has failed, and was on no real chip
        return NOT_REAL


def _values(texts: list[str]) -> pd.Series:
    """Values of a key as numbers where all are numbers, else as they were given."""
    for kind, dtype in ((int, "int64"), (float, "float64")):
        with contextlib.suppress(ValueError, OverflowError):
            return pd.Series([kind(text) for text in texts], dtype=dtype)
    return pd.Series(texts, dtype="str")


def write_table(folder: Path, table: pd.DataFrame) -> None:
    """Write table.csv and table.parquet, each whole or not at all."""
    data = io.BytesIO()
    table.to_parquet(data, index=False)
    write_atomically(folder / "table.csv", table.to_csv(index=False))
    write_atomically(folder / "table.parquet", data.getvalue())


def load_sweep(folder: str | Path) -> pd.DataFrame:
    """Give a sweep's table, a row for each run that has ended.

    Columns: trial, state (complete, failed, pruned), reason, task, chip, chip_is (the real chip; not the real chip: one
    with overrides that change it; no chip: one that stands for no silicon), every key that varied, seed, then the figures:
    accuracies and losses; neurons; slots and distinct sources, in all and a neuron; bytes of the synapse words in use;
    cores; route rows; spikes a neuron and step (rate); and for one test sample synaptic operations, membrane updates,
    spikes, events delivered, words met, joules (estimate; missing where the chip states none); seconds of training; the
    run's folder.
    Raises RunError where the folder holds no sweep.
    """
    folder = Path(folder)
    read_object(folder / "sweep.json", f"{folder} is no sweep; make one with `neuro sweep … --out {folder}`")
    path = folder / "table.parquet"
    try:
        table = pd.read_parquet(path)
    except FileNotFoundError:
        raise RunError(f"{path} is missing: no run of this sweep has ended; go on with the same command") from None
    except (OSError, ValueError) as error:
        raise RunError(f"{path} is damaged ({error}); the same command writes it again from its database") from None
    if "chip_is" not in table:
        raise RunError(f"{path} is of an earlier neuro: chip_is is missing; the same command writes it again")
    return table
