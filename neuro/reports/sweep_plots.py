"""Pictures of a sweep, for papers, from its table."""

from __future__ import annotations

import pandas as pd

from neuro.descriptor import NOT_REAL
from neuro.reports.fronts import MORE_IS_BETTER, finished, over_seeds, pareto, varied
from neuro.runs.picture import COLOURS, GREY, MARKERS, figure

LABELS = {
    "chip_is": "chip is",
    "chip.slots": "slots allowed a neuron",
    "slots_mean": "slots used a neuron",
    "slots": "slots used in all",
    "sources_mean": "distinct sources a neuron",
    "memory_bytes": "bytes of synapse memory",
    "rate": "spikes a neuron and step",
    "synaptic_operations": "synaptic operations a sample",
    "energy_estimate_j": "energy a sample (J, estimate)",
    "test_accuracy": "test accuracy (%)",
    "validation_accuracy": "validation accuracy (%)",
}


def tradeoff(table: pd.DataFrame, x: str = "slots_mean", y: str = "test_accuracy"):
    """Plot one column against another: mean and standard deviation over seeds, a line for each choice of the rest."""
    points = over_seeds(table, x, y)
    keys = [key for key in varied(table) if key != _follows(points, varied(table), x)]
    fig, ((ax,),) = figure(1, 1, (5, 3.4))
    for number, (choice, rows) in enumerate(points.groupby(keys, sort=False) if keys else [((), points)]):
        rows = rows.sort_values(f"{x}_mean")
        colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
        ax.errorbar(
            rows[f"{x}_mean"] * _scale(x),
            rows[f"{y}_mean"] * _scale(y),
            yerr=rows[f"{y}_sd"].fillna(0) * _scale(y),
            xerr=rows[f"{x}_sd"].fillna(0) * _scale(x),
            color=colour,
            marker=marker,
            capsize=3,
            label=", ".join(f"{_short(k)} {v}" for k, v in zip(keys, choice, strict=True)) or None,
        )
        changed = rows[rows.chip_is == NOT_REAL]
        at = changed[f"{x}_mean"] * _scale(x), changed[f"{y}_mean"] * _scale(y)
        ax.plot(*at, marker, color=colour, mfc="white", zorder=3)  # above the line
    ax.set(xlabel=label(x), ylabel=label(y))
    if (points.chip_is == NOT_REAL).any():
        ax.plot([], [], "o", color=GREY, mfc="white", label=f"hollow: {NOT_REAL}")
    if ax.get_legend_handles_labels()[0]:
        ax.legend(frameon=False, fontsize=8)
    most = int(points.runs.max())
    fig.suptitle(f"{table.task.iloc[0]}: {f'mean ± sd of {most} seeds' if most > 1 else 'one seed'}", fontsize=9)
    return fig


def front(table: pd.DataFrame, x: str = "slots_mean", y: str = "test_accuracy"):
    """Plot every complete run in two columns, and the front of those that no other beats in both."""
    rows = finished(table, x, y)
    best = pareto(rows[x], rows[y], x in MORE_IS_BETTER, y in MORE_IS_BETTER)
    fig, ((ax,),) = figure(1, 1, (5, 3.4))
    chips = list(rows.chip.unique())
    for (chip, standing), some in rows.groupby(["chip", "chip_is"], sort=False):
        number, hollow = chips.index(chip), standing == NOT_REAL
        marker, colour = MARKERS[number % len(MARKERS)], COLOURS[number % len(COLOURS)]
        look = {"color": colour, "alpha": 0.6, "label": f"{chip} ({standing})" if hollow else chip}
        ax.plot(some[x] * _scale(x), some[y] * _scale(y), marker, **look, **({"mfc": "none"} if hollow else {}))
    along = rows[best].sort_values(x)
    ax.plot(along[x] * _scale(x), along[y] * _scale(y), color=GREY, zorder=0, label="front")
    ax.set(xlabel=label(x), ylabel=label(y))
    ax.legend(frameon=False, fontsize=8)
    fig.suptitle(f"{table.task.iloc[0]}: {int(best.sum())} of {len(rows)} runs are beaten by none", fontsize=9)
    return fig


def label(column: str) -> str:
    """A column's name on an axis."""
    return LABELS.get(column, column.replace("_", " "))


def _scale(column: str) -> float:
    return 100 if column.endswith("accuracy") else 1


def _short(key: str) -> str:
    return key.removeprefix("task.").removeprefix("chip.").removeprefix("populations.")


def _follows(points: pd.DataFrame, keys: list[str], x: str) -> str | None:
    """The varied key that x goes along with most: lines run along it, not across."""
    known = [k for k in keys if pd.api.types.is_numeric_dtype(points[k]) and points[k].nunique() > 1]
    ranks = {k: abs(points[k].rank().corr(points[f"{x}_mean"].rank())) for k in known}
    return max(ranks, key=ranks.get) if ranks else None


SWEEP_PLOTS = {
    "accuracy_slots": lambda table: tradeoff(table, "slots_mean"),
    "accuracy_sources": lambda table: tradeoff(table, "sources_mean"),
    "front_slots": lambda table: front(table, "slots_mean"),
    "front_bytes": lambda table: front(table, "memory_bytes"),
    "front_operations": lambda table: front(table, "synaptic_operations"),
}
