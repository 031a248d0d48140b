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
    lines = (
        (found.mean, ORANGE, "-", "mean"),
        (found.plain, GREEN, "--", "as described"),
        (found.yield_at, GREY, ":", ""),
    )
    for value, colour, style, name in lines:
        label = f"{name} {value:.1%}" if name else f"yield {found.yield_share:.0%} at {value:.1%}"
        ax.axvline(100 * value, color=colour, linestyle=style, label=label)
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
    lines = [
        {
            "type": "line",
            "x0": 100 * x,
            "x1": 100 * x,
            "y0": 0,
            "y1": 1,
            "yref": "paper",
            "line": {"color": c, "dash": dash},
        }
        for x, c, dash in ((found.mean, ORANGE, "solid"), (found.plain, GREEN, "dash"), (found.yield_at, GREY, "dot"))
    ]
    axes = {"xaxis": {"title": {"text": TITLE}}, "yaxis": {"title": {"text": "virtual chips"}}}
    return {"data": [{**bar, "marker": {"color": BLUE}}], "layout": {**axes, "shapes": lines}}


TITLE = "accuracy (%); lines: mean, dashed the chip as described, dotted the yield threshold"


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
