"""Folders of tables: written whole or not at all, read back to the byte, and refused where they were damaged."""

import json
import os
import random
import shutil

import numpy as np
import pandas as pd
import pytest
from handmade_tables import handmade, make_chip, random_tables, tables_of

from neuro.descriptor import load_chip
from neuro.emulator import replay
from neuro.errors import NeuroError, TableError
from neuro.tables import Manifest, Tables, check, load_tables, write


def content(folder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def same(a: Tables, b: Tables) -> bool:
    pd.testing.assert_series_equal(pd.Series(list(a.frames)), pd.Series(list(b.frames)))
    for table in a.frames:
        pd.testing.assert_frame_equal(a.frames[table], b.frames[table])
    return a.manifest == b.manifest


@pytest.fixture
def saved(tmp_path):
    tables_of(*handmade()).save(tmp_path / "t")
    return tmp_path / "t"


@pytest.mark.parametrize("parquet", [False, True])
@pytest.mark.parametrize("seed", [None, *range(8)])
def test_save_load_save_is_identical(tmp_path, seed, parquet):
    tables = tables_of(*handmade()) if seed is None else random_tables(seed)
    tables.save(tmp_path / "a", parquet=parquet)
    loaded = load_tables(tmp_path / "a")
    assert same(tables, loaded)
    loaded.save(tmp_path / "b", parquet=parquet)
    assert content(tmp_path / "a") == content(tmp_path / "b")


def test_csv_and_parquet_hold_the_same(tmp_path):
    tables = random_tables(2)
    tables.save(tmp_path / "a")
    tables.save(tmp_path / "b", parquet=True)
    assert same(load_tables(tmp_path / "a"), load_tables(tmp_path / "b"))
    assert (tmp_path / "b" / "synapses.parquet").exists() and not (tmp_path / "b" / "latches.parquet").exists()


def test_format(saved):
    manifest = json.loads((saved / "manifest.json").read_text())
    assert list(manifest) == list(Manifest.model_fields)
    assert manifest["format"] == "neuro-tables" and manifest["version"] == 1
    assert manifest["chip"]["name"] == "handmade" and manifest["parameter_sets"][0]["leak"] == (0.875).hex()
    assert manifest["files"]["synapses"]["rows"] == 11
    lines = (saved / "readout.csv").read_text().split("\n")
    assert lines[:2] == ["output,row,population,index,weight", "1,0,0,-1,0x1.0000000000000p-2"] and lines[-1] == ""
    assert (saved / "biases.csv").read_text().split("\n")[1] == f"0,0,W_E,0,10,{(1e-6).hex()}"


def test_floor_without_a_bound(tmp_path):
    manifest, rows = handmade()
    manifest["chip"] = make_chip(neuron__floor=None)
    for entry in manifest["parameter_sets"]:
        entry["floor"] = "-inf"
    tables_of(manifest, rows).save(tmp_path / "t")
    loaded = load_tables(tmp_path / "t")
    assert loaded.manifest.parameter_sets[0].floor == -np.inf and check(loaded) == []


@pytest.mark.parametrize("name", ["dynapse1", "dynapse2", "generic", "binary-core", "truenorth"])
def test_shipped_chips_go_into_a_manifest_and_back(tmp_path, name):
    manifest, rows = handmade()
    manifest["chip"] = load_chip(name)
    rows = {"neurons": rows["neurons"]}
    tables_of(manifest, rows).save(tmp_path / "t")
    assert load_tables(tmp_path / "t").chip == load_chip(name)


def test_a_full_folder_is_refused_and_overwritten_on_request(tmp_path):
    random_tables(1).save(tmp_path / "t")
    with pytest.raises(TableError, match="not empty"):
        random_tables(2).save(tmp_path / "t")
    random_tables(2).save(tmp_path / "t", parquet=True, overwrite=True)
    assert same(load_tables(tmp_path / "t"), random_tables(2))
    (tmp_path / "t" / "thesis.tex").write_text("years of work")
    with pytest.raises(TableError, match="thesis.tex"):
        random_tables(1).save(tmp_path / "t", overwrite=True)
    (tmp_path / "empty").mkdir()
    random_tables(1).save(tmp_path / "empty")
    (tmp_path / "file").write_text("")
    with pytest.raises(TableError, match="is a file"):
        random_tables(1).save(tmp_path / "file", overwrite=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "file", "t"]


@pytest.mark.parametrize("place", ["t", "deep/er/t"])
@pytest.mark.parametrize("fails", ["write", "move"])
def test_a_failure_leaves_nothing(tmp_path, monkeypatch, place, fails):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    calls = iter([write.write_file, full])
    if fails == "write":
        monkeypatch.setattr(write, "write_file", lambda *args: next(calls)(*args))
    else:
        monkeypatch.setattr(write.Path, "rename", full)
    with pytest.raises(TableError, match="No space left"):
        random_tables(1).save(tmp_path / place)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_overwrite_keeps_the_old_tables(tmp_path, monkeypatch):
    random_tables(1).save(tmp_path / "t")
    before, rename = content(tmp_path / "t"), write.Path.rename

    def second_fails(self, target):
        if self.name.endswith(".new"):
            raise OSError(5, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(write.Path, "rename", second_fails)
    with pytest.raises(TableError, match="Input/output"):
        random_tables(2).save(tmp_path / "t", overwrite=True)
    assert content(tmp_path / "t") == before and len(list(tmp_path.iterdir())) == 1


def test_long_tables_become_parquet(tmp_path, monkeypatch):
    monkeypatch.setattr(write, "CSV_ROWS", 10)
    tables_of(*handmade()).save(tmp_path / "t")
    assert (tmp_path / "t" / "synapses.parquet").exists()


def damaged(path, old: bytes, new: bytes):
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new, 1))


TABLE_DAMAGE = [
    ("synapses.csv", b"0,0,1,0,3,3,-1,1,0\n", b"0,0,1,0,3,3,-1,1\n", "synapses.csv:2: has 8 cells"),
    ("synapses.csv", b"0,0,1,1,3,3,-1,1,0\n", b"0,0,1,1,3.0,3,-1,1,0\n", "synapses.csv:3: tag is '3.0'"),
    ("synapses.csv", b"0,0,1,1,3,3,-1,1,0\n", b"0,0,1,1, 3,3,-1,1,0\n", "synapses.csv:3: tag is ' 3'"),
    ("synapses.csv", b"0,0,1,1,3,3,-1,1,0\n", b"0,0,1,1,nan,3,-1,1,0\n", "synapses.csv:3: tag is 'nan'"),
    ("synapses.csv", b"0,0,1,1,3,3,-1,1,0\n", b"0,0,1,1,,3,-1,1,0\n", "synapses.csv:3: tag is ''"),
    ("synapses.csv", b"0,0,1,1,3,3,-1,1,0\n", b"0,0,1,1,9223372036854775808,3,-1,1,0\n", "synapses.csv:3: tag is 922"),
    ("synapses.csv", b"0,0,1,1,3,3,-1,1,0\n", b"\n0,0,1,1,3,3,-1,1,0\n", "synapses.csv:3: has 1 cells"),
    ("synapses.csv", b"0,0,1,1,3,3,-1,1,0\n", b"0,0,1,1,\xd9\xa3,3,-1,1,0\n", "synapses.csv:3: holds a byte"),
    ("synapses.csv", b"chip,core", b"core,chip", "synapses.csv:1: columns are"),
    ("synapses.csv", b",delay", b"", "synapses.csv:1: columns are"),
    ("synapses.csv", b"chip,core", b"note,chip,core", "synapses.csv:1: columns are"),
    ("synapses.csv", b"1,1,4,3,-1,1,1\n", b"1,1,4,3,-1,1,1", "not closed"),
    ("readout.csv", b"0x1.0000000000000p-2", b"0.25", "readout.csv:2: weight is '0.25'"),
    ("readout.csv", b"0x1.0000000000000p-2", b"0x1.0p-2", "readout.csv:2: weight is '0x1.0p-2'"),
    ("readout.csv", b"0x1.0000000000000p-2", b"nan", "readout.csv:2: weight is 'nan'"),
    ("readout.csv", b"0x1.0000000000000p-2", b"0x1.0000000000000p+9999", "readout.csv:2"),
    ("biases.csv", b"W_E", b"W E", "biases.csv:2: name is 'W E'"),
    ("latches.csv", b"TAU2_SET", b"", "latches.csv:2: name is ''"),
]


@pytest.mark.parametrize("file, old, new, message", TABLE_DAMAGE)
def test_damaged_tables_are_refused(saved, file, old, new, message):
    damaged(saved / file, old, new)
    with pytest.raises(TableError, match="edited after export"):
        load_tables(saved)
    with pytest.raises(TableError) as error:
        load_tables(saved, edited=True)
    assert message in str(error.value)


MANIFEST_DAMAGE = [
    (b'"neuro-tables"', b'"tables"', "format"),
    (b'"version": 1', b'"version": 2', "version is 2, allowed: 1"),
    (b'"version": 1', b'"version": true', "version is True"),
    (b'"dt_s": 0.001', b'"dt_s": NaN', "NaN"),
    (b'"dt_s": 0.001', b'"dt_s": "0.001"', "dt_s"),
    (b'"dt_s": 0.001', b'"dt_s": 0', "dt_s"),
    (b'"dt_s": 0.001', b'"dt_s": 0.001, "dt_s": 1', "more than once"),
    (b'"task"', b'"tusk"', "tusk"),
    (b'"0x1.c000000000000p-1"', b'"0.875"', "parameter_sets.0.leak"),
    (b'"0x1.c000000000000p-1"', b"0.875", "parameter_sets.0.leak"),
    (b'"0x1.c000000000000p-1"', b'"nan"', "parameter_sets.0.leak"),
    (b'"size": 3', b'"size": 3.0', "populations.0.size"),
    (b'"size": 3', b'"size": 3000000000000000000000000', "populations.0.size"),
    (b'"per_chip": 2', b'"per_chip": "2"', "chip.cores.per_chip"),
    (b'"per_chip": 2', b'"per_chip": 3', "chip_sha256"),
    (b'"file": "routes.csv"', b'"file": "../routes.csv"', "files.routes"),
    (b'"file": "routes.csv"', b'"file": "inputs.csv"', "files.routes"),
    (b'"file": "routes.csv"', b'"file": "/etc/passwd"', "files.routes"),
    (b'"biases": {', b'"biosis": {', "files names 'biosis'"),
    (b'"rows": 11', b'"rows": 12', "11 rows, allowed: the 12"),
    (b'"file": "routes.csv"', b'"file": "routes.parquet"', "not listed"),
    (b"{", b"[", "not JSON"),
    (b"{", b"\xff", "not JSON"),
]


@pytest.mark.parametrize("old, new, message", MANIFEST_DAMAGE)
def test_damaged_manifests_are_refused(saved, old, new, message):
    damaged(saved / "manifest.json", old, new)
    with pytest.raises(TableError) as error:
        load_tables(saved)
    assert message in str(error.value)


def test_missing_and_extra_files(saved, tmp_path):
    with pytest.raises(TableError, match="not there"):
        load_tables(tmp_path / "nothing")
    shutil.copy(saved / "neurons.csv", saved / "neurons.parquet")
    with pytest.raises(TableError, match="not listed"):
        load_tables(saved)
    (saved / "neurons.parquet").unlink()
    (saved / "routes.csv").unlink()
    with pytest.raises(TableError, match="not there"):
        load_tables(saved)
    os.mkfifo(saved / "routes.csv")
    with pytest.raises(TableError, match="not there"):
        load_tables(saved)


def test_huge_files_are_not_read(saved, monkeypatch):
    with open(saved / "routes.csv", "r+b") as file:
        file.truncate(2**33)
    with pytest.raises(TableError, match="allowed: at most"):
        load_tables(saved)


def test_deep_json_is_refused(saved):
    (saved / "manifest.json").write_text("[" * 100_000)
    with pytest.raises(TableError, match="not JSON"):
        load_tables(saved)


def test_an_edited_table_is_read_on_request_and_checked(saved):
    damaged(saved / "synapses.csv", b"0,0,1,1,3,3,-1,1,0\n", b"0,0,1,1,15,3,-1,1,0\n")
    assert [finding.what for finding in check(load_tables(saved, edited=True))] == ["unknown tag"]
    data = (saved / "synapses.csv").read_bytes()
    (saved / "synapses.csv").write_bytes(data.replace(b"\n", b"\r\n"))
    assert len(load_tables(saved, edited=True).frames["synapses"]) == 11


FRAME_DAMAGE = [
    ("neurons", lambda f: f.drop(columns="index"), "columns are"),
    ("neurons", lambda f: f[f.columns[::-1]], "columns are"),
    ("neurons", lambda f: f.astype(float), "whole numbers"),
    ("neurons", lambda f: f.astype(bool), "whole numbers"),
    ("neurons", lambda f: f.astype(object).replace(2, 2**63), "allowed: −2^63"),
    ("neurons", lambda f: f.astype(object).replace(2, "2"), "whole numbers"),
    ("readout", lambda f: f.assign(weight=np.nan), "NaN"),
    ("readout", lambda f: f.assign(weight="1"), "numbers"),
    ("latches", lambda f: f.assign(name="a,b"), "'a,b'"),
    ("latches", lambda f: f.assign(name=3), "not text"),
]


@pytest.mark.parametrize("table, change, message", FRAME_DAMAGE)
def test_frames_that_are_no_table_are_refused(table, change, message):
    good = tables_of(*handmade())
    with pytest.raises(TableError, match=message.replace("^", r"\^")):
        Tables(good.manifest, {**good.frames, table: change(good.frames[table])})


def test_unknown_frames_are_refused_and_missing_ones_are_empty():
    good = tables_of(*handmade())
    with pytest.raises(TableError, match="axle"):
        Tables(good.manifest, {"axle": good.frames["neurons"]})
    assert list(Tables(good.manifest, {}).frames["readout"].dtypes.astype(str)) == ["int64"] * 4 + ["float64"]


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda f: f.rename(columns={"tag": "tog"}), "columns are"),
        (lambda f: f.astype("int32"), "holds int32"),
        (lambda f: f.astype({"tag": float}), "holds double"),
        (lambda f: f.astype({"tag": "Int64"}).replace({"tag": {3: pd.NA}}), "empty cells"),
    ],
)
def test_parquet_that_is_no_table_is_refused(tmp_path, change, message):
    tables = tables_of(*handmade())
    tables.save(tmp_path / "t", parquet=True)
    change(tables.frames["synapses"]).to_parquet(tmp_path / "t" / "synapses.parquet", index=False)
    with pytest.raises(TableError, match=f"synapses.parquet.*{message}"):
        load_tables(tmp_path / "t", edited=True)


def mutated(data: bytes, g: random.Random) -> bytes:
    place = g.randrange(len(data))
    kind = g.randrange(5)
    if kind == 0:
        return data[:place]
    if kind == 1:
        return data[:place] + bytes([g.randrange(256)]) + data[place + 1 :]
    if kind == 2:
        return (
            data[:place] + g.choice([b"-1", b"9" * 19, b",", b"\n", b"0", b'"', b"null", b"[]", b"1e5"]) + data[place:]
        )
    if kind == 3:
        return data[:place] + data[place + g.randrange(1, 30) :]
    lines = data.split(b"\n")
    lines.insert(g.randrange(len(lines)), g.choice(lines))
    return b"\n".join(lines)


@pytest.mark.parametrize("parquet, count", [(False, 300), (True, 100)])
def test_mutated_files_are_refused_found_or_harmless(tmp_path, parquet, count):
    """Not edited: refused, or the same. Edited: refused, found, or a configuration that can be run."""
    good = tables_of(*handmade())
    good.save(tmp_path / "good", parquet=parquet)
    g, refused, odd, run = random.Random(0), 0, 0, 0
    files = sorted(path.name for path in (tmp_path / "good").iterdir())
    for _ in range(count):
        folder = tmp_path / "t"
        shutil.copytree(tmp_path / "good", folder)
        path = folder / g.choice(files)
        path.write_bytes(mutated(path.read_bytes(), g))
        try:
            assert same_without_task(load_tables(folder), good)
        except TableError:
            refused += 1
        try:
            findings = check(tables := load_tables(folder, edited=True))
            odd += bool(findings)
            if not findings:
                x = {name: np.zeros((2, 1, n), int) for name, n in tables.input_channels.items()}
                replay(tables, x)
                run += 1
        except NeuroError as error:
            assert "\n" not in str(error)
        shutil.rmtree(folder)
    assert refused > 0.7 * count and (odd or parquet) and run


def same_without_task(a: Tables, b: Tables) -> bool:
    """The manifest has no hash of itself: what it says beside the chip may change, and the checker judges that."""
    for table in a.frames:
        pd.testing.assert_frame_equal(a.frames[table], b.frames[table])
    return a.chip == b.chip
