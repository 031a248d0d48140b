"""The picture of a configuration is drawn for every kind of tables, and shows what they hold."""

import matplotlib.colors as mcolors
import numpy as np
import pytest
from handmade_tables import random_tables
from PIL import Image
from random_networks import CHIPS, random_network

import neuro
from neuro.reports import configuration, plot_configuration
from neuro.reports.cores import by_core, traffic
from neuro.tables import Joined


def drawn(tables, path):
    plot_configuration(tables, path)
    picture = np.asarray(Image.open(path).convert("RGB"), dtype=int)
    assert picture.shape[0] > 800 and picture.shape[1] > 1000
    return picture


@pytest.mark.parametrize("name", CHIPS)
def test_networks_of_every_chip_are_drawn(tmp_path, name):
    drawn(neuro.export(random_network(np.random.default_rng(4), name)), tmp_path / "a.png")


@pytest.mark.parametrize("seed", range(4))
def test_tables_of_every_kind_are_drawn(tmp_path, seed):
    drawn(random_tables(seed, wide=seed == 3), tmp_path / "a.png")


def test_a_board_has_its_chips_named_its_empty_cores_grey_and_its_bars_from_0(monkeypatch, tmp_path):
    figures = []
    monkeypatch.setattr(configuration, "save", lambda fig, path: figures.append(fig))
    tables = neuro.export(random_network(np.random.default_rng(4), "dynapse1"))
    plot_configuration(tables, tmp_path / "a.png")
    board, _, heard, tags = figures[0].axes[:4]
    said = [text.get_text() for text in board.texts]
    assert [t for t in said if t.startswith("chip")] == ["chip 0", "chip 1", "chip 2", "chip 3"]
    held = by_core(tables.frames["neurons"])
    assert sorted(int(t) for t in said if t.isdigit()) == sorted(held.values())
    image = board.images[0]
    assert image.norm.vmin > 0 and mcolors.to_hex(image.cmap.get_under()) == configuration.EMPTY
    assert not np.ma.getmask(image.get_array()).all() and (image.get_array() == 0).sum() == 16 - len(held)
    joined = Joined(tables)
    counts = traffic(joined).counts
    assert [t.get_text() for t in heard.texts] == [f"{n:,}" if n else "" for n in counts.ravel()]
    assert tags.get_ylim()[0] == 0 and tags.get_yscale() == "linear"
    used = by_core(joined.deliveries, "tag")
    assert [bar.get_height() for bar in tags.patches] == [used.get(core, 0) for core in sorted(held)]
    assert [ax.get_ylabel() for ax in figures[0].axes[4:]] == ["neurons", "words", "sources (logarithmic)"]


def test_a_picture_follows_its_tables(tmp_path):
    tables = random_tables(5, kind="counts")
    empty = type(tables)(tables.manifest, {**tables.frames, "synapses": tables.frames["synapses"][:0]})
    before, after = (drawn(t, tmp_path / "a.png") for t in (tables, empty))
    assert before.shape == after.shape and (before != after).any()
