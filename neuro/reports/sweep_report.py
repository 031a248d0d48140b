"""What the report of a sweep says: the best runs, and every run with its figures for the page to draw and filter."""

from __future__ import annotations

import shlex
from pathlib import Path

import pandas as pd

from neuro.reports.fronts import MORE_IS_BETTER, varied
from neuro.reports.sweep_plots import LABELS, label
from neuro.runs.files import read_object
from neuro.sweeps import load_sweep
from neuro.sweeps.definition import Definition, definition_from_json

FIGURES = (
    *("test_accuracy", "validation_accuracy", "test_loss", "slots_mean", "sources_mean", "memory_bytes", "neurons"),
    *("cores", "routes", "rate", "synaptic_operations", "spikes", "energy_estimate_j", "seconds"),
)


def sweep_page(folder: Path) -> dict:
    """Lay out a sweep: the values its page is filled with."""
    path = folder / "sweep.json"
    definition = definition_from_json(read_object(path, f"{folder} is no sweep"), str(path))
    table = load_sweep(folder)
    done = table[table.state == "complete"]
    states = ", ".join(f"{n} {state}" for state, n in table.state.value_counts().items())
    exceeded = int(done.violations.sum()) if len(done) else 0
    kept = "good" if len(done) and not exceeded else "bad"
    return {
        "kind": "sweep",
        "title": f"{table.task.iloc[0]} on {', '.join(table.chip.unique())}",
        "subtitle": f"{len(table)} runs over {', '.join([*varied(table), 'seed'])}",
        "verdict": [_best(done), ("fits", "yes" if kept == "good" else "no", f"{exceeded} limits exceeded", kept)]
        + [("runs", f"{len(table)}", states, "plain")],
        "limits": [],
        "facts": [("every complete run can be proved", f"neuro verify {folder}/{done.run.iloc[0]}")]
        if len(done)
        else [],
        "figures": [],
        "reproduce": _reproduce(definition, folder),
        "data": _data(table, folder),
    }


def _best(done: pd.DataFrame) -> tuple[str, str, str, str]:
    if done.empty:
        return ("accuracy", "none", "no run has come through", "bad")
    best = done.loc[done.validation_accuracy.idxmax()]
    words = f"on test, of the best on validation: {best.run}, {best.slots_mean:.1f} slots a neuron"
    return ("accuracy", f"{best.test_accuracy:.1%}", words, "plain")


def _data(table: pd.DataFrame, folder: Path) -> dict:
    """The table for the page's script, missing values as null."""
    keys = varied(table)
    shown = [c for c in FIGURES if c in table and table[c].notna().any()]
    columns = ["run", "state", "reason", "chip", *(k for k in keys if k != "chip"), "seed", *shown]
    rows = table[columns].astype(object).where(table[columns].notna(), None)
    reports = [run for run in table.run if (folder / run / "report.html").exists()]
    return {
        "columns": columns,
        "labels": {c: label(c) if c in LABELS else c.replace("_", " ") for c in columns},
        "keys": [*keys, "seed"] if table.seed.nunique() > 1 else keys,
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
    ]
