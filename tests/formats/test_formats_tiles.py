"""Files a tile: they give the tables back, say the conductances of the descriptor, and are read strictly."""

import csv
import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from random_networks import random_network
from tiny_task import call, refused, snapshot

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


@pytest.mark.parametrize("seed", range(6))
def test_parquet_gives_the_same_tables(seed, tmp_path):
    tables = neuro.export(random_network(np.random.default_rng([6, seed]), "pcm-crossbar"))
    tiles.write(tables, tmp_path / "a", parquet=True)
    tiles.write(tables, tmp_path / "b")
    stems = [{p.stem for p in (tmp_path / n).glob(f"tile-*.{end}")} for n, end in (("a", "parquet"), ("b", "csv"))]
    assert stems[0] == stems[1] and not list((tmp_path / "a").glob("*.csv"))
    for path in (tmp_path / "a").glob("tile-*.parquet"):
        text = pd.read_csv(tmp_path / "b" / f"{path.stem}.csv")
        assert_frame_equal(pd.read_parquet(path), text, check_exact=False, atol=1e-6, rtol=0)
    again = load_configuration(tmp_path / "a")
    assert again.manifest == tables.manifest
    for table, frame in tables.frames.items():
        assert_frame_equal(frame, again.frames[table], obj=table)


def test_many_crosspoints_are_written_as_parquet(tmp_path, network, monkeypatch):
    tables = neuro.export(network)
    for most, ending in ((len(tables.frames["synapses"]), "csv"), (len(tables.frames["synapses"]) - 1, "parquet")):
        monkeypatch.setattr(tiles, "CSV_ROWS", most)
        tiles.write(tables, tmp_path / ending)
        assert {p.suffix for p in (tmp_path / ending).glob("tile-*")} == {f".{ending}"}


def test_the_command_line_exports_checks_and_replaces_parquet(tmp_path, network):
    neuro.export(network).save(tmp_path / "tables")
    common = ("export", tmp_path / "tables", "--format", "tiles", "--out", tmp_path / "a")
    assert call(*common, "--parquet").status == 0 and list((tmp_path / "a").glob("tile-*.parquet"))
    assert call("check", tmp_path / "a").status == 0
    assert call("export", tmp_path / "a", "--out", tmp_path / "again").status == 0
    assert snapshot(tmp_path / "again") == snapshot(tmp_path / "tables")
    assert call(*common, "--overwrite").status == 0 and not list((tmp_path / "a").glob("tile-*.parquet"))
    refused(call(*common[:2], "--format", "xylo", "--parquet", "--out", tmp_path / "b"), "tables or tiles, not xylo")


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("level_plus", 900, "row 1: level_plus is 900, allowed: 0 to"),
        ("row", -1, "row 1: row is -1, allowed: 0 to"),
        ("g_plus_us", 24.9999, "row 1: g_plus_us is 24.9999, allowed: "),
        ("pulses_minus", 77, "row 1: pulses_minus is 77, allowed: "),
    ],
)
def test_cells_of_parquet_are_derived_again(tmp_path, network, column, value, message):
    folder = tmp_path / "out"
    tiles.write(neuro.export(network), folder, parquet=True)
    path = sorted(folder.glob("tile-*.parquet"))[0]
    frame = pd.read_parquet(path)
    frame.loc[0, column] = value
    path.write_bytes(tiles.to_parquet(frame))
    with pytest.raises(TableError, match="does not match its sha256 in tiles.json"):
        tiles.read(folder)
    index = json.loads((folder / "tiles.json").read_text())
    entry = next(e for e in index["tiles"] if e["file"] == path.name)
    entry["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    (folder / "tiles.json").write_text(json.dumps(index))
    with pytest.raises(TableError, match=message):
        tiles.read(folder)
    refused(call("check", folder), path.name, column)


def test_damaged_parquet_is_refused(tmp_path, network):
    tiles.write(neuro.export(network), tmp_path / "out", parquet=True)
    index = (tmp_path / "out" / "tiles.json").read_text()
    path = sorted((tmp_path / "out").glob("tile-*.parquet"))[0]
    rng, whole = np.random.default_rng(0), path.read_bytes()
    for sealed in [True] * 10 + [False] * 60:
        at = int(rng.integers(len(whole)))
        path.write_bytes(whole[:at] + bytes([(whole[at] + 1 + int(rng.integers(255))) % 256]) + whole[at + 1 :])
        entries = json.loads(index)
        entry = next(e for e in entries["tiles"] if e["file"] == path.name)
        if not sealed:
            entry["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
        (tmp_path / "out" / "tiles.json").write_text(json.dumps(entries))
        if sealed:
            with pytest.raises(TableError, match="sha256"):
                tiles.read(tmp_path / "out")
        else:
            assert call("check", tmp_path / "out").status in (0, 1, 2)
    (tmp_path / "out" / "tiles.json").write_text(index)
    path.write_bytes(whole)
    tiles.read(tmp_path / "out")
    shutil.copy(path, path.with_suffix(".csv"))
    with pytest.raises(TableError, match="csv: is not listed in tiles.json"):
        tiles.read(tmp_path / "out")


def test_a_chip_without_pairs_is_refused(tmp_path):
    tables = neuro.export(random_network(np.random.default_rng(0), "generic"))
    with pytest.raises(DescriptionError, match="weights.kind is counts on generic"):
        tiles.write(tables, tmp_path / "a")
