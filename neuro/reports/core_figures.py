"""Cores in the report of a run: who talks to whom, how full they are, and the words their neurons spend, to hover over."""

from __future__ import annotations

import numpy as np

from neuro.reports.cores import CoreGrid, by_core, core_grid, traffic
from neuro.tables import Joined, Tables

TALLEST, WIDEST_BAR, NUMBERED = 560, 12, 64


def core_figures(tables: Tables) -> list[tuple[str, str, dict]]:
    """Give (id, title, figure) of occupancy, slot usage and traffic, from tables alone."""
    joined, grid, chip = Joined(tables), core_grid(tables), tables.chip
    held = by_core(tables.frames["neurons"])
    words = by_core(joined.words)
    mean = {core: words.get(core, 0) / n for core, n in held.items()}
    of = f", of {chip.weights.slots}" if chip.weights.slots else ""
    return [
        (
            "occupancy",
            f"Neurons in use of each core, of {chip.cores.neurons}",
            _grid(grid, held, chip.cores.neurons, "neurons"),
        ),
        (
            "words",
            f"Words in use a neuron, mean of each core{of}",
            _grid(grid, mean, chip.weights.slots or max(mean.values(), default=1), "words"),
        ),
        ("traffic", "Sources that cores hear, by where these sit", _traffic(joined)),
    ]


def _grid(grid: CoreGrid, values: dict, most: float, what: str) -> dict:
    picture, names = grid.filled(values), grid.names()
    heat = {
        **_heat(picture, names, f"%{{text}}: %{{z:.4~g}} {what}<extra></extra>", what),
        "zmin": 0,
        "zmax": most,
        "xgap": int(picture.shape[1] <= 64),
        "ygap": int(picture.shape[0] <= 64),
    }
    plain = {"visible": False, "constrain": "domain"}
    axes = {"xaxis": plain, "yaxis": {**plain, "autorange": "reversed", "scaleanchor": "x", "constrain": "domain"}}
    return {"data": [heat], "layout": {**axes, "height": _height(picture)}, "half": True}


def _traffic(joined: Joined) -> dict:
    found = traffic(joined)
    group = f"{found.together} cores from " if found.together > 1 else ""
    counts = np.where(found.counts > 0, found.counts, np.nan)
    text = [[f"{row} → {group}{column}" for column in found.columns] for row in found.rows]
    heat = _heat(counts, np.array(text, object), "%{text}: %{z} sources<extra></extra>", "sources")
    title = "chip.core" if found.together == 1 else f"chip.core, {found.together} together"
    axis = {"type": "category", "showgrid": False}
    scale = {"zmin": 0, "zmax": int(found.counts.max(initial=1))}
    return {
        "data": [{**heat, "x": found.columns, "y": [f"{name} " for name in found.rows], **scale}],
        "layout": {
            "xaxis": {**axis, "title": {"text": f"to {title}"}},
            "yaxis": {**axis, "title": {"text": f"from input, or {title}"}, "autorange": "reversed"},
            "height": _height(counts) + 80,
        },
    }


def _heat(picture: np.ndarray, names: np.ndarray, hover: str, what: str) -> dict:
    z = [[None if np.isnan(v) else round(float(v), 3) for v in row] for row in picture]
    return {
        "type": "heatmap",
        "z": z,
        **({"texttemplate": "%{z:.3~g}"} if picture.size <= NUMBERED else {}),
        "text": names.tolist(),
        "hovertemplate": hover,
        "hoverongaps": False,
        "colorscale": "Cividis",
        "colorbar": {"title": {"text": what}, "thickness": WIDEST_BAR},
    }


def _height(picture: np.ndarray) -> int:
    return int(min(TALLEST, max(260, 40 * len(picture))))
