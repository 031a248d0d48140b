"""Files a tile: they give the tables back, say the conductances of the descriptor, and are read strictly."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from pandas.testing import assert_frame_equal
from random_networks import random_network

import neuro
from neuro.errors import DescriptionError, TableError
from neuro.formats import load_configuration, tiles


@pytest.fixture(scope="module")
def network():
    return random_network(np.random.default_rng(3), "pcm-crossbar")


@pytest.fixture
def folder(tmp_path, network):
    tiles.write(neuro.export(network), tmp_path / "out")
    return tmp_path / "out"


def some(folder: Path) -> Path:
    return sorted(folder.glob("tile-*.csv"))[0]


@pytest.mark.parametrize("seed", range(6))
def test_write_then_read_gives_the_same_tables(seed, tmp_path):
    tables = neuro.export(random_network(np.random.default_rng([5, seed]), "pcm-crossbar"))
    tiles.write(tables, tmp_path / "a")
    again = load_configuration(tmp_path / "a")
    assert again.manifest == tables.manifest
    for table, frame in tables.frames.items():
        assert_frame_equal(frame, again.frames[table], obj=table)


def test_small_tiles_hold_each_crosspoint_once(tmp_path):
    chip = neuro.load_chip("pcm-crossbar", ["tiles.rows=3", "tiles.columns=2", "devices.pulses=4", "devices.ratio=5.0"])
    spec = {
        "dt_s": 1e-3,
        "inputs": {"x": 8},
        "populations": {"p": {"size": 5, "tau_mem_s": 0.01, "tau_syn_s": 0.005}},
        "projections": ({"from": "x", "to": "p"},),
        "outputs": {"y": {"population": "p"}},
    }
    network = neuro.Network(neuro.place(neuro.task.NetworkSpec.model_validate(spec), chip), seed=0)
    tables = neuro.export(network)
    tiles.write(tables, tmp_path / "a")
    index = json.loads((tmp_path / "a" / "tiles.json").read_text())["tiles"]
    scheme, weight = network.memories["p"].scheme, network.memories["p"].weight[:, :, 0, 0]
    gamma, half = float(scheme.bases[0]), 2.0 ** next(iter(tables.exponents.values())) / 2
    seen = np.zeros((5, 8))
    order = tables.frames["axons"]["tag"].to_numpy()
    column = {r.tag: r.index for r in network.plan.inputs}
    places = {int(n): i for i, n in enumerate(network.plan.locations["p"][:, 2])}
    for entry in index:
        with (tmp_path / "a" / entry["file"]).open() as lines:
            for line in csv.DictReader(lines):
                assert int(line["row"]) < 3 and int(line["column"]) < 2
                plus, minus = (float(line[f"g_{side}_us"]) / 25 for side in ("plus", "minus"))
                for side, share in (("plus", plus), ("minus", minus)):
                    level = int(line[f"level_{side}"])
                    assert share == pytest.approx(0.2 + 0.8 * level / 15, abs=1e-6)
                    assert int(line[f"pulses_{side}"]) == 4 * level
                n = places[entry["first_neuron"] + int(line["column"])]
                m = column[int(order[entry["first_axon"] + int(line["row"])])]
                assert float(weight[n, m]) == pytest.approx(gamma * (plus - minus), abs=half + 1e-5)
                seen[n, m] += 1
    assert ((seen == 1) == (weight.numpy() != 0)).all() and seen.max() == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: _line(f, 6, "77"), "what its levels stand for"),
        (lambda f: _line(f, 2, "900"), "level_plus is 900, allowed: 0 to"),
        (lambda f: _line(f, 2, "-1"), "the first four whole"),
        (lambda f: _line(f, 4, "99.000000"), "what its levels stand for"),
        (lambda f: some(f).write_text(some(f).read_text().replace("row,", "line,")), "columns are line"),
        (lambda f: some(f).write_text("\n".join(some(f).read_text().split("\n")[:-2]) + "\n"), "crosspoints, allowed"),
        (lambda f: (f / "tile-0-0-9-9.csv").write_text("x"), "is not listed"),
        (lambda f: some(f).unlink(), "is not there"),
        (lambda f: (f / "tiles.json").write_text('{"tiles": [{"file": "../../etc/passwd"}]}'), "is no tile of"),
        (lambda f: (f / "tiles.json").write_text("[]"), "holds no list of tiles"),
    ],
)
def test_damaged_files_are_refused(folder, change, message):
    before = {p.name: p.read_bytes() for p in folder.glob("*") if p.is_file()}
    change(folder)
    after = {p.name: p.read_bytes() for p in folder.glob("*") if p.is_file()}
    if before == after:
        pytest.skip("the cell already held this")
    with pytest.raises(TableError, match=message):
        tiles.read(folder)


def _line(folder: Path, cell: int, value: str) -> None:
    header, first, *rest = some(folder).read_text().split("\n")
    cells = first.split(",")
    cells[cell] = value if value != cells[cell] else "1"
    some(folder).write_text("\n".join([header, ",".join(cells), *rest]))


def test_a_chip_without_pairs_is_refused(tmp_path):
    tables = neuro.export(random_network(np.random.default_rng(0), "generic"))
    with pytest.raises(DescriptionError, match="weights.kind is counts on generic"):
        tiles.write(tables, tmp_path / "a")
