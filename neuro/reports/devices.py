"""Accuracy over virtual chips, as `neuro evaluate RUN --chips N` kept it: a picture, and parts of the report."""

from __future__ import annotations

import numpy as np

from neuro.errors import RunError
from neuro.evaluation import DeviceEvaluation, load_devices
from neuro.runs import Run
from neuro.runs.picture import BLUE, GREEN, GREY, ORANGE, figure

BINS = 20


def devices_histogram(run: Run):
    """Plot how many virtual chips have which accuracy, beside the chip as described and the yield threshold."""
    found = load_devices(run.folder)
    if found is None:
        raise RunError(
            f"{run.folder} holds no evaluation on virtual chips; make one with `neuro evaluate … --chips 100`"
        )
    fig, ((ax,),) = figure(1, 1, (5, 3.2))
    ax.hist(100 * np.array(found.accuracies), bins=100 * _edges(found), color=BLUE, edgecolor="white", linewidth=0.6)
    for value, colour, style, label in _lines(found):
        ax.axvline(100 * value, color=colour, linestyle=STYLES[style], label=label)
    ax.set(xlabel="accuracy (%)", ylabel="virtual chips")
    ax.yaxis.get_major_locator().set_params(integer=True)
    ax.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    fig.suptitle(f"{run.task.name}: {found.chips} virtual chips of {run.chip.label}, seed {run.seed}", fontsize=9)
    return fig


def devices_figure(found: DeviceEvaluation) -> dict:
    """The same histogram for the report."""
    counts, edges = np.histogram(found.accuracies, _edges(found))
    middle, width = 50 * (edges[1:] + edges[:-1]), 100 * (edges[1] - edges[0])
    bar = {
        "type": "bar",
        "x": middle.round(3).tolist(),
        "y": counts.tolist(),
        "width": float(width),
        "name": "virtual chips",
    }
    top = 1.05 * int(counts.max())
    lines = [
        {
            "type": "scatter",
            "mode": "lines",
            "x": [100 * value] * 2,
            "y": [0, top],
            "name": label,
            "line": {"color": colour, "dash": style, "width": 3},
            "hovertemplate": f"{label}<extra></extra>",
        }
        for value, colour, style, label in _lines(found)
    ]
    count = {"title": {"text": "virtual chips"}, "range": [0, top], "dtick": -(-int(counts.max()) // 6)}
    axes = {"xaxis": {"title": {"text": "accuracy (%)"}}, "yaxis": count}
    return {"data": [{**bar, "marker": {"color": BLUE}}, *lines], "layout": {**axes, "showlegend": True}}


STYLES = {"solid": "-", "dash": "--", "dot": ":"}


def _lines(found: DeviceEvaluation) -> tuple[tuple[float, str, str, str], ...]:
    """Upright lines, each with its accuracy, colour, style and name."""
    reach = f"yield {found.yield_share:.0%} at {found.yield_at:.1%}"
    return (
        (found.mean, ORANGE, "solid", f"mean {found.mean:.1%}"),
        (found.plain, GREEN, "dash", f"as described {found.plain:.1%}"),
        (found.yield_at, GREY, "dot", reach),
    )


def devices_facts(found: DeviceEvaluation) -> list[tuple[str, str]]:
    """Rows for the report's table."""
    of = f"{found.chips} virtual chips of seeds {found.seed} to {found.seed + found.chips - 1}"
    of += f", spreads times {found.scale:g}" if found.scale != 1 else ""
    return [
        (
            "accuracy on virtual chips",
            f"{found.mean:.1%} ± {found.spread:.1%}, {found.worst:.1%} to {found.best:.1%} ({of})",
        ),
        ("yield", f"{found.yield_share:.0%} reach {found.yield_at:.1%} ({found.part} part)"),
    ]


def _edges(found: DeviceEvaluation) -> np.ndarray:
    """Edges of bins of one width, round numbers of percent, around everything that is shown."""
    values = [*found.accuracies, found.plain]
    low, high = min(values), max(values)
    width = max(round(100 * (high - low) / BINS * 2) / 2, 0.5) / 100
    first = np.floor(low / width) * width
    return first + width * np.arange(int(np.ceil((high - first) / width)) + 2)
