"""The picture of encoded samples: drawn for every kind of data, refused where it cannot be."""

import pytest
from tiny_task import ROOT, call, refused

import neuro
from neuro.reports import encoded

FILES = ROOT / "tests/data/files"


@pytest.mark.parametrize("name", ["smnist", "ecg", "fsdd", "mnist-binary", "yinyang"])
def test_pictures_of_every_kind_of_data(name, tmp_path):
    said = call("tasks", name, "--plot", tmp_path / "a.png", "--data", FILES)
    assert said.status == 0, said
    picture = (tmp_path / "a.png").read_bytes()
    assert picture.startswith(b"\x89PNG") and len(picture) > 10_000
    assert str(tmp_path / "a.png") in said.out


def test_every_step_has_a_whole_bar_on_one_scale(monkeypatch, tmp_path):
    figures = []
    monkeypatch.setattr(encoded, "save", lambda fig, path: figures.append(fig))
    encoded.plot_encoding(neuro.load_task("digits"), tmp_path / "a.png")
    samples = figures[0].axes[4:]
    bars = [ax.patches[0].get_data() for ax in samples]
    assert all(bar.edges.tolist() == [step - 0.5 for step in range(31)] for bar in bars)
    assert {ax.get_ylim() for ax in samples} == {(0, samples[0].get_ylim()[1])}
    assert samples[0].get_ylim()[1] >= max(bar.values.max() for bar in bars)


def test_bad_places_and_missing_data_are_told(tmp_path):
    refused(call("tasks", "yinyang", "--plot", tmp_path), "--plot")
    refused(call("tasks", "yinyang", "--plot", tmp_path / "a.txt"), ".png")
    refused(call("tasks", "yinyang", "--plot", tmp_path / "no" / "a.png"), "folder that exists")
    refused(call("tasks", "--plot", tmp_path / "a.png"), "name it")
    refused(call("tasks", "yinyang", "--plot", tmp_path / "a.png", "--data", tmp_path), "YINYANG", "missing")
    assert not list(tmp_path.iterdir())
