"""Pictures of one run, for papers: each function gives a figure that `save` writes as PNG, SVG or PDF."""

from __future__ import annotations

import numpy as np

from neuro.evaluation import usage
from neuro.reports.codes import WHAT, signed_codes
from neuro.reports.memory import core_words
from neuro.reports.sample import activity
from neuro.runs import Run
from neuro.runs.picture import BLUE, COLOURS, GREEN, GREY, ORANGE, figure

SHOWN, MOST_BARS = 200, 130


def learning_curves(run: Run):
    """Plot loss and accuracy of training and validation against epochs."""
    metrics = run.metrics
    epochs = [m["epoch"] for m in metrics]
    fig, ((loss, accuracy),) = figure(1, 2, (7, 2.8))
    for part, colour, style in (("train", BLUE, "-"), ("validation", ORANGE, "--")):
        loss.plot(epochs, [m[f"{part}_loss"] for m in metrics], style, color=colour, label=part)
        accuracy.plot(epochs, [100 * m[f"{part}_accuracy"] for m in metrics], style, color=colour, label=part)
    loss.set(xlabel="epoch", ylabel="loss")
    accuracy.set(xlabel="epoch", ylabel="accuracy (%)")
    accuracy.legend(frameon=False)
    return _titled(fig, run)


def slots_histogram(run: Run):
    """Plot how many neurons use how many slots and hear how many distinct sources, beside the limit."""
    used, sources = usage(run.network)
    limit = run.chip.weights.slots
    fig, ((ax,),) = figure(1, 1, (4.5, 3))
    draw_usage(ax, used, sources)
    if limit:
        ax.axvline(limit + 0.5, color=GREY, linestyle=":", label=f"limit {limit}")
    ax.set(xlabel="per neuron", ylabel="neurons")
    ax.legend(frameon=False)
    return _titled(fig, run)


def draw_usage(ax, used: np.ndarray, sources: np.ndarray) -> None:
    """Draw two histograms one over the other; each bar stands at the numbers it counts, the last ends at the largest."""
    most = max(int(used.max()), int(sources.max()), 1)
    width = -(-(most + 1) // MOST_BARS)
    bins = most + 0.5 - width * np.arange(-(-(most + 1) // width), -1, -1)
    for values, colour, name in ((used, BLUE, "slots used"), (sources, GREEN, "distinct sources")):
        ax.hist(values, bins=bins, color=colour, alpha=0.7, label=name)


def codes_histogram(run: Run):
    """Plot how often each weight code stands in the synapse memories, by population."""
    fig, ((ax,),) = figure(1, 1, (4.5, 3))
    memories = list(run.network.memories)
    for place, (name, colour) in enumerate(zip(memories, COLOURS * 9, strict=False)):
        values, counts = signed_codes(run.network, name)
        width = 0.8 / len(memories)
        ax.bar(values + (place - (len(memories) - 1) / 2) * width, counts, width, color=colour, label=name)
    ax.set(xlabel=WHAT[run.chip.weights.kind][0], ylabel="connections", yscale="log")
    ax.set_ylim(bottom=0.5)
    ax.legend(frameon=False)
    return _titled(fig, run)


def raster(run: Run, sample: int = 0):
    """Plot every spike of one test sample: inputs, then each population, one row a source."""
    done = activity(run, sample)
    sizes = [min(z.shape[1], SHOWN) for z in done.signals.values()]
    fig, axes = figure(len(sizes), 1, (6, 5), sharex=True, height_ratios=[max(s, 15) for s in sizes])
    for ax, (name, z), colour in zip(axes[:, 0], done.signals.items(), COLOURS * 9, strict=False):
        t, n = z[:, :SHOWN].nonzero()
        ax.scatter(t, n, s=6, marker="|", color=colour, linewidths=1)
        of = f" of {z.shape[1]}" if z.shape[1] > SHOWN else ""
        ax.set(ylabel=f"{name}\n{min(z.shape[1], SHOWN)}{of}", ylim=(-1, min(z.shape[1], SHOWN)))
        ax.set_xlim(-0.5, len(z) - 0.5)
    axes[-1, 0].set_xlabel(f"time step ({1000 * run.task.dt_s:g} ms)")
    return _titled(fig, run, f"test sample {sample}, class {done.label}")


def membranes(run: Run, population: str | None = None, neurons: int = 4, sample: int = 0):
    """Plot the membranes that move most in a population (default: the first) with threshold and spikes."""
    done = activity(run, sample)
    name = next(iter(done.membranes)) if population is None else population
    v, z = done.membranes[name], done.signals[name]
    chosen = np.sort(np.argsort(-v.std(0), kind="stable")[:neurons])
    fig, axes = figure(len(chosen), 1, (6, 1 + 1.1 * len(chosen)), sharex=True)
    threshold = run.task.populations[name].threshold
    for ax, n in zip(axes[:, 0], chosen, strict=True):
        ax.plot(v[:, n], color=BLUE, drawstyle="steps-post")
        ax.axhline(threshold, color=GREY, linestyle=":")
        ax.plot(np.flatnonzero(z[:, n]), np.full(int(z[:, n].sum()), threshold), "v", color=ORANGE, markersize=4)
        ax.set_ylabel(f"{name} {n}")
    axes[-1, 0].set_xlabel(f"time step ({1000 * run.task.dt_s:g} ms); orange: spikes, dotted: threshold")
    return _titled(fig, run, f"membranes, test sample {sample}")


def connectivity(run: Run):
    """Plot how many synapse words each core spends on inputs and on every core's neurons."""
    targets, sources, counts = core_words(run.network)
    fig, ((ax,),) = figure(1, 1, (2.5 + 0.7 * len(sources), 1.8 + 0.45 * len(targets)))
    image = ax.imshow(counts, cmap="cividis", aspect="auto")
    ax.set_xticks(range(len(sources)), sources, rotation=45, ha="right")
    ax.set_yticks(range(len(targets)), targets)
    ax.set(xlabel="source", ylabel="listening core")
    if counts.size <= 200:
        for (row, column), count in np.ndenumerate(counts):
            dark = count < (counts.max() + counts.min()) / 2
            ax.text(column, row, f"{count}", ha="center", va="center", fontsize=8, color="white" if dark else "black")
    fig.colorbar(image, label="synapse words")
    return _titled(fig, run)


def _titled(fig, run: Run, more: str = ""):
    fig.suptitle(f"{run.task.name} on {run.chip.label}, seed {run.seed}{f'; {more}' if more else ''}", fontsize=9)
    return fig


RUN_PLOTS = {
    "learning_curves": learning_curves,
    "slots": slots_histogram,
    "codes": codes_histogram,
    "raster": raster,
    "membranes": membranes,
    "connectivity": connectivity,
}
