"""One picture of a trained network on its chip: learning, synapse memory, and what its neurons do with one sample."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from neuro.data import encode, load_dataset
from neuro.evaluation import NOISE_SEED, usage
from neuro.runs import Run
from neuro.runs.picture import BLUE, GREEN, GREY, ORANGE, figure, save

SHOWN = 120


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
    bins = np.linspace(0, limit + 1, 33) - 0.5 if limit >= 32 else np.arange(limit + 2) - 0.5
    ax.hist([used, sources], bins=bins, color=[BLUE, GREEN], label=["slots used", "distinct sources"])
    ax.axvline(limit + 0.5, color=GREY, linestyle=":")
    ax.set(xlabel=f"per neuron (limit {limit} slots)", ylabel="neurons", title="synapse memory")
    ax.legend(frameon=False, loc="upper left")


def _weights(ax, run: Run) -> None:
    for (name, memory), color in zip(run.network.memories.items(), (BLUE, ORANGE, GREEN, GREY) * 9, strict=False):
        w = memory.weight[memory.weight != 0].numpy()
        values, counts = np.unique(w, return_counts=True)
        ax.vlines(values, 0.5, counts, color=color, linewidth=2, alpha=0.8, label=name)
    ax.set(xlabel="weight (thresholds)", ylabel="connections", yscale="log", title="weights the chip holds")
    ax.legend(frameon=False)


def _cores(ax, run: Run) -> None:
    plan, per_chip = run.network.plan, run.chip.cores.per_chip
    total = run.chip.chips * per_chip
    across = min(total, max(per_chip, 8))
    labels = {core: [] for core in plan.cores}
    for name, places in plan.locations.items():
        for core, n in zip(*np.unique(places[:, :2], axis=0, return_counts=True), strict=True):
            labels[tuple(map(int, core))].append(f"{name}\n{n}")
    shown = min(total, 64)
    for number in range(shown):
        core = divmod(number, per_chip)
        x, y = number % across, -(number // across)
        used = core in labels
        ax.add_patch(_square(x, y, BLUE if used else "#eeeeee"))
        if used:
            ax.text(x + 0.45, y + 0.45, "\n".join(labels[core]), ha="center", va="center", color="white", fontsize=7)
    ax.set(xlim=(-0.2, across), ylim=(-(shown - 1) // across - 0.2, 1.1), aspect="equal")
    ax.set_title(f"{len(plan.cores)} of {total} cores")
    ax.axis("off")


def _square(x: float, y: float, color: str):
    from matplotlib.patches import Rectangle

    return Rectangle((x, y), 0.9, 0.9, color=color)


def _sample(raster, bars, run: Run) -> None:
    part, task, network = load_dataset(run.task.data).test, run.task, run.network
    x = encode(task.encoder, part.x[:1], part.ids[:1], NOISE_SEED, task.tail_steps)
    with torch.inference_mode():
        outputs, record = network(x, record=tuple(task.populations))
    offset = 0
    signals = {next(iter(task.inputs)): x, **record.spikes}
    for (name, z), color in zip(signals.items(), (GREY, BLUE, ORANGE, GREEN) * 9, strict=False):
        t, n = z[:, 0, :SHOWN].nonzero().T.numpy()
        raster.scatter(t, n + offset, s=3, color=color, label=name, linewidths=0)
        offset += min(z.shape[2], SHOWN) + 5
    raster.set(xlabel="time step", ylabel=f"source (first {SHOWN} of each)", title="spikes for one test sample")
    raster.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=4, markerscale=3)
    scores = outputs.sum(0)[0].numpy()
    label = int(part.y[0])
    bars.bar(range(len(scores)), scores, color=[ORANGE if i == label else BLUE for i in range(len(scores))])
    bars.set(
        xlabel="class",
        ylabel="output spikes",
        title=f"read-out: answers {int(scores.argmax())}, true class {label} (orange)",
    )
    bars.set_xticks(range(len(scores)))
