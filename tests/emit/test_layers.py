"""Models on tiles: tables read back, limits derived again, a replay equal to the bit, and noise compared as statistics."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from tiny_task import call
from torch import nn

import neuro
from neuro.emit import export_layers
from neuro.emulator.layers import replay_layers
from neuro.errors import NeuroError, TableError
from neuro.silicon import on_tiles
from neuro.tables import layers
from neuro.tables.check_layers import check_layers
from neuro.tables.layers import load_layer_tables
from neuro.tables.parquet import to_parquet
from neuro.verification import verify_layers

CHIPS = {
    "rram": ("rram-crossbar", ["tiles.rows=20", "tiles.columns=4"]),
    "mac": ("nvm-mac", ["devices.nonlinearity=2.0", "devices.ratio=5.0"]),
    "pcm": ("pcm-crossbar", ["tiles.rows=9", "devices.gain=0.8", "devices.ratio=10.0", "devices.states=5"]),
}


def model(kind):
    if kind == "dense":
        return nn.Sequential(nn.Linear(36, 12), nn.ReLU(), nn.Linear(12, 5)), torch.randn(40, 36)
    layers = [nn.Conv2d(1, 3, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2, 1), nn.Conv2d(3, 4, 2, stride=2, bias=False)]
    return nn.Sequential(*layers, nn.ReLU(), nn.Flatten(), nn.Linear(4, 5)), torch.randn(40, 1, 6, 6)


def on_chip(chip, kind, steps=3):
    torch.manual_seed(0)
    name, overrides = CHIPS[chip]
    network, x = model(kind)
    held = on_tiles(network, neuro.load_chip(name, overrides), x)
    optimizer = neuro.QRewiring(torch.optim.Adam(held.parameters(), 0.01), held)
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(held(x), torch.arange(40) % 5).backward()
        optimizer.step()
    return held, torch.randn_like(x)


@pytest.fixture(scope="module")
def dense():
    return on_chip("rram", "dense")


@pytest.mark.parametrize("kind", ["dense", "pictures"])
@pytest.mark.parametrize("chip", CHIPS)
def test_the_replay_of_saved_tables_equals_the_model_to_the_bit(chip, kind, tmp_path):
    held, x = on_chip(chip, kind)
    tables = neuro.export(held)
    assert neuro.check(tables) == []
    tables.save(tmp_path / "a")
    again = neuro.load_tables(tmp_path / "a")
    assert again.manifest == tables.manifest
    again.save(tmp_path / "b")
    assert all(
        (tmp_path / "a" / n).read_bytes() == (tmp_path / "b" / n).read_bytes() for n in ("layers.json", "pairs.csv")
    )
    with torch.no_grad():
        assert torch.equal(neuro.replay(again, x), held.eval()(x))
    assert verify_layers(held, x).passed
    digital = [(layer.op, layer.digital) for layer in again.manifest.layers if layer.digital]
    assert digital == [("relu", True)] + (
        [("max_pool", True), ("relu", True), ("flatten", True)] if kind != "dense" else []
    )


def test_the_command_line_checks_and_replays(dense, tmp_path):
    held, x = dense
    neuro.export(held).save(tmp_path / "a")
    np.save(tmp_path / "x.npy", x.numpy())
    assert call("check", tmp_path / "a").status == 0
    said = call("replay", tmp_path / "a", "--input", tmp_path / "x.npy", "--out", tmp_path / "y.npy")
    assert said.status == 0, said.err
    with torch.no_grad():
        assert np.array_equal(np.load(tmp_path / "y.npy"), held.eval()(x).numpy())
    said = call("replay", tmp_path / "a", "--input", tmp_path / "x.npy", "--out", tmp_path / "z.npy", "--spikes", "a")
    assert said.status == 2 and "without spikes" in said.err


def test_parquet_holds_the_same_model(dense, tmp_path):
    held, x = dense
    tables = neuro.export(held)
    tables.save(tmp_path / "a", parquet=True)
    assert {p.name for p in (tmp_path / "a").iterdir()} == {"layers.json", "pairs.parquet", "biases.parquet"}
    again = neuro.load_tables(tmp_path / "a")
    assert neuro.check(again) == [] and again.manifest == tables.manifest
    with torch.no_grad():
        assert torch.equal(neuro.replay(again, x), held.eval()(x))
    assert verify_layers(held, x, tmp_path / "a").passed
    assert call("check", tmp_path / "a").status == 0
    again.save(tmp_path / "a", overwrite=True)
    assert {p.name for p in (tmp_path / "a").iterdir()} == {"layers.json", "pairs.csv", "biases.csv"}


def test_long_tables_of_a_model_are_parquet(dense, tmp_path, monkeypatch):
    tables = neuro.export(dense[0])
    monkeypatch.setattr(layers, "CSV_ROWS", len(tables.frames["pairs"]) - 1)
    tables.save(tmp_path / "a")
    assert (tmp_path / "a" / "pairs.parquet").is_file()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: (f / "pairs.parquet").write_bytes(b"x"), "pairs.parquet: does not match its sha256"),
        (lambda f: (f / "pairs.parquet").unlink(), "pairs.parquet: is not there"),
        (lambda f: (f / "pairs.csv").write_text("x"), "pairs.csv: is not listed in layers.json"),
        (lambda f: _named(f, "../pairs.csv"), "files.pairs is '../pairs.csv', allowed: pairs.csv or pairs.parquet"),
    ],
)
def test_a_damaged_folder_of_parquet_is_refused(dense, tmp_path, change, message):
    neuro.export(dense[0]).save(tmp_path / "a", parquet=True)
    change(tmp_path / "a")
    with pytest.raises(TableError, match=message):
        load_layer_tables(tmp_path / "a")
    assert call("check", tmp_path / "a").status == 2


def test_wrong_cells_of_parquet_are_found(dense, tmp_path):
    neuro.export(dense[0]).save(tmp_path / "a", parquet=True)
    path = tmp_path / "a" / "pairs.parquet"
    for column in ("level_plus", "row", "g_minus_us", "pulses_plus"):
        frame = pd.read_parquet(path)
        frame.loc[3, column] += 1
        whole = path.read_bytes()
        path.write_bytes(to_parquet(frame))
        said = call("check", tmp_path / "a", "--edited")
        assert said.status == 1 and "layer 0" in said.out, column
        path.write_bytes(whole)


def _named(folder, name):
    content = json.loads((folder / "layers.json").read_text())
    content["files"]["pairs"]["file"] = name
    (folder / "layers.json").write_text(json.dumps(content))


def test_noise_is_compared_as_statistics(dense):
    held, x = dense
    proof = verify_layers(held, x[:6], draws=60)
    assert proof.passed and proof.noise.draws == 60 and 0 < proof.noise.largest_z < 6
    assert "60 draws each" in str(proof)
    tables = export_layers(held)
    first, second = (replay_layers(tables, x, noise_seed=seed) for seed in (1, 2))
    assert not torch.equal(first, second) and torch.equal(first, replay_layers(tables, x, noise_seed=1))


def test_another_model_is_not_verified(dense, tmp_path):
    held, x = dense
    export_layers(on_chip("rram", "dense", steps=6)[0]).save(tmp_path / "other")
    proof = verify_layers(held, x, tmp_path / "other")
    assert not proof.passed and proof.differ > 0


def test_wrong_cells_are_found(dense, tmp_path):
    tables, rng = export_layers(dense[0]), np.random.default_rng(0)
    tables.save(tmp_path / "a")
    for number in range(40):
        folder = shutil.copytree(tmp_path / "a", tmp_path / "b")
        path = folder / ("pairs.csv" if number % 4 else "biases.csv")
        header, *rows = (line.split(",") for line in path.read_text().splitlines())
        row, column = int(rng.integers(len(rows))), int(rng.integers(len(header)))
        if header[column] == "bias":
            column = 1
        old = rows[row][column]
        rows[row][column] = str(int(old) + int(rng.choice([-1, 1]))) if "x" not in old else (99.5).hex()
        path.write_text("\n".join(",".join(r) for r in [header, *rows]) + "\n")
        with pytest.raises(TableError, match="sha256"):
            load_layer_tables(folder)
        found = check_layers(load_layer_tables(folder, edited=True))
        assert found, (header[column], old)
        with pytest.raises(TableError):
            replay_layers(load_layer_tables(folder, edited=True), dense[1])
        shutil.rmtree(folder)


def test_what_cannot_be_is_refused(dense, tmp_path):
    held, x = dense
    tables = export_layers(held)
    with pytest.raises(NeuroError, match="layer 0 would take 35 inputs, allowed: 36"):
        replay_layers(tables, x[:, :35])
    with pytest.raises(NeuroError, match="finite numbers"):
        replay_layers(tables, x * float("nan"))
    with pytest.raises(NeuroError, match="is on no chip's tiles"):
        export_layers(neuro.constrain(nn.Linear(3, 2), {}))
    (tmp_path / "layers.json").write_text('{"format": "neuro-tables"}')
    with pytest.raises(TableError, match="is no neuro-layers of version 1"):
        load_layer_tables(tmp_path)
    held.module[0].parametrizations.weight.original.data += 1.0
    with pytest.raises(NeuroError, match="parameters changed without projection"):
        export_layers(held)
    held.project()
