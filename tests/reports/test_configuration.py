"""The picture of a configuration is drawn for every kind of tables, and shows what they hold."""

import numpy as np
import pytest
from handmade_tables import random_tables
from PIL import Image
from random_networks import CHIPS, random_network

import neuro
from neuro.reports import plot_configuration


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


def test_a_picture_follows_its_tables(tmp_path):
    tables = random_tables(5, kind="counts")
    empty = type(tables)(tables.manifest, {**tables.frames, "synapses": tables.frames["synapses"][:0]})
    before, after = (drawn(t, tmp_path / "a.png") for t in (tables, empty))
    assert before.shape == after.shape and (before != after).any()
