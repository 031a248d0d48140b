"""What a format writes, its reader gives back: the same manifest and the same tables, row for row."""

import json

import numpy as np
import pytest
from pandas.testing import assert_frame_equal
from random_networks import random_network

import neuro
from neuro.errors import DescriptionError, NeuroError, TableError
from neuro.formats import c, format_of, netparser, odin, samna, xylo
from neuro.tables.manifest import chip_sha256

PAIRS = [
    ("dynapse1", samna),
    ("dynapse1", netparser),
    ("dynapse2", samna),
    ("odin", odin),
    ("xylo-audio2", xylo),
    *((name, c) for name in ("odin", "xylo-audio2", "loihi")),
]
SEEDS = range(8)


def same(first, second):
    assert first.manifest == second.manifest
    for table, frame in first.frames.items():
        assert_frame_equal(frame, second.frames[table], obj=table)


def exported(name, seed):
    """Tables of a random network that the format can hold, or None: virtual cores, a chip of another shape."""
    return neuro.export(random_network(np.random.default_rng([11, seed]), name))


@pytest.mark.parametrize("name, module", PAIRS)
def test_write_then_read_gives_the_same_tables(tmp_path, name, module):
    held = 0
    for seed in SEEDS:
        tables = exported(name, seed)
        try:
            module.write(tables, tmp_path / str(seed))
        except NeuroError as error:
            assert isinstance(error, DescriptionError) or "core id" in str(error), error
            continue
        same(module.read(tmp_path / str(seed)), tables)
        held += 1
    assert held >= len(SEEDS) // 3


def test_a_chip_without_a_format_is_refused():
    for name, asked in (("dynapse2", "netparser"), ("generic", "samna"), ("binary-core", "netparser")):
        with pytest.raises(DescriptionError, match="not programmed with it; allowed: tables"):
            format_of(asked, neuro.load_chip(name))
    with pytest.raises(DescriptionError, match="allowed: tables, samna, netparser"):
        format_of("punchcards", neuro.load_chip("dynapse1"))


@pytest.mark.parametrize("override", ["tags.bits=11", "cores.per_chip=5", "routes.entries=5", "board.columns=3"])
def test_a_chip_of_another_shape_is_refused(tmp_path, override):
    chip = neuro.load_chip("dynapse1", [override, "slots=8"])
    spec = {
        "dt_s": 1e-3,
        "inputs": {"x": 4},
        "populations": {"p": {"size": 3, "tau_mem_s": 0.01, "tau_syn_s": 0.005}},
        "projections": ({"from": "x", "to": "p"},),
        "outputs": {"y": {"population": "p"}},
    }
    tables = neuro.export(neuro.Network(neuro.place(neuro.task.NetworkSpec.model_validate(spec), chip), seed=0))
    for module in (samna, netparser):
        with pytest.raises(DescriptionError, match=override.partition("=")[0]):
            module.write(tables, tmp_path / "a")
    assert not list(tmp_path.iterdir())


def test_samna_says_that_a_changed_chip_is_not_the_real_one(tmp_path):
    tables = exported("dynapse1", 0)
    chip = neuro.load_chip("dynapse1", ["inputs.channels=1000"])
    told = {"chip": chip, "chip_sha256": chip_sha256(chip)}
    changed = type(tables)(tables.manifest.model_copy(update=told), tables.frames)
    samna.write(changed, tmp_path / "a")
    file = tmp_path / "a" / "configuration.json"
    label = "dynapse1 (not the real chip: inputs.channels=1000)"
    assert json.loads(file.read_text())["chip"] == label == samna.read(tmp_path / "a").chip.label
    file.write_text(file.read_text().replace(label, "dynapse1"))
    with pytest.raises(TableError, match="configuration.json: chip is 'dynapse1', allowed: 'dynapse1 .not the real"):
        samna.read(tmp_path / "a")


def test_broken_limits_are_not_written(tmp_path):
    tables = exported("dynapse1", 0)
    routes = tables.frames["routes"]
    broken = type(tables)(tables.manifest, {**tables.frames, "routes": routes.assign(tag=routes["tag"] ^ 1)})
    with pytest.raises(TableError, match="limits of dynapse1.*exceeded, first: "):
        samna.write(broken, tmp_path / "a")
    assert not list(tmp_path.iterdir())


def test_a_folder_in_use_is_kept(tmp_path):
    tables = exported("dynapse1", 0)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "mine").write_text("x")
    for overwrite in (False, True):
        with pytest.raises(TableError, match="is not empty|holds more"):
            samna.write(tables, tmp_path / "a", overwrite=overwrite)
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["mine"]
    samna.write(tables, tmp_path / "b")
    samna.write(tables, tmp_path / "b", overwrite=True)
    same(samna.read(tmp_path / "b"), tables)
