"""What the report of a sweep says: the best runs, and every run with its figures for the page to draw and filter."""

from __future__ import annotations

import shlex
from pathlib import Path

import pandas as pd

from neuro.descriptor import NOT_REAL, REAL
from neuro.errors import NeuroError
from neuro.reports.fronts import MORE_IS_BETTER, varied
from neuro.reports.proof import proof_of
from neuro.reports.sweep_plots import LABELS, label
from neuro.runs import load_run
from neuro.runs.files import read_object
from neuro.sweeps import load_sweep
from neuro.sweeps.definition import Definition, definition_from_json

FIGURES = (
    *("test_accuracy", "validation_accuracy", "test_loss", "slots_mean", "sources_mean", "memory_bytes", "neurons"),
    *("cores", "routes", "rate", "synaptic_operations", "spikes", "energy_estimate_j", "seconds"),
)


def sweep_page(folder: Path, progress=None) -> dict:
    """Lay out a sweep, and verify its best run: the values its page is filled with."""
    path = folder / "sweep.json"
    definition = definition_from_json(read_object(path, f"{folder} is no sweep"), str(path))
    table = load_sweep(folder)
    done, by_chip = table[table.state == "complete"], table.groupby("chip", sort=False)
    states = ", ".join(f"{n} {state}" for state, n in table.state.value_counts().items())
    exceeded = int(done.violations.sum()) if len(done) else 0
    kept = "good" if len(done) and not exceeded else "bad"
    changed = int((table.chip_is == NOT_REAL).sum())
    states += f"; {changed} on what is {NOT_REAL}" if changed else ""
    return {
        "kind": "sweep",
        "title": f"{table.task.iloc[0]} on {', '.join(_chip(name, rows) for name, rows in by_chip)}",
        "subtitle": f"{len(table)} runs over {', '.join([*varied(table), 'seed'])}",
        "verdict": [
            _best(done, definition),
            ("fits", "yes" if kept == "good" else "no", f"{exceeded} limits exceeded", kept),
            ("verified", *_verified(done, folder, progress)),
            ("runs", f"{len(table)}", states, "plain"),
        ],
        "limits": [],
        "facts": [],
        "figures": [],
        "reproduce": _reproduce(definition, folder),
        "data": _data(table, folder),
    }


def _chip(name: str, rows: pd.DataFrame) -> str:
    """A chip's name, with what it is where it is changed in all runs or some."""
    changed = rows.chip_is == NOT_REAL
    return f"{name} ({'' if changed.all() else 'in part '}{NOT_REAL})" if changed.any() else name


def _best(done: pd.DataFrame, definition: Definition) -> tuple[str, str, str, str]:
    if done.empty:
        return ("accuracy", "none", "no run has come through", "bad")
    best = done.loc[done.validation_accuracy.idxmax()]
    words = f"on test, of the best on validation: {best.run}, {best.slots_mean:.1f} slots used a neuron"
    if best.chip_is == NOT_REAL:
        keys = [axis.key for axis in definition.space.axes if axis.key.startswith("chip.")]
        changes = [*(f"{key}={best[key]}" for key in keys), *(s for s in definition.settings if s.startswith("chip."))]
        words += f"; {NOT_REAL}: {', '.join(changes)}"
    return ("accuracy", f"{best.test_accuracy:.1%}", words, "plain")


def _verified(done: pd.DataFrame, folder: Path, progress) -> tuple[str, str, str]:
    """What verifying the best run finds."""
    if done.empty:
        return "no", "no run has come through", "bad"
    best = done.run[done.validation_accuracy.idxmax()]
    try:
        value, words, mood = proof_of(load_run(folder / best), progress)
    except NeuroError as error:  # no data here, or a float twin, which has no tables
        return "not now", f"{best}: {error}", "plain"
    return value, f"{best}: {words}", mood


def _data(table: pd.DataFrame, folder: Path) -> dict:
    """The table for the page's script, missing values as null."""
    keys = varied(table)
    shown = [c for c in FIGURES if c in table and table[c].notna().any()]
    columns = ["run", "state", "reason", "chip", "chip_is", *(k for k in keys if k != "chip"), "seed", *shown]
    rows = table[columns].astype(object).where(table[columns].notna(), None)
    reports = [run for run in table.run if (folder / run / "report.html").exists()]
    differ = [key for key in ("chip_is", "seed") if table[key].nunique() > 1]
    return {
        "columns": columns,
        "real": REAL,
        "not_real": NOT_REAL,
        "labels": {c: label(c) if c in LABELS else c.replace("_", " ") for c in columns},
        "keys": [*keys, *differ],
        "figures": shown,
        "more": [c for c in shown if c in MORE_IS_BETTER],
        "rows": [[_plain(value) for value in row] for row in rows.itertuples(index=False)],
        "reports": reports,
        "folder": str(folder),
    }


def _plain(value):
    value = value.item() if hasattr(value, "item") else value
    return float(f"{value:.6g}") if isinstance(value, float) else value


def _reproduce(definition: Definition, folder: Path) -> list[tuple[str, str]]:
    words = ["neuro", "sweep", definition.task]
    words += [w for chip in definition.space.chips for w in ("--chip", chip)]
    words += [w for axis in definition.space.axes for w in ("--over", f"{axis.key}={','.join(axis.values)}")]
    words += [w for text in definition.settings for w in ("--set", text)]
    words += ["--seeds", str(definition.space.seeds)] if definition.space.seeds > 1 else []
    if definition.objectives:
        words += ["--optimize", ",".join(definition.objectives), "--trials", str(definition.trials)]
        words += [] if definition.prune else ["--no-prune"]
    elif definition.prune:
        words += ["--prune"]
    made = read_object(folder / "sweep.json", "the versions are unknown").get("made", {})
    return [
        ("command", shlex.join([*words, "--out", "sweeps/again"])),
        ("made with", ", ".join(f"{name} {version}" for name, version in made.items())),
        ("folder", str(folder)),
        ("to verify any of its runs", f"neuro verify {folder}/runs/0000"),
    ]
