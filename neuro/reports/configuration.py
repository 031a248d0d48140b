"""One picture of a configuration: cores in use, words a neuron spends, who talks to whom, and how many tags are taken."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from neuro.reports.cores import SHOWN, CoreGrid, by_core, core_grid, traffic
from neuro.runs.picture import BLUE, GREY, ORANGE, figure, save
from neuro.tables import Joined, Tables

EMPTY = "#dddddd"
FRAMED, NUMBERED = 64, 256  # most chips that are framed and named, most cells with numbers
MUCH = 20  # a limit so many times above what there is would leave bars that cannot be seen
ACROSS = 16  # neurons of a core in a row, as on DYNAP-SE


def plot_configuration(tables: Tables, path: str | Path) -> None:
    """Plot core occupancy, slot usage of every neuron, traffic between cores, and tags in use; from tables alone.

    On boards with more than 64 cores in use, slots and tags are shown by core, and traffic between groups of cores.
    """
    joined = Joined(tables)
    neurons = tables.frames["neurons"]
    cores = sorted(set(zip(neurons["chip"], neurons["core"], strict=True)))
    fig, axes = figure(2, 2, (13, 11))
    grid = core_grid(tables)
    _occupancy(fig, axes[0, 0], joined, grid)
    if len(cores) <= SHOWN:
        _slots(fig, axes[0, 1], joined, cores)
        _tags(axes[1, 1], joined, cores)
    else:
        _slots_of_cores(fig, axes[0, 1], joined, grid)
        _tags_of_cores(fig, axes[1, 1], joined, grid)
    _traffic(fig, axes[1, 0], joined)
    fig.suptitle(f"{tables.chip.title}\n{tables.chip.label}: {len(cores)} cores in use", fontsize=11)
    save(fig, path)


def _occupancy(fig, ax, joined: Joined, grid: CoreGrid) -> None:
    """Neurons in use of every core, each a cell where it stands on the board."""
    chip = joined.chip
    picture = grid.filled(by_core(joined.neurons))
    image = _cells(ax, picture, "Blues", chip.cores.neurons)
    _frames(ax, chip, grid)
    for (y, x), n in np.ndenumerate(picture):
        if picture.size <= SHOWN and n > 0:
            dark = n > 0.6 * chip.cores.neurons
            ax.text(x, y, f"{n:g}", ha="center", va="center", fontsize=8, color="white" if dark else "black")
    title = f"neurons in use, of {chip.cores.neurons} a core; {_where(chip)}\n(grey: empty cores)"
    ax.set_title(title, pad=18 if chip.chips > 1 else None)  # above the chips' names
    fig.colorbar(image, ax=ax, shrink=0.8, label="neurons")


def _frames(ax, chip, grid: CoreGrid) -> None:
    """A frame and a name for every chip of a small board."""
    from matplotlib.patches import Rectangle

    if not 1 < chip.chips <= FRAMED:
        return
    for number in range(chip.chips):
        rows, columns = zip(*(grid.places[number, k] for k in range(chip.cores.per_chip)), strict=True)
        top, left = min(rows) - 0.5, min(columns) - 0.5
        size = max(columns) + 0.5 - left, max(rows) + 0.5 - top
        ax.add_patch(Rectangle((left, top), *size, fill=False, edgecolor=GREY, linewidth=1.2, clip_on=False, zorder=3))
        ax.text(left, top - 0.08, f"chip {number}", fontsize=8, color=GREY, va="bottom")


def _cells(ax, picture: np.ndarray, colours: str, most: float):
    """A heat map of cores: empty ones are grey, cells where none stands keep the paper's white."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    clear = ListedColormap(colormaps[colours](np.linspace(0.15, 1, 256))).with_extremes(under=EMPTY)
    least = min(0.5, most / 512)
    image = ax.imshow(np.ma.masked_invalid(picture), cmap=clear, vmin=least, vmax=most, interpolation="nearest")
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    if max(picture.shape) <= 80:  # so that cores are told from each other
        ax.set_xticks(np.arange(picture.shape[1] + 1) - 0.5, minor=True)
        ax.set_yticks(np.arange(picture.shape[0] + 1) - 0.5, minor=True)
        ax.grid(which="minor", color="white", linewidth=1)
        ax.tick_params(which="minor", length=0)
    return image


def _where(chip) -> str:
    board = f"{chip.board.columns} × {chip.board.rows} chips" if chip.chips > 1 else "one chip"
    return f"{board} of {chip.cores.per_chip} cores"


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
    most = f", of {limit} a neuron" if chip.weights.slots else " a neuron"
    ax.set(title=f"words in use{most}\n(grey: no neuron)", xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    fig.colorbar(image, ax=ax, shrink=0.8, label="words")


def _slots_of_cores(fig, ax, joined: Joined, grid: CoreGrid) -> None:
    """Mean words of the neurons of every core."""
    words, held = by_core(joined.words), by_core(joined.neurons)
    mean = {core: words.get(core, 0) / n for core, n in held.items()}
    limit = joined.chip.weights.slots or max(mean.values())
    fig.colorbar(_cells(ax, grid.filled(mean), "viridis", limit), ax=ax, shrink=0.8, label="words")
    ax.set(title=f"words in use, mean of a core's neurons, of {limit:g}")


def _traffic(fig, ax, joined: Joined) -> None:
    """How many sources of one core (or input) a core hears: what their spikes travel."""
    from matplotlib.colors import LogNorm
    from matplotlib.ticker import StrMethodFormatter

    found = traffic(joined)
    norm = LogNorm(vmin=1, vmax=max(2.0, found.counts.max()))
    ax.set_facecolor(EMPTY)
    image = ax.imshow(np.ma.masked_equal(found.counts, 0), cmap="magma", norm=norm, interpolation="nearest")
    each = "chip.core" if found.together == 1 else f"chip.core, {found.together} cores a cell"
    ax.set(xlabel=f"to {each}", ylabel="from input or chip.core")
    ax.set(title="sources that a core hears, by where they sit")
    if found.counts.size <= NUMBERED:
        for (y, x), n in np.ndenumerate(found.counts):
            colour = "black" if norm(n) > 0.6 else "white"
            ax.text(x, y, f"{n:,}" if n else "", ha="center", va="center", fontsize=7, color=colour)
    every = -(-len(found.rows) // 32)
    ax.set_xticks(range(0, len(found.columns), every), found.columns[::every], fontsize=7, rotation=90)
    ax.set_yticks(range(0, len(found.rows), every), found.rows[::every], fontsize=7)
    plain = StrMethodFormatter("{x:,g}")
    fig.colorbar(image, ax=ax, shrink=0.8, label="sources (logarithmic)", format=plain)


def _tags_of_cores(fig, ax, joined: Joined, grid: CoreGrid) -> None:
    """Tags (or axons) every core of a large board hears."""
    heard, (what, limit) = by_core(joined.deliveries, "tag"), _tellable(joined.chip)
    image = _cells(ax, grid.filled(heard), "cividis", max(heard.values(), default=1))
    fig.colorbar(image, ax=ax, shrink=0.8, label=what)
    ax.set(title=f"{what} in use of each core, of {limit:,}\n({WHY[what]})")


WHY = {
    "tags": "by which a core tells its sources apart",
    "axons": "by which a core hears its sources",
}


def _tellable(chip) -> tuple[str, int]:
    """What a core tells its sources apart by, and how many of them it has."""
    return ("axons", chip.cores.axons) if chip.cores.axons else ("tags", 2**chip.tags.bits - len(chip.tags.forbidden))


def _tags(ax, joined: Joined, shown: list[tuple[int, int]]) -> None:
    """Tags (or axons) every core hears, against those it has."""
    what, limit = _tellable(joined.chip)
    heard = joined.deliveries.groupby(["chip", "core"])["tag"].nunique()
    counts = [int(heard.get(core, 0)) for core in shown]
    bars = ax.bar(range(len(shown)), counts, color=BLUE)
    if len(shown) <= 32:
        ax.bar_label(bars, fontsize=7, rotation=90 if len(shown) > 12 else 0, padding=2)
    near = limit <= MUCH * max(counts)
    if near:
        ax.axhline(limit, color=ORANGE, linestyle=":")
    title = f"{what} in use of each core, of {limit:,}{' (dotted)' if near else ''}\n({WHY[what]})"
    ax.set(xlabel="chip.core", ylabel=what, title=title, ylim=(0, 1.15 * max(limit if near else 1, *counts)))
    if len(shown) <= 32:
        ax.set_xticks(range(len(shown)), [f"{c}.{k}" for c, k in shown], fontsize=7, rotation=90)
