"""Where cores stand in pictures, and how many sources they hear, against plain loops."""

import json

import numpy as np
import pytest
from random_networks import CHIPS, random_network

import neuro
from neuro.reports import cores
from neuro.reports.core_figures import core_figures
from neuro.reports.cores import by_core, core_grid, traffic
from neuro.tables import Joined


@pytest.mark.parametrize("name", CHIPS)
def test_every_core_has_a_cell_of_its_own_in_rows_as_on_the_board(name):
    tables = neuro.export(random_network(np.random.default_rng(5), name))
    grid, chip = core_grid(tables), tables.chip
    assert len(set(grid.places.values())) == chip.chips * chip.cores.per_chip
    assert all(0 <= y < grid.shape[0] and 0 <= x < grid.shape[1] for y, x in grid.places.values())
    held = by_core(tables.frames["neurons"])
    picture = grid.filled(held)
    assert np.nansum(picture) == len(tables.frames["neurons"])
    assert np.isfinite(picture).sum() == len(grid.places)
    for (c, k), (y, x) in grid.places.items():
        right = grid.places.get((c + 1, k))
        if right and (c + 1) % chip.board.columns:
            assert right[0] == y and right[1] > x, "the next chip of a row stands to the right"


@pytest.mark.parametrize("shown", [64, 2])
def test_traffic_counts_sources_by_the_core_they_sit_in(monkeypatch, shown):
    monkeypatch.setattr(cores, "SHOWN", shown)
    joined = Joined(neuro.export(random_network(np.random.default_rng(4), "dynapse2")))
    found, neurons = traffic(joined), joined.neurons
    used = sorted(set(zip(neurons["chip"], neurons["core"], strict=True)))
    assert found.together == -(-len(used) // shown) and len(found.columns) == -(-len(used) // found.together)
    home = {n.source: (n.chip, n.core) for n in neurons.itertuples()}
    wanted = np.zeros_like(found.counts)
    inputs = np.repeat(np.arange(len(joined.channels)), joined.channels)
    for s, c, k in {(d.source, d.chip, d.core) for d in joined.deliveries.itertuples()}:
        if (c, k) in used:
            row = inputs[s] if s < joined.inputs else len(joined.channels) + used.index(home[s]) // found.together
            wanted[row, used.index((c, k)) // found.together] += 1
    assert np.array_equal(found.counts, wanted) and wanted.sum() > 0


def test_figures_are_plain_json_for_every_chip():
    for name in CHIPS:
        tables = neuro.export(random_network(np.random.default_rng(6), name))
        figures = core_figures(tables)
        assert [f[0] for f in figures] == ["occupancy", "words", "traffic"]
        json.dumps([f[2] for f in figures], allow_nan=False)
        z = [v for row in figures[0][2]["data"][0]["z"] for v in row if v is not None]
        assert sum(z) == len(tables.frames["neurons"])
