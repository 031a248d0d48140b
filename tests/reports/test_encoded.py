"""The picture of encoded samples: drawn for every kind of data, refused where it cannot be."""

import pytest
from tiny_task import ROOT, call, refused

FILES = ROOT / "tests/data/files"


@pytest.mark.parametrize("name", ["smnist", "ecg", "fsdd", "mnist-binary", "yinyang"])
def test_pictures_of_every_kind_of_data(name, tmp_path):
    said = call("tasks", name, "--plot", tmp_path / "a.png", "--data", FILES)
    assert said.status == 0, said
    picture = (tmp_path / "a.png").read_bytes()
    assert picture.startswith(b"\x89PNG") and len(picture) > 10_000
    assert str(tmp_path / "a.png") in said.out


def test_bad_places_and_missing_data_are_told(tmp_path):
    refused(call("tasks", "yinyang", "--plot", tmp_path), "--plot")
    refused(call("tasks", "yinyang", "--plot", tmp_path / "a.txt"), ".png")
    refused(call("tasks", "yinyang", "--plot", tmp_path / "no" / "a.png"), "folder that exists")
    refused(call("tasks", "--plot", tmp_path / "a.png"), "name it")
    refused(call("tasks", "yinyang", "--plot", tmp_path / "a.png", "--data", tmp_path), "YINYANG", "missing")
    assert not list(tmp_path.iterdir())
