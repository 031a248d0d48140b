"""The chip drawn: every neuron a cell of its core, coloured by the slots it uses; hovering names its sources."""

from __future__ import annotations

import math
from html import escape

import numpy as np

from neuro.nn import Network
from neuro.placement import word_limits
from neuro.reports.memory import column_names, words_of

MOST_CELLS, MOST_CORES, NAMED, LABELLED = 16_384, 256, 24, 64


def chip_map(network: Network) -> dict | None:
    """A plotly figure of all cores in use, or None where there are more neurons than a page can show."""
    plan = network.plan
    neurons = sum(len(places) for places in plan.locations.values())
    if neurons > MOST_CELLS:
        return None
    corners, side = _layout(network)
    width = max(x for x, _ in corners.values()) + side
    height = max(y for _, y in corners.values()) + side
    colour = np.full((height, width), np.nan)
    text = np.full((height, width), "", object)
    for name, places in plan.locations.items():
        slots = network.memories[name].scheme.slots_used(network.memories[name].code).tolist()
        limits = word_limits(plan, name)
        for i, (about, (chip, core, neuron)) in enumerate(zip(_hovers(network, name), places.tolist(), strict=True)):
            left, top = corners[chip, core]
            y, x = top + neuron % side**2 // side, left + neuron % side
            colour[y, x] = slots[i]
            most = plan.chip.weights.slots if limits is None else limits[i, -1]
            of = f" of {most}" if most else ""
            head = f"<b>{escape(name)} {i}</b> — chip {chip} core {core} neuron {neuron}<br>{slots[i]}{of} slots, "
            text[y, x] = head + about
    return _figure(colour, text, corners, side, plan.chip.weights.slots)


def _layout(network: Network) -> tuple[dict, int]:
    """The upper left cell of each core, chips as on the board, and the cells along a core's side."""
    plan, chip = network.plan, network.plan.chip
    highest = max(int(places[:, 2].max()) for places in plan.locations.values()) + 1
    side = math.ceil(math.sqrt(min(chip.cores.neurons, max(highest, 4))))
    below = side + 2 + math.ceil(side / 4)  # with room for a label
    if chip.chips * chip.cores.per_chip > MOST_CORES:
        across = math.ceil(math.sqrt(len(plan.cores)))
        return {c: ((i % across) * (side + 2), (i // across) * below) for i, c in enumerate(plan.cores)}, side
    across = math.ceil(math.sqrt(chip.cores.per_chip))
    down = math.ceil(chip.cores.per_chip / across)
    corners = {}
    for number in range(chip.chips):
        left = number % chip.board.columns * (across * (side + 2) + 3)
        top = number // chip.board.columns * (down * below + 3)
        for core in range(chip.cores.per_chip):
            corners[number, core] = (left + core % across * (side + 2), top + core // across * below)
    return corners, side


def _hovers(network: Network, name: str) -> list[str]:
    """What each neuron of a population hears, in words."""
    held, columns = words_of(network, name), column_names(network, name)
    starts = np.searchsorted(held.row, np.arange(len(network.plan.locations[name]) + 1))
    texts = []
    for first, last in zip(starts[:-1], starts[1:], strict=True):
        by_source: dict[str, list[str]] = {}
        for k in range(first, min(last, first + NAMED)):
            source, index = columns[held.column[k]]
            times = f"×{held.words[k]}" if held.words[k] > 1 else ""
            by_source.setdefault(source, []).append(f"{index}{times}")
        lines = [f"{escape(source)}: {', '.join(indices)}" for source, indices in by_source.items()]
        more = f"<br>and {last - first - NAMED} more" if last - first > NAMED else ""
        texts.append(f"{last - first} sources<br>{'<br>'.join(lines)}{more}")
    return texts


def _figure(colour, text, corners: dict, side: int, slots: int | None) -> dict:
    z = [[None if np.isnan(v) else int(v) for v in row] for row in colour]
    most = slots or max((v for row in z for v in row if v is not None), default=1)
    heat = {
        "type": "heatmap",
        "z": z,
        "text": text.tolist(),
        "hovertemplate": "%{text}<extra></extra>",
        "hoverongaps": False,
        "colorscale": "Cividis",
        "zmin": 0,
        "zmax": most,
        "xgap": 1,
        "ygap": 1,
        "colorbar": {"title": {"text": "slots"}, "thickness": 12},
    }
    shapes = [
        {
            "type": "rect",
            "x0": x - 1,
            "x1": x + side,
            "y0": y - 1,
            "y1": y + side,
            "line": {"width": 1},
            "layer": "below",
        }
        for x, y in corners.values()
    ]
    names = [
        {"x": x - 0.5, "y": y - 1, "text": f"{chip}.{core}", "showarrow": False, "xanchor": "left", "yanchor": "bottom"}
        for (chip, core), (x, y) in corners.items()
    ]
    plain = {"visible": False, "constrain": "domain"}
    layout = {
        "shapes": shapes,
        "annotations": [{**n, "font": {"size": 9}} for n in names] if len(names) <= LABELLED else [],
        "xaxis": plain,
        "yaxis": {**plain, "autorange": "reversed", "scaleanchor": "x"},
        "height": 520,
    }
    return {"data": [heat], "layout": layout}
