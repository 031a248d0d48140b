"""One picture of a configuration: cores in use, words a neuron spends, who talks to whom, and how many tags are taken."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from neuro.runs.picture import BLUE, GREY, ORANGE, figure, save
from neuro.tables import Joined, Tables

SHOWN = 64  # cores; the rest of a large board is left out, and the picture says so
EMPTY = "#eeeeee"
ACROSS = 16  # neurons of a core in a row, as on DYNAP-SE


def plot_configuration(tables: Tables, path: str | Path) -> None:
    """Plot core occupancy, slot usage of every neuron, traffic between cores, and tags in use; from tables alone."""
    joined = Joined(tables)
    neurons = tables.frames["neurons"]
    cores = sorted(set(zip(neurons["chip"], neurons["core"], strict=True)))
    shown = cores[:SHOWN]
    fig, axes = figure(2, 2, (13, 11))
    _occupancy(fig, axes[0, 0], tables, shown)
    _slots(fig, axes[0, 1], joined, shown)
    _traffic(fig, axes[1, 0], joined, shown)
    _tags(axes[1, 1], joined, shown)
    left_out = f"; the first {SHOWN} of {len(cores)} cores" if len(cores) > SHOWN else ""
    fig.suptitle(f"{tables.chip.title}\n{tables.chip.label}{left_out}", fontsize=11)
    save(fig, path)


def _occupancy(fig, ax, tables: Tables, shown: list[tuple[int, int]]) -> None:
    """Neurons in use of every core: a row a chip, a column a core."""
    chip, neurons = tables.chip, tables.frames["neurons"]
    chips = sorted({p.chip for p in tables.manifest.chips} & {c for c, _ in shown}) or [0]
    columns = min(chip.cores.per_chip, SHOWN)
    counts = neurons.groupby(["chip", "core"]).size()
    used = np.array([[counts.get((c, k), 0) for k in range(columns)] for c in chips])
    image = ax.imshow(used, cmap="Blues", vmin=0, vmax=chip.cores.neurons, aspect="auto")
    for (y, x), n in np.ndenumerate(used):
        if used.size <= SHOWN and n:
            dark = n > 0.6 * chip.cores.neurons
            ax.text(x, y, str(n), ha="center", va="center", fontsize=8, color="white" if dark else "black")
    ax.set(xlabel="core", ylabel="chip", title=f"neurons in use, of {chip.cores.neurons} a core")
    ax.set_yticks(range(len(chips)), [str(c) for c in chips])
    fig.colorbar(image, ax=ax, shrink=0.8)


def _slots(fig, ax, joined: Joined, shown: list[tuple[int, int]]) -> None:
    """Words of every neuron, cores side by side, each a block of 16 neurons a row; grey where no neuron is."""
    chip = joined.chip
    words = joined.words.groupby(["chip", "core", "neuron"]).size()
    limit = chip.weights.slots or int(words.max() if len(words) else 1)
    rows = math.ceil(chip.cores.neurons / ACROSS)
    side = math.ceil(math.sqrt(len(shown)))
    picture = np.full((math.ceil(len(shown) / side) * (rows + 1), side * (ACROSS + 1)), np.nan)
    for place, (c, k) in enumerate(shown):
        top, left = place // side * (rows + 1), place % side * (ACROSS + 1)
        here = joined.neurons[(joined.neurons["chip"] == c) & (joined.neurons["core"] == k)]
        for n in here["neuron"]:
            picture[top + n // ACROSS, left + n % ACROSS] = words.get((c, k, n), 0)
        if len(shown) <= 16:
            ax.text(left, top + rows - 0.2, f"chip {c} core {k}", fontsize=7, color=GREY, va="center")
    ax.set_facecolor(EMPTY)
    image = ax.imshow(np.ma.masked_invalid(picture), cmap="viridis", vmin=0, vmax=limit, interpolation="nearest")
    ax.set(title=f"words in use, of {limit} a neuron", xticks=[], yticks=[])
    fig.colorbar(image, ax=ax, shrink=0.8)


def _traffic(fig, ax, joined: Joined, shown: list[tuple[int, int]]) -> None:
    """How many sources of one core (or input) a core hears: what their spikes travel."""
    from matplotlib.colors import LogNorm

    index = {core: i for i, core in enumerate(shown)}
    inputs = [entry.name for entry in joined.manifest.inputs]
    home = {int(n.source): index.get((n.chip, n.core)) for n in joined.neurons.itertuples(index=False)}
    first = np.cumsum([0, *joined.channels])
    table = np.zeros((len(inputs) + len(shown), len(shown)))
    sent = joined.deliveries[["source", "chip", "core"]].drop_duplicates()
    for source, c, k in sent.itertuples(index=False):
        if source < joined.inputs:
            row = int(np.searchsorted(first, source, side="right")) - 1
        else:
            row = None if home[source] is None else len(inputs) + home[source]
        if row is not None and (c, k) in index:
            table[row, index[c, k]] += 1
    names = [f"{c}.{k}" for c, k in shown]
    norm = LogNorm(vmin=1, vmax=max(2.0, table.max()))
    ax.set_facecolor(EMPTY)
    image = ax.imshow(np.ma.masked_equal(table, 0), cmap="magma", norm=norm, interpolation="nearest")
    ax.set(xlabel="to chip.core", ylabel="from input or chip.core", title="sources a core hears")
    if len(shown) <= 32:
        ax.set_xticks(range(len(shown)), names, fontsize=7, rotation=90)
        ax.set_yticks(range(len(table)), [*inputs, *names], fontsize=7)
    fig.colorbar(image, ax=ax, shrink=0.8)


def _tags(ax, joined: Joined, shown: list[tuple[int, int]]) -> None:
    """Sources every core tells apart, against its tags (or axons)."""
    chip = joined.chip
    limit = chip.cores.axons or 2**chip.tags.bits - len(chip.tags.forbidden)
    heard = joined.deliveries.groupby(["chip", "core"])["tag"].nunique()
    counts = [int(heard.get(core, 0)) for core in shown]
    ax.bar(range(len(shown)), counts, color=BLUE)
    ax.axhline(limit, color=ORANGE, linestyle=":")
    title = f"sources each core tells apart, of {limit} {'axons' if chip.cores.axons else 'tags'} (dotted)"
    ax.set(xlabel="chip.core", ylabel="sources", title=title, yscale="log", ylim=(0.8, 1.3 * max(limit, *counts)))
    if len(shown) <= 32:
        ax.set_xticks(range(len(shown)), [f"{c}.{k}" for c, k in shown], fontsize=7, rotation=90)
