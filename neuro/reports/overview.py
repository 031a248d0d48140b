"""One picture of a trained network on its chip: learning, synapse memory, and what its neurons do with one sample."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from neuro.data import load_dataset
from neuro.evaluation import usage
from neuro.reports.run_plots import draw_usage
from neuro.reports.sample import Activity, activity
from neuro.runs import Run
from neuro.runs.picture import BLUE, GREEN, GREY, ORANGE, figure, save

SHOWN, SHOWN_CORES, TRIED = 120, 64, 50


def plot_overview(run: Run, path: str | Path) -> None:
    """Plot accuracy over epochs, slots per neuron, word codes, cores in use, a raster and the read-out of one sample."""
    fig, axes = figure(2, 3, (13, 7))
    _accuracy(axes[0, 0], run)
    _slots(axes[0, 1], run)
    _weights(axes[0, 2], run)
    _cores(axes[1, 0], run)
    _sample(axes[1, 1], axes[1, 2], run)
    fig.suptitle(f"{run.task.title}\n{run.chip.title}: {run.chip.label}, seed {run.seed}", fontsize=11)
    save(fig, path)


def _accuracy(ax, run: Run) -> None:
    metrics = run.metrics
    epochs = [m["epoch"] for m in metrics]
    ax.plot(epochs, [100 * m["train_accuracy"] for m in metrics], color=BLUE, label="training")
    ax.plot(epochs, [100 * m["validation_accuracy"] for m in metrics], color=ORANGE, label="validation")
    ax.set(xlabel="epoch", ylabel="accuracy (%)", title="learning, inside the chip's limits")
    ax.legend(frameon=False, loc="lower right")


def _slots(ax, run: Run) -> None:
    used, sources = usage(run.network)
    limit = run.chip.weights.slots or int(used.max())
    draw_usage(ax, used, sources)
    ax.axvline(limit + 0.5, color=GREY, linestyle=":")
    ax.set(xlabel=f"per neuron (limit {limit} slots)", ylabel="neurons", title="synapse memory")
    ax.legend(frameon=False, loc="upper left")


def _weights(ax, run: Run) -> None:
    for (name, memory), color in zip(run.network.memories.items(), (BLUE, ORANGE, GREEN, GREY) * 9, strict=False):
        w = memory.weight[memory.weight != 0].numpy()
        values, counts = np.unique(w, return_counts=True)
        ax.vlines(values, 0.5, counts, color=color, linewidth=2, alpha=0.8, label=name)
    ax.set(xlabel="weight (thresholds)", ylabel="connections", yscale="log", title="weights the chip holds")
    ax.set_ylim(top=10 * ax.get_ylim()[1])  # room for the legend
    ax.legend(frameon=False, loc="upper center", ncols=3)


def _cores(ax, run: Run) -> None:
    plan, chip = run.network.plan, run.chip
    per_chip, across = chip.cores.per_chip, chip.board.columns
    side = math.ceil(math.sqrt(per_chip))
    labels = {core: [] for core in plan.cores}
    for name, places in plan.locations.items():
        for core, n in zip(*np.unique(places[:, :2], axis=0, return_counts=True), strict=True):
            labels[tuple(map(int, core))].append(f"{name}\n{n}")
    chips = max(1, min(chip.chips, SHOWN_CORES // per_chip))
    for number in range(chips):
        left, top = (number % across) * (side + 0.6), -(number // across) * (side + 0.9)
        for core in range(min(per_chip, SHOWN_CORES)):
            x, y, used = left + core % side, top - core // side, (number, core) in labels
            ax.add_patch(_square(x, y, BLUE if used else "#eeeeee"))
            if used:
                words = "\n".join(labels[number, core])
                ax.text(x + 0.45, y + 0.45, words, ha="center", va="center", color="white", fontsize=7)
        if chip.chips > 1:
            ax.text(left, top + 1.0, f"chip {number}", fontsize=8, color=GREY, va="bottom")
    rows = math.ceil(chips / across)
    bottom = -(rows - 1) * (side + 0.9) - math.ceil(min(per_chip, SHOWN_CORES) / side) + 0.9
    ax.set(xlim=(-0.2, min(chips, across) * (side + 0.6)), ylim=(bottom, 1.6), aspect="equal")
    ax.set_title(f"{len(plan.cores)} of {chip.chips * per_chip} cores")
    ax.axis("off")


def _square(x: float, y: float, color: str):
    from matplotlib.patches import Rectangle

    return Rectangle((x, y), 0.9, 0.9, color=color)


def _sample(raster, bars, run: Run) -> None:
    done = _answered(run)
    offset = 0
    for (name, z), color in zip(done.signals.items(), (GREY, BLUE, ORANGE, GREEN) * 9, strict=False):
        t, n = z[:, :SHOWN].nonzero()
        raster.scatter(t, n + offset, s=3, color=color, label=name, linewidths=0)
        offset += min(z.shape[1], SHOWN) + 5
    raster.set(xlabel="time step", ylabel=f"source (first {SHOWN} of each)", title="spikes of a test sample")
    raster.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=4, markerscale=3)
    scores, label = done.outputs.sum(0), _class_of(run, done)
    bars.bar(range(len(scores)), scores, color=[ORANGE if i == label else BLUE for i in range(len(scores))])
    bars.set(
        xlabel="class",
        ylabel="output spikes",
        title=f"read-out: answers {int(scores.argmax())}, true class {label} (orange)",
    )
    bars.set_xticks(range(len(scores)))


def _answered(run: Run) -> Activity:
    """The first of the test samples that is answered rightly, or the first of all where the first few are not."""
    most = min(len(load_dataset(run.task.data).test), TRIED)
    tried = (activity(run, number) for number in range(most))
    return next((done for done in tried if done.outputs.sum(0).argmax() == _class_of(run, done)), activity(run))


def _class_of(run: Run, done: Activity) -> int:
    """A sample's class; where every step has one, the commonest."""
    y = load_dataset(run.task.data).test.y[done.number]
    return int(np.bincount(y[y >= 0]).argmax()) if y.ndim else int(y)
