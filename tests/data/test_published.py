"""Loaders on small files of the published forms (always), and on the real files where NEURO_DATA names them."""

import gzip
import io
import os
import struct
import wave
import zipfile
from pathlib import Path

import numpy as np
import pytest

from neuro.data import load_dataset
from neuro.errors import DataError
from neuro.task import Data

FILES = Path(__file__).parent / "files"
REAL = os.environ.get("NEURO_DATA")
SMALL = {  # samples of all three parts together, of the test part, classes, the shape of a sample
    "mnist": (80, 20, 10, (784,)),
    "fashion_mnist": (80, 20, 10, (784,)),
    "emnist_balanced": (30, 10, 10, (784,)),
    "emnist_letters": (30, 10, 10, (784,)),
    "optdigits": (60, 20, 10, (64,)),
    "yinyang": (100, 20, 3, (4,)),
    "mnist1d": (80, 20, 10, (40, 1)),
    "ecg_qtdb": (21, 5, 6, (1301, 4)),
    "braille": (56, 14, 7, (256, 12)),
    "emg_gestures": (24, 6, 6, (200, 8)),
    "fsdd": (40, 10, 10, None),
    "shd": (80, 20, 20, None),
    "ssc": (40, 10, 20, None),
    "nmnist": (50, 20, 10, None),
}


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setenv("NEURO_DATA", str(FILES))


@pytest.mark.parametrize("name", SMALL)
def test_every_form_is_read_and_split(small, name):
    everything, tested, classes, shape = SMALL[name]
    data = load_dataset(Data(dataset=name))
    parts = (data.train, data.validation, data.test)
    assert sorted(i for p in parts for i in p.ids.tolist()) == list(range(everything))
    assert len(data.test) == tested and data.classes == classes
    for part in parts:
        assert len(part) == len(part.x) == len(part.y) == len(part.ids)
        assert shape is None or part.x.shape[1:] == shape
        assert part.y.dtype == np.int64
    again = load_dataset(Data(dataset=name))
    assert np.array_equal(again.validation.ids, data.validation.ids)


def raw_idx(path, header):
    return np.frombuffer(gzip.decompress(path.read_bytes())[header:], np.uint8)


def test_idx_by_hand(small):
    data = load_dataset(Data(dataset="mnist"))
    images = raw_idx(FILES / "MNIST/raw/train-images-idx3-ubyte.gz", 16).reshape(60, 784)
    labels = raw_idx(FILES / "MNIST/raw/train-labels-idx1-ubyte.gz", 8)
    for part in (data.train, data.validation):
        assert np.array_equal(part.x, images[part.ids]) and np.array_equal(part.y, labels[part.ids])
    assert data.test.ids.tolist() == list(range(60, 80))
    assert np.array_equal(data.test.x, raw_idx(FILES / "MNIST/raw/t10k-images-idx3-ubyte.gz", 16).reshape(20, 784))


def test_emnist_is_turned_upright_and_letters_count_from_0(small):
    upright = load_dataset(Data(dataset="mnist"))
    letters = load_dataset(Data(dataset="emnist_letters"))
    assert letters.classes == 10 and letters.test.y.min() == 0
    x = {int(i): row for p in (upright.train, upright.validation) for i, row in zip(p.ids, p.x, strict=True)}
    for part in (letters.train, letters.validation):  # the same made-up pictures, packed on their side
        for i, row in zip(part.ids, part.x, strict=True):
            assert np.array_equal(row, x[int(i)])


def test_permuted_is_one_order_for_all(small):
    plain, mixed = (load_dataset(Data(dataset="mnist", permutation_seed=s)) for s in (None, 5))
    order = np.random.default_rng(5).permutation(784)
    assert np.array_equal(mixed.train.x, plain.train.x[:, order])
    assert np.array_equal(mixed.test.x, plain.test.x[:, order])
    assert np.array_equal(mixed.train.ids, plain.train.ids)
    with pytest.raises(DataError, match="permutation_seed"):
        load_dataset(Data(dataset="braille", permutation_seed=1))


def test_tiles_are_stretches_of_channels(small):
    plain, tiled = (load_dataset(Data(dataset="mnist", tiles=t)) for t in (None, 2))
    picture, quarters = plain.test.x[4].reshape(28, 28), tiled.test.x[4].reshape(4, 14, 14)
    wanted = (picture[:14, :14], picture[:14, 14:], picture[14:, :14], picture[14:, 14:])
    assert all(np.array_equal(a, b) for a, b in zip(quarters, wanted, strict=True))
    with pytest.raises(DataError, match="tiles is 3"):
        load_dataset(Data(dataset="mnist", tiles=3))


def test_ecg_loses_its_end_marker_and_keeps_steps_without_label(small):
    data = load_dataset(Data(dataset="ecg_qtdb"))
    for part in (data.train, data.validation, data.test):
        assert set(np.unique(part.x)) == {0, 1} and part.y.shape == (len(part), 1301)
        assert (part.y[:, 600:650] == -1).all() and (part.y == -1).sum() == 50 * len(part)
    i = int(data.test.ids[0]) - 16
    assert data.test.y[0, 0] == (37 * i) // 60 % 6


def test_labels_of_every_step_come_later_by_the_tail(small):
    part = load_dataset(Data(dataset="ecg_qtdb")).test
    labels = part.labels(np.array([0, 3]), 4)
    assert labels.shape == (1305, 2) and (labels[:4] == -1).all()
    assert np.array_equal(labels[4:].T, part.y[[0, 3]])
    plain = load_dataset(Data(dataset="yinyang")).test
    assert np.array_equal(plain.labels(np.array([1, 0]), 4), plain.y[[1, 0]])


def test_emg_takes_the_middle_second_and_whole_subjects(small):
    data = load_dataset(Data(dataset="emg_gestures"))
    with zipfile.ZipFile(FILES / "EMG/EMG_data_for_gestures-31subjects.zip") as held:
        text = held.read("EMG_data_for_gestures-master/29/1_raw_data_made-up.txt").decode().splitlines()[1:]
    rows = [[float(cell) for cell in line.split("\t")] for line in text]
    fist = [row for row in rows if row[9] == 2][15:1015:5]  # 1,030 rows: 15 left out on either side
    assert np.allclose(data.test.x[1], np.array(fist)[:, 1:9] / 1.28e-3)
    assert data.test.y.tolist() == [0, 1, 2, 3, 4, 5]
    assert len(data.validation) == 6 and len({i // 6 for i in data.validation.ids.tolist()}) == 1


def test_fsdd_keeps_sound_as_recorded_and_the_official_test_part(small):
    data = load_dataset(Data(dataset="fsdd"))
    with zipfile.ZipFile(FILES / "FSDD/recordings.zip") as held:
        names = sorted(held.namelist())
        for row, number in enumerate(data.test.ids.tolist()):
            digit, _, index = names[number].removesuffix(".wav").split("/")[1].split("_")
            with wave.open(io.BytesIO(held.read(names[number]))) as file:
                sound = np.frombuffer(file.readframes(file.getnframes()), np.int16)
            assert int(index) < 5 and int(digit) == data.test.y[row]
            assert np.array_equal(data.test.x[np.array([row])].flat, sound)


@pytest.mark.parametrize("name", ["shd", "ssc"])
def test_heidelberg_lists_are_microseconds_and_channels(small, name):
    import h5py

    data = load_dataset(Data(dataset=name))
    with h5py.File(FILES / f"{name.upper()}/{name}_test.h5") as file:
        for row in (0, 7):
            batch = data.test.x[np.array([row])]
            assert np.array_equal(batch.flat[:, 1], file["spikes/units"][row])
            assert np.allclose(batch.flat[:, 0], file["spikes/times"][row].astype(float) * 1e6, atol=0.5)
            assert data.test.y[row] == file["labels"][row]
    assert batch.channels == 700
    if name == "ssc":
        assert data.validation.ids.tolist() == list(range(20, 30))  # its own validation part
    batch = data.train.x[np.array([3, 0, 3])]
    assert len(batch) == 3
    assert np.array_equal(batch[np.array([0])].flat, batch[np.array([2])].flat)


def test_nmnist_records_by_hand(small):
    from neuro.data.event_files import parse_nmnist

    first = bytes([3, 5, 0x80, 0x01, 0x02])  # x 3, y 5, on, 258 µs
    overflow = bytes([0, 240, 0, 0, 0])
    late = bytes([33, 33, 0x01, 0x00, 0x00])  # off, 65,536 µs, after one overflow of 8,192
    assert parse_nmnist(first + overflow + late, "here").tolist() == [
        [258, (34 + 5) * 34 + 3],
        [65536 + 8192, 33 * 34 + 33],
    ]
    data = load_dataset(Data(dataset="nmnist"))
    assert data.test.y.tolist() == sorted(data.test.y.tolist())  # folders 0 to 9 one after the other
    assert data.train.x.channels == 2312


def damaged(folder, source, change):
    """Copy one small file into a folder of its own, changed."""
    for path in source.parent.iterdir():
        target = folder / path.relative_to(FILES)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(change(path.read_bytes()) if path == source else path.read_bytes())


FIRST_FILES = {
    "mnist": "MNIST/raw/train-images-idx3-ubyte.gz",
    "emnist_balanced": "EMNIST/raw/gzip.zip",
    "optdigits": "OPTDIGITS/optdigits.tra",
    "yinyang": "YINYANG/publication_data/train_samples.npy",
    "mnist1d": "MNIST1D/mnist1d.npz",
    "ecg_qtdb": "ECG_QTDB/QTDB_train.mat",
    "braille": "BRAILLE/braille7.npz",
    "emg_gestures": "EMG/EMG_data_for_gestures-31subjects.zip",
    "fsdd": "FSDD/recordings.zip",
    "shd": "SHD/shd_train.h5",
    "nmnist": "N-MNIST/train.zip",
}


@pytest.mark.parametrize("name", FIRST_FILES)
def test_damaged_files_get_one_message_that_names_them(name, tmp_path, monkeypatch):
    """Cut anywhere, or with bytes changed: read as what it is, or refused by name; never another error."""
    source = FILES / FIRST_FILES[name]
    rng, size, refusals = np.random.default_rng(0), len(source.read_bytes()), 0
    cuts = [0, 1, 3, size // 3, size - 1]
    changes = [lambda data, n=n: data[:n] for n in cuts]
    for at in rng.integers(0, size, 8).tolist():
        changes.append(lambda data, at=at: data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :])
    for number, change in enumerate(changes):
        folder = tmp_path / str(number)
        damaged(folder, source, change)
        monkeypatch.setenv("NEURO_DATA", str(folder))
        try:
            data = load_dataset(Data(dataset=name))
            data.train.x[np.arange(len(data.train))]
        except DataError as error:
            assert source.name in str(error), error
            assert len(str(error)) < 600
            refusals += 1
    assert refusals >= 4


def test_messages_name_the_place(tmp_path, monkeypatch):
    monkeypatch.setenv("NEURO_DATA", str(tmp_path))

    def refused(name, *words):
        with pytest.raises(DataError) as caught:
            load_dataset(Data(dataset=name))
        assert all(word in str(caught.value) for word in words), str(caught.value)

    raw = "MNIST/raw/train-{}-ubyte.gz"
    refused("mnist", "train-images", "missing", "https://")
    damaged(tmp_path, FILES / raw.format("images-idx3"), lambda _: gzip.compress(struct.pack(">HBBI", 0, 8, 1, 0)))
    refused("mnist", "byte 2", "mixed up")
    damaged(tmp_path, FILES / raw.format("images-idx3"), lambda data: gzip.compress(gzip.decompress(data)[:-5]))
    refused("mnist", "promises [60, 28, 28]", "47056", "47051")
    damaged(
        tmp_path, FILES / raw.format("labels-idx1"), lambda data: gzip.compress(gzip.decompress(data)[:-1] + b"\x0b")
    )
    refused("mnist", "row 59", "label 11", "0 to 9")
    damaged(tmp_path, FILES / "OPTDIGITS/optdigits.tra", lambda data: data.replace(b"\n", b",7\n", 1))
    refused("optdigits", "optdigits.tra:1:", "66 columns", "65")
    damaged(tmp_path, FILES / "OPTDIGITS/optdigits.tra", lambda data: b"x" + data[1:])
    refused("optdigits", "optdigits.tra:1:", "column 1", "'x'")
    damaged(tmp_path, FILES / "OPTDIGITS/optdigits.tra", lambda data: b"17" + data[1:])
    refused("optdigits", "optdigits.tra:1:", "outside 0 to 16")
    x = np.load(FILES / "YINYANG/publication_data/train_samples.npy")
    x[7, 2] = np.nan
    buffer = io.BytesIO()
    np.save(buffer, x)
    damaged(tmp_path, FILES / "YINYANG/publication_data/train_samples.npy", lambda _: buffer.getvalue())
    refused("yinyang", "train_samples.npy, row 7")
    monkeypatch.setenv("NEURO_DATA", str(tmp_path / "nowhere"))
    refused("shd", "nowhere/SHD/shd_train.h5", "zenkelab.org")


def test_pickles_are_not_read(tmp_path, monkeypatch):
    buffer = io.BytesIO()
    np.save(buffer, np.array([{}], dtype=object), allow_pickle=True)
    damaged(tmp_path, FILES / "YINYANG/publication_data/train_samples.npy", lambda _: buffer.getvalue())
    monkeypatch.setenv("NEURO_DATA", str(tmp_path))
    with pytest.raises(DataError, match="no NPY file of numbers"):
        load_dataset(Data(dataset="yinyang"))


def test_without_a_folder_files_come_from_their_address_once(tmp_path, monkeypatch):
    """pooch is given the official address and checksum, and a wrong file or no network is told with what to do."""
    import pooch

    monkeypatch.delenv("NEURO_DATA", raising=False)
    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path / name)
    asked = []

    def fetched(url, known_hash, fname, path, processor, downloader):
        asked.append((url, known_hash))
        Path(path).mkdir(parents=True, exist_ok=True)
        (Path(path) / fname).write_bytes((FILES / "MNIST/raw" / fname).read_bytes())
        return str(Path(path) / fname)

    monkeypatch.setattr(pooch, "retrieve", fetched)
    data = load_dataset(Data(dataset="mnist"))
    assert len(data.test) == 20
    assert asked[0] == (
        "https://ossci-datasets.s3.amazonaws.com/mnist/train-images-idx3-ubyte.gz",
        "md5:f68b3c2dcbeaaa9fbdd348bbdeb94873",
    )

    def no_network(*_, **__):
        import requests

        raise requests.ConnectionError("no route to host")

    monkeypatch.setattr(pooch, "retrieve", no_network)
    with pytest.raises(DataError, match="no route to host.*DIR/MNIST/raw/train-images-idx3-ubyte.gz"):
        load_dataset(Data(dataset="mnist"))
    with pytest.raises(DataError, match="github.com/Jakobovski.*DIR/FSDD/recordings.zip"):
        load_dataset(Data(dataset="fsdd"))


def test_a_download_is_checked_against_its_checksum(tmp_path, monkeypatch):
    """The real pooch, from a server in this process: a file that is not the published one is refused and not kept."""
    import io
    import logging
    import threading
    from http.server import BaseHTTPRequestHandler, HTTPServer

    import pooch

    from neuro.data.locate import Official, locate

    class Server(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", "5")
            self.end_headers()
            self.wfile.write(b"hello")

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.delenv("NEURO_DATA", raising=False)
    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path / name)
    address = f"http://127.0.0.1:{server.server_port}/x"
    lines = logging.StreamHandler(io.StringIO())
    pooch.get_logger().addHandler(lines)
    try:
        path = locate("set/x", Official(address, "5d41402abc4b2a76b9719d911017c592"))
        assert path.read_bytes() == b"hello"
        with pytest.raises(DataError, match="could not be fetched.*DIR/set/y"):
            locate("set/y", Official(address, "0" * 32))
        assert not (tmp_path / "neuro/set/y").exists()
    finally:
        server.shutdown()
        server.server_close()
    with pytest.raises(DataError) as told:
        locate("set/z", Official(address, "0" * 32))
    assert str(told.value).startswith(f"{address} could not be fetched (no connection: [Errno ")
    pooch.get_logger().removeHandler(lines)
    assert lines.stream.getvalue() == ""


real = pytest.mark.skipif(not REAL or not Path(REAL).is_dir(), reason="NEURO_DATA names no folder")


@real
@pytest.mark.parametrize(("name", "mean", "sd"), [("mnist", 0.1307, 0.3081), ("fashion_mnist", 0.2860, 0.3530)])
def test_real_idx_sets(name, mean, sd):
    data = load_dataset(Data(dataset=name))
    assert [len(p) for p in (data.train, data.validation, data.test)] == [51000, 9000, 10000]
    x = np.concatenate([data.train.x, data.validation.x])
    assert x.mean() / 255 == pytest.approx(mean, abs=1e-4) and x.std() / 255 == pytest.approx(sd, abs=1e-4)


@real
def test_real_small_sets():
    sizes = {
        "optdigits": (3823, 1797, 10),
        "yinyang": (6000, 1000, 3),
        "mnist1d": (4000, 1000, 10),
        "braille": (878, 280, 7),
    }
    for name, (rest, tested, classes) in sizes.items():
        data = load_dataset(Data(dataset=name))
        assert (len(data.train) + len(data.validation), len(data.test), data.classes) == (rest, tested, classes), name
    assert len(load_dataset(Data(dataset="yinyang")).validation) == 1000
    assert np.bincount(load_dataset(Data(dataset="braille")).test.y).tolist() == [40] * 7


@real
def test_real_ecg():
    data = load_dataset(Data(dataset="ecg_qtdb"))
    y = np.concatenate([data.train.y, data.validation.y])
    assert len(y) == 618 and len(data.test) == 141
    shares = np.bincount(y[y >= 0], minlength=6) / (y >= 0).sum()
    assert np.allclose(100 * shares, [13.6, 6.7, 6.3, 4.8, 32.9, 35.6], atol=0.06)
    assert (y == -1).mean() == pytest.approx(0.08, abs=0.01)


@real
def test_real_emg():
    data = load_dataset(Data(dataset="emg_gestures"))
    y = np.concatenate([p.y for p in (data.train, data.validation, data.test)])
    assert np.bincount(y).tolist() == [124] * 6
    assert len(data.test) == 6 * 24  # six subjects, two recordings, two gestures of a class in each


@real
def test_real_fsdd():
    data = load_dataset(Data(dataset="fsdd"))
    assert len(data.train) + len(data.validation) == 2700 and len(data.test) == 300
    lengths = np.concatenate([np.diff(p.x.start) for p in (data.train, data.validation, data.test)]) / 8000
    assert (lengths.min(), lengths.mean(), lengths.max()) == pytest.approx((0.14, 0.44, 2.28), abs=0.006)


def test_dvs_gesture_comes_through_tonic(tmp_path, monkeypatch):
    """With a stand-in of tonic's data set: the same names, arguments and structured events, none of its code."""
    import sys
    import types

    kinds = np.dtype([("x", np.int16), ("y", np.int16), ("p", bool), ("t", np.int64)])

    class DVSGesture:
        def __init__(self, save_to, train):
            assert Path(save_to) == tmp_path
            self.targets = [0, 1, 2, 0, 1, 2] if train else [2, 1]

        def __len__(self):
            return len(self.targets)

        def __getitem__(self, i):
            return np.array([(5, 7, True, 1000 + i), (0, 127, False, 9000)], kinds), self.targets[i]

    monkeypatch.setenv("NEURO_DATA", str(tmp_path))
    for name in ("tonic", "tonic.datasets"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(DataError, match=r"neuro\[events\]"):
        load_dataset(Data(dataset="dvs_gesture"))
    datasets = types.ModuleType("tonic.datasets")
    datasets.DVSGesture = DVSGesture
    monkeypatch.setitem(sys.modules, "tonic.datasets", datasets)
    with pytest.raises(DataError, match="DVSGesture is missing"):
        load_dataset(Data(dataset="dvs_gesture"))
    (tmp_path / "DVSGesture").mkdir()
    data = load_dataset(Data(dataset="dvs_gesture", validation=0.4))
    assert data.test.y.tolist() == [2, 1] and data.train.x.channels == 2 * 128 * 128
    assert data.test.x[np.array([1])].flat.tolist() == [[0, (128 + 7) * 128 + 5], [7999, 127 * 128]]
