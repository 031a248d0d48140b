"""Published event data, left in their files until a batch asks for them: SHD, SSC, N-MNIST, DVS Gesture."""

from __future__ import annotations

import zipfile
import zlib
from functools import partial
from pathlib import Path

import numpy as np

from neuro.data.event_files import open_hdf5, parse_nmnist
from neuro.data.locate import Official, locate
from neuro.data.parts import OnDemand, Samples
from neuro.errors import DataError

ZENKE = "https://zenkelab.org/datasets/"
HEIDELBERG_MD5 = {
    "shd_train": "f3252aeb598ac776c1b526422d90eecb",
    "shd_test": "1503a5064faa34311c398fb0a1ed0a6f",
    "ssc_train": "d102be95e7144fcc0553d1f45ba94170",
    "ssc_valid": "b4eee3516a4a90dd0c71a6ac23a8ae43",
    "ssc_test": "a35ff1e9cffdd02a20eb850c17c37748",
}
NMNIST = "https://data.mendeley.com/public-files/datasets/468j46mzdv/files/"
NMNIST_FILES = {
    "train": Official(
        f"{NMNIST}39c25547-014b-4137-a934-9d29fa53c7a0/file_downloaded", "20959b8e626244a1b502305a9e6e2031"
    ),
    "test": Official(
        f"{NMNIST}05a4d654-7e03-4c15-bdfa-9bb2bcbea494/file_downloaded", "69ca8762b2fe404d9b9bad1103e97832"
    ),
}
COCHLEA_CHANNELS, NMNIST_CHANNELS, DVS_SIDE = 700, 2 * 34 * 34, 128


def _heidelberg(name: str, parts: tuple[str, ...]) -> Samples:
    """Spikes of a model cochlea with 700 channels (Cramer, Stradmann, Schemmel & Zenke 2020, arXiv 1910.07407).

    Official parts are kept: SHD has 8,156 and 2,264 samples and no validation part, SSC has three parts.
    """
    opened, labels = {}, {}
    for part in parts:
        file = f"{name}_{part}"
        path = locate(f"{name.upper()}/{file}.h5", Official(f"{ZENKE}{file}.h5.zip", HEIDELBERG_MD5[file], packed=True))
        opened[part], labels[part] = open_hdf5(path, COCHLEA_CHANNELS)
    return join_events(opened, labels)


def join_events(opened: dict[str, OnDemand], labels: dict[str, np.ndarray]) -> Samples:
    """Number the samples of several files through; parts named test and valid are those of the set's authors."""
    ends = np.cumsum([len(y) for y in labels.values()])
    begins = dict(zip(opened, [0, *ends[:-1]], strict=True))
    order = list(opened)

    def read(i: int) -> np.ndarray:
        part = order[int(np.searchsorted(ends, i, "right"))]
        return opened[part].read(i - begins[part])

    numbers = {part: np.arange(begins[part], begins[part] + len(labels[part])) for part in order}
    x = OnDemand(read, np.arange(ends[-1]), next(iter(opened.values())).channels)
    return Samples(x, np.concatenate(list(labels.values())), numbers.get("test"), numbers.get("valid"))


def _nmnist() -> Samples:
    """Digits seen by an event camera, 34 × 34 × 2 channels, read from the published archives (Orchard et al. 2015)."""
    opened, labels = {}, {}
    for part, official in NMNIST_FILES.items():
        opened[part], labels[part] = _open_archive(locate(f"N-MNIST/{part}.zip", official))
    return join_events(opened, labels)


def _open_archive(path: Path) -> tuple[OnDemand, np.ndarray]:
    """Open an archive of files PART/DIGIT/NUMBER.bin."""
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as error:
        raise DataError(f"{path}: no ZIP archive ({error})") from None
    names = sorted(n for n in archive.namelist() if n.endswith(".bin"))
    folders = [name.split("/")[-2] if "/" in name else "" for name in names]
    if not names or not all(len(f) == 1 and f.isdigit() for f in folders):
        wrong = next(
            (n for n, f in zip(names, folders, strict=True) if not (len(f) == 1 and f.isdigit())), "none at all"
        )
        raise DataError(f"{path}: {wrong}, allowed: files PART/DIGIT/NUMBER.bin in folders 0 to 9")

    def read(i: int) -> np.ndarray:
        where = f"{path}, {names[i]}"
        try:
            return parse_nmnist(archive.read(names[i]), where)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
            raise DataError(f"{where}: damaged ({error}); fetch the archive again") from None

    return OnDemand(read, np.arange(len(names)), NMNIST_CHANNELS), np.array([int(f) for f in folders], np.int64)


def _dvs_gesture() -> Samples:
    """Eleven gestures seen by an event camera, 128 × 128 × 2 channels, through tonic (Amir et al. 2017)."""
    try:
        from tonic.datasets import DVSGesture
    except ImportError:
        raise DataError("dvs_gesture is read through tonic, which is not there; pip install 'neuro[events]'") from None
    folder = locate("DVSGesture", Official("https://research.ibm.com/interactive/dvsgesture")).parent
    opened, labels = {}, {}
    for part in ("train", "test"):
        held = DVSGesture(save_to=str(folder), train=part == "train")
        opened[part] = OnDemand(partial(_gesture, held), np.arange(len(held)), 2 * DVS_SIDE**2)
        labels[part] = np.array(held.targets, np.int64)
    return join_events(opened, labels)


def _gesture(held, i: int) -> np.ndarray:
    events, _ = held[i]
    t, x, y, p = (events[name].astype(np.int64) for name in ("t", "x", "y", "p"))
    begin = t.min() if len(t) else 0
    return np.column_stack([t - begin, (p * DVS_SIDE + y) * DVS_SIDE + x])


EVENTS = {
    "shd": partial(_heidelberg, "shd", ("train", "test")),
    "ssc": partial(_heidelberg, "ssc", ("train", "valid", "test")),
    "nmnist": _nmnist,
    "dvs_gesture": _dvs_gesture,
}
