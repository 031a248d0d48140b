"""A user's own data in four forms, each written here by other means than it is read; and what is refused."""

import csv
import struct

import h5py
import numpy as np
import pytest

from neuro.data import load_dataset
from neuro.errors import DataError
from neuro.task import Data

RNG = np.random.default_rng(4)
Y = np.arange(12) % 3


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("NEURO_DATA", str(tmp_path))
    return tmp_path


def everything(data):
    parts = (data.train, data.validation, data.test)
    order = np.argsort(np.concatenate([p.ids for p in parts]))
    y = np.concatenate([p.y for p in parts])[order]
    return np.concatenate([p.x for p in parts])[order], y


def load(kind, files, **more):
    return load_dataset(Data(dataset=kind, files=files, **{"test": 0.25, "validation": 0.34} | more))


def test_npz(folder):
    x = RNG.random((12, 5))
    np.savez(folder / "a.npz", x=x, y=Y)
    data = load("npz", {"train": "a.npz"})
    found, y = everything(data)
    assert np.array_equal(found, x.astype(np.float32)) and np.array_equal(y, Y)
    np.savez(folder / "b.npz", x=x, y=Y, test=np.arange(12) >= 9)
    assert load("npz", {"train": "b.npz"}, test=None).test.ids.tolist() == [9, 10, 11]
    np.savez(folder / "c.npz", x=x, y=Y, x_test=x[:3], y_test=Y[:3])
    assert load("npz", {"train": "c.npz"}, test=None).test.ids.tolist() == [12, 13, 14]


def test_idx(folder):
    images = RNG.integers(0, 256, (12, 4, 6))
    (folder / "i.idx").write_bytes(struct.pack(">HBBIII", 0, 8, 3, 12, 4, 6) + images.astype(np.uint8).tobytes())
    (folder / "l.idx").write_bytes(struct.pack(">HBBI", 0, 8, 1, 12) + Y.astype(np.uint8).tobytes())
    files = {"images": "i.idx", "labels": "l.idx"}
    x, y = everything(load("idx", files))
    assert np.array_equal(x, images.reshape(12, 24)) and np.array_equal(y, Y)
    both = load("idx", files | {"test_images": "i.idx", "test_labels": "l.idx"}, test=None)
    assert np.array_equal(both.test.x, images.reshape(12, 24))
    with pytest.raises(DataError, match="data.files"):
        load("idx", files | {"test_images": "i.idx"})


def write_csv(path, x, y, names=("a", "b")):
    with open(path, "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["sample", "label", *names])
        for i, (signal, label) in enumerate(zip(x, y, strict=True)):
            table.writerows([i, label, *step] for step in signal)


def test_csv(folder):
    x = RNG.normal(size=(12, 7, 2)).round(4)
    write_csv(folder / "a.csv", x, Y)
    found, y = everything(load("csv", {"train": "a.csv"}))
    assert np.array_equal(found, x.astype(np.float32)) and np.array_equal(y, Y)
    write_csv(folder / "t.csv", x[:4], Y[:4])
    assert np.array_equal(load("csv", {"train": "a.csv", "test": "t.csv"}, test=None).test.x, x[:4].astype(np.float32))


def test_hdf5_events(folder):
    with h5py.File(folder / "e.h5", "w") as file:
        times = file.create_dataset("spikes/times", 12, h5py.vlen_dtype(np.float64))
        units = file.create_dataset("spikes/units", 12, h5py.vlen_dtype(np.int32))
        for i in range(12):
            times[i], units[i] = np.arange(i) * 0.001, np.arange(i) % 5
        file["labels"] = Y
    data = load("hdf5_events", {"train": "e.h5"})
    assert data.train.x.channels == 5
    for part in (data.train, data.validation, data.test):
        for row, number in enumerate(part.ids.tolist()):
            events = part.x[np.array([row])].flat
            assert events.tolist() == [[1000 * k, k % 5] for k in range(number)]


def test_what_is_wrong_is_named(folder, monkeypatch):
    x = RNG.random((12, 3, 2))
    write_csv(folder / "a.csv", x, Y)
    lines = (folder / "a.csv").read_text().splitlines()

    def refused(words, kind="csv", files=None, text=None):
        if text is not None:
            (folder / "bad.csv").write_text("\n".join(text))
        with pytest.raises(DataError) as caught:
            load(kind, files or {"train": "bad.csv"})
        assert all(word in str(caught.value) for word in words), str(caught.value)

    refused(["bad.csv:1", "sample,label"], text=["time,value", "1,2"])
    refused(["bad.csv:5", "column 3", "'oops'"], text=[*lines[:4], "1,1,oops,2", *lines[5:]])
    refused(["bad.csv:5", "3 columns", "4"], text=[*lines[:4], "1,1,2", *lines[5:]])
    refused(["bad.csv:5", "sample 1", "2 rows", "3"], text=[*lines[:6], *lines[7:]])
    refused(["bad.csv:38", "sample 0", "begins again"], text=[*lines, *lines[1:4]])
    refused(["bad.csv:2", "label of sample 0 changes"], text=[lines[0], lines[1], "0,2,1,1", *lines[3:]])
    refused(["row 0", "label 0.5"], text=[lines[0], *(["0,0.5,1,1"] * 3)])
    refused(["missing", "none.csv"], files={"train": "none.csv"})
    for outside in ("../a.csv", "/etc/passwd", "."):
        refused(["inside"], files={"train": outside})
    refused(["keys first", "train"], files={"first": "a.csv"})
    np.savez(folder / "n.npz", x=x[:, :, 0], y=Y[:5])
    refused(["labels of shape [5]", "12"], "npz", {"train": "n.npz"})
    np.savez(folder / "n.npz", x=x)
    refused(["no array 'y'"], "npz", {"train": "n.npz"})
    np.savez(folder / "n.npz", x=x, y=Y, x_test=x[:, :2], y_test=Y)
    refused(["[3, 2]", "[2, 2]"], "npz", {"train": "n.npz"})
    x[4, 1, 1] = np.inf
    np.savez(folder / "n.npz", x=x, y=Y)
    refused(["row 4", "infinity"], "npz", {"train": "n.npz"})
    with pytest.raises(DataError, match="data.files is given with mnist"):
        load("mnist", {"train": "a.csv"})
    monkeypatch.delenv("NEURO_DATA")
    refused(["--data DIR"], files={"train": "a.csv"})
