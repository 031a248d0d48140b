"""One picture of what a task's encoder makes of its data: samples of different classes, as events over time."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from neuro.data import load_dataset, make_batch
from neuro.evaluation import NOISE_SEED
from neuro.runs.picture import BLUE, GREY, ORANGE, figure, save
from neuro.task import Task

SHOWN = 4


def plot_encoding(task: Task, path: str | Path) -> None:
    """Plot four training samples, of four classes where labels are per sample, as they reach the network.

    Above each its events, every dot one event of a channel in a step; below the events a step over all channels, and,
    where every step has a label, which one.
    """
    part = load_dataset(task.data).train
    rows = _of_different_classes(part.y)
    x, labels = make_batch(task, part, rows, NOISE_SEED)
    inputs = x if isinstance(x, dict) else {next(iter(task.inputs)): x}
    fig, axes = figure(2, len(rows), (3.4 * len(rows), 5.6), sharey="row")
    for column in range(len(rows)):
        _raster(axes[0, column], inputs, column)
        _activity(axes[1, column], inputs, labels, column)
        label = "" if labels.dim() > 1 else f", class {int(labels[column])}"
        axes[0, column].set_title(f"sample {int(part.ids[rows[column]])}{label}", fontsize=10)
        for ax in axes[:, column]:
            ax.set_xlim(-0.5, task.steps - 0.5)
            ax.yaxis.get_major_locator().set_params(integer=True)
    axes[0, 0].set(ylabel=f"channel ({', '.join(f'{name} {n}' for name, n in task.inputs.items())})")
    axes[1, 0].set(ylabel="events a step", ylim=(0, None))
    share = float(np.mean([float(z.mean()) for z in inputs.values()]))
    fig.suptitle(
        f"{task.name}: {task.data.dataset} encoded as {task.encoder.kind}, {task.encoder.steps} steps of "
        f"{1e3 * task.dt_s:g} ms and {task.tail_steps} empty ones; {share:.1%} of places hold an event",
        fontsize=11,
    )
    save(fig, path)


def _of_different_classes(y: np.ndarray) -> np.ndarray:
    if y.ndim > 1:
        return np.arange(min(SHOWN, len(y)))
    return np.array([int((y == label).argmax()) for label in np.unique(y)[:SHOWN]])


def _raster(ax, inputs: dict, column: int) -> None:
    offset = 0
    for (_, z), color in zip(inputs.items(), (BLUE, ORANGE) * len(inputs), strict=False):
        t, n = z[:, column].nonzero().T.numpy()
        ax.scatter(t, n + offset, s=4 if z.shape[2] < 200 else 1, color=color, linewidths=0)
        offset += z.shape[2]
    ax.set_ylim(-0.5, offset - 0.5)


def _activity(ax, inputs: dict, labels, column: int) -> None:
    total = sum(z[:, column].sum(1) for z in inputs.values()).numpy()
    edges = np.arange(len(total) + 1) - 0.5
    ax.stairs(total, edges, fill=True, color=GREY, linewidth=0)
    ax.set(xlabel="time step")
    if labels.dim() > 1:
        named = np.where(labels[:, column] >= 0, labels[:, column], np.nan)
        beside = ax.twinx()
        beside.plot(named, color=ORANGE, linewidth=1.5, drawstyle="steps-mid")
        beside.set_ylabel("label of the step", color=ORANGE)
        beside.set_ylim(-0.5, np.nanmax(named) + 0.5)
