"""Signals and event trains of fixed length: Yin-Yang, MNIST-1D, ECG (QTDB), Braille, EMG gestures."""

from __future__ import annotations

import re
import zipfile
import zlib

import numpy as np

from neuro.data.arrays import labels_of, read_mat, read_npy, read_npz, samples_of
from neuro.data.locate import Official, locate
from neuro.data.parts import Samples, joined
from neuro.data.tables import read_rows
from neuro.errors import DataError

YINYANG = "https://raw.githubusercontent.com/lkriener/yin_yang_data_set/a99d0f83c6874600e00d2b161b4b0d6037839bf2/publication_data/"
YINYANG_MD5 = {
    "train_samples": "3fae7547e219eb404ccff4a25b22b222",
    "train_labels": "7c2308419fa155778745d0bb5e25c6d8",
    "validation_samples": "cea596192f395311c3f998e1e850023f",
    "validation_labels": "06b2b61e504f5ce15a41bee3ec9372fc",
    "test_samples": "b19247a98a2c785f761fa96bb76cbc8e",
    "test_labels": "eac8c29460f0e17fffa75cb645c05d93",
}
MNIST1D = Official("https://github.com/greydanus/mnist1d, the arrays x, y, x_test, y_test of mnist1d_data.pkl as NPZ")
QTDB = "https://raw.githubusercontent.com/byin-cwi/Efficient-spiking-networks/1331f6c052e73d48eb71a1dc62239948e874ecb2/data/"
QTDB_MD5 = {"train": "39790ebc28587c94a2245fae7475e6f2", "test": "4deb6d02f9dae171ad99f2b372926cc0"}
BRAILLE = Official("https://zenodo.org/records/7050094, encoded and binned, as arrays x, y, test in an NPZ")
EMG = Official("https://archive.ics.uci.edu/dataset/481/emg+data+for+gestures")
EMG_TEST_SUBJECTS = (29, 31, 32, 33, 35, 36)
EMG_ROWS, EMG_EVERY = 1000, 5  # a segment's middle second; the arm band samples at 200 Hz and rows repeat at 1 kHz
EMG_FULL_SCALE = 1.28e-3  # a signed byte times 1e-5


def _yinyang() -> Samples:
    """The published sample set: 5,000 / 1,000 / 1,000 of 4 values in 0..1 (Kriener et al., 10.1145/3517343.3517380)."""
    x, y = [], []
    for part in ("train", "validation", "test"):
        values, labels = (
            locate(f"YINYANG/publication_data/{name}.npy", Official(f"{YINYANG}{name}.npy", YINYANG_MD5[name]))
            for name in (f"{part}_samples", f"{part}_labels")
        )
        x.append(samples_of(read_npy(values), str(values), (2,)))
        y.append(labels_of(read_npy(labels), len(x[-1]), str(labels), 3))
    ends = np.cumsum([len(part) for part in y])
    numbers = np.arange(ends[-1])
    return Samples(np.concatenate(x), np.concatenate(y), test=numbers[ends[1] :], validation=numbers[ends[0] : ends[1]])


def _mnist1d() -> Samples:
    """The frozen published set, 4,000 and 1,000 signals of 40 points, as [n, 40, 1] (Greydanus & Kobak, 2011.14439)."""
    path = locate("MNIST1D/mnist1d.npz", MNIST1D)
    held = read_npz(path, ("x", "y", "x_test", "y_test"))
    parts = []
    for x, y in (("x", "y"), ("x_test", "y_test")):
        values = samples_of(held[x], f"{path}, array {x}", (2,))[:, :, None]
        parts.append((values, labels_of(held[y], len(values), f"{path}, array {y}", 10)))
    return joined(*parts)


def _ecg_qtdb() -> Samples:
    """ECG of two leads as level-crossing events [n, 1301, 4], a wave label a step (Yin, Corradi & Bohte 2021).

    Each sample of the published files ends with one −1 in channel 0: an end marker, dropped here. Steps without a label
    (8 to 10 % of them) have −1.
    """
    parts = []
    for part, md5 in QTDB_MD5.items():
        path = locate(f"ECG_QTDB/QTDB_{part}.mat", Official(f"{QTDB}QTDB_{part}.mat", md5))
        held = read_mat(path, ("x", "y"))
        x, y = held["x"], held["y"]
        if x.ndim != 3 or y.ndim != 3 or x.shape[:2] != y.shape[:2]:
            raise DataError(
                f"{path}: x {list(x.shape)} and y {list(y.shape)}, allowed: [n, T, channels] and [n, T, classes]"
            )
        named = y.sum(2)
        if not np.isin(y, (0, 1)).all() or (named > 1).any():
            row = int(((named > 1) | ~np.isin(y, (0, 1)).all(2)).any(1).argmax())
            raise DataError(f"{path}, sample {row}: a step has more than one label, allowed: one of y is 1, or none")
        events = np.where(x == -1, 0, x)
        if not np.isin(events, (0, 1)).all():
            row = int((~np.isin(events, (0, 1))).any((1, 2)).argmax())
            raise DataError(
                f"{path}, sample {row}: x holds {events[row].max()}, allowed: events 0 or 1, and -1 as end marker"
            )
        parts.append((events.astype(np.uint8), np.where(named > 0, y.argmax(2), -1).astype(np.int64)))
    return joined(*parts)


def _braille() -> Samples:
    """7 letters felt by 12 taxels, events [n, 256, 12] of 5 ms steps (Müller-Cleve et al. 2022), the split as marked."""
    path = locate("BRAILLE/braille7.npz", BRAILLE)
    held = read_npz(path, ("x", "y", "test"))
    x, where = samples_of(held["x"], f"{path}, array x", (3,)), f"{path}, array test"
    mark = labels_of(held["test"], len(x), where, 2)
    return Samples(x, labels_of(held["y"], len(x), f"{path}, array y", 7), test=np.flatnonzero(mark))


def _emg_gestures() -> Samples:
    """Eight EMG channels of six hand gestures as signals [n, 200, 8] in ±1 at 200 Hz (UCI 481, Lobov et al. 2018).

    One sample a gesture: the middle second of each run of rows with one class. Subjects 29, 31, 32, 33, 35, 36 are the
    test part and validation takes whole subjects. Class 7, which few subjects have, and shorter runs are left out.
    """
    path = locate("EMG/EMG_data_for_gestures-31subjects.zip", EMG)
    x, y, subjects = [], [], []
    for name, data in _recordings(path):
        rows = read_rows(data, f"{path}, {name}", "\t", 10, header=True)
        for values, label in _gestures(rows):
            x.append(values)
            y.append(label)
            subjects.append(int(name.split("/")[-2]))
    if not x:
        raise DataError(f"{path}: no run of {EMG_ROWS} rows with a class from 1 to 6 in any recording")
    groups = np.array(subjects)
    test = np.flatnonzero(np.isin(groups, EMG_TEST_SUBJECTS))
    return Samples(np.stack(x), np.array(y, np.int64), test=test, groups=groups)


def _recordings(path):
    """Give (name, bytes) of every recording in the archive, in the order of their names."""
    try:
        with zipfile.ZipFile(path) as held:
            for name in sorted(n for n in held.namelist() if re.search(r"(^|/)\d+/\d_raw_data[^/]*\.txt$", n)):
                yield name, held.read(name)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        raise DataError(f"{path}: damaged archive ({error}); fetch it again") from None


def _gestures(rows: np.ndarray):
    """Give (signal [200, 8], label from 0) of every run of one class 1 to 6 that lasts a second."""
    kind = rows[:, 9]
    begins = np.flatnonzero(np.diff(kind, prepend=np.nan) != 0)
    for begin, end in zip(begins, [*begins[1:], len(rows)], strict=True):
        if 1 <= kind[begin] <= 6 and end - begin >= EMG_ROWS:
            first = begin + (end - begin - EMG_ROWS) // 2
            values = rows[first : first + EMG_ROWS : EMG_EVERY, 1:9] / EMG_FULL_SCALE
            yield values.clip(-1, 1).astype(np.float32), int(kind[begin]) - 1


SERIES = {
    "yinyang": _yinyang,
    "mnist1d": _mnist1d,
    "ecg_qtdb": _ecg_qtdb,
    "braille": _braille,
    "emg_gestures": _emg_gestures,
}
