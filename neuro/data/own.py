"""A user's own data without writing Python: NPZ arrays, IDX, CSV time series, event lists in HDF5.

`data.files` names files inside the data folder; every kind may have a test part of its own, else `data.test` is the
share to keep.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from neuro.data.arrays import labels_of, read_npz, samples_of
from neuro.data.event_files import open_hdf5
from neuro.data.events import join_events
from neuro.data.idx import images_and_labels, read_idx
from neuro.data.locate import in_folder
from neuro.data.parts import Samples, joined
from neuro.data.tables import read_series
from neuro.errors import DataError


def _npz(files: Mapping[str, str]) -> Samples:
    """Arrays x [n, channels] or [n, T, channels] and y [n]; with x_test, y_test, or with marks test [n] of 0 and 1."""
    path = _paths(files, ("train",))["train"]
    held = read_npz(path, ("x", "y"), ("test", "x_test", "y_test"))
    part = _labelled(held["x"], held["y"], f"{path}, arrays x and y")
    if ("x_test" in held) != ("y_test" in held):
        raise DataError(f"{path}: has only one of the arrays x_test and y_test; give both, or neither")
    if "x_test" in held:
        return joined(
            part, _like(part[0], _labelled(held["x_test"], held["y_test"], f"{path}, arrays x_test and y_test"))
        )
    if "test" in held:
        return Samples(*part, test=np.flatnonzero(labels_of(held["test"], len(part[1]), f"{path}, array test", 2)))
    return Samples(*part)


def _idx(files: Mapping[str, str]) -> Samples:
    """Images and labels as MNIST's files: keys images and labels, and test_images and test_labels if there are any."""
    paths = _paths(files, ("images", "labels"), ("test_images", "test_labels"))
    part = images_and_labels(read_idx(paths["images"], 3), read_idx(paths["labels"], 1), str(paths["labels"]))
    if "test_images" not in paths:
        return Samples(*part)
    images, labels = paths["test_images"], paths["test_labels"]
    return joined(part, _like(part[0], images_and_labels(read_idx(images, 3), read_idx(labels, 1), str(labels))))


def _csv(files: Mapping[str, str]) -> Samples:
    """Time series [n, T, channels]: keys train, and test if there is one; the header is sample,label,CHANNEL,…"""
    parts = [_labelled(*read_series(path), str(path)) for path in _paths(files, ("train",), ("test",)).values()]
    return joined(parts[0], _like(parts[0][0], parts[1])) if len(parts) > 1 else Samples(*parts[0])


def _hdf5_events(files: Mapping[str, str]) -> Samples:
    """Event lists of the form of SHD: keys train, and valid and test if there are any."""
    paths = _paths(files, ("train",), ("valid", "test"))
    opened = {part: open_hdf5(path) for part, path in paths.items()}
    return join_events({part: x for part, (x, _) in opened.items()}, {part: y for part, (_, y) in opened.items()})


OWN = {"npz": _npz, "idx": _idx, "csv": _csv, "hdf5_events": _hdf5_events}


def _paths(files: Mapping[str, str], needed: tuple[str, ...], more: tuple[str, ...] = ()) -> dict[str, Path]:
    """Give the paths of the files a task names; DataError where a key is missing or unknown."""
    folder = os.environ.get("NEURO_DATA")
    if not folder:
        raise DataError("data.files are names in a folder of yours; give it by --data DIR (or NEURO_DATA)")
    wrong = [key for key in files if key not in (*needed, *more)] or [key for key in needed if key not in files]
    if wrong or sum(key in files for key in more) not in (0, len(more)) and set(more) == {"test_images", "test_labels"}:
        allowed = ", ".join(needed) + (f" (and {', '.join(more)})" if more else "")
        raise DataError(f"data.files has the keys {', '.join(files) or 'none'}, allowed: {allowed}")
    return {key: in_folder(Path(folder), files[key]) for key in (*needed, *more) if key in files}


def _labelled(x: np.ndarray, y: np.ndarray, where: str) -> tuple[np.ndarray, np.ndarray]:
    x = samples_of(x, where, (2, 3))
    return x, labels_of(y, len(x), where)


def _like(first: np.ndarray, second: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Hold a test part's samples against the training part's."""
    if first.shape[1:] != second[0].shape[1:] or first.dtype != second[0].dtype:
        raise DataError(
            f"training samples are {list(first.shape[1:])} {first.dtype}, test samples {list(second[0].shape[1:])} "
            f"{second[0].dtype}; allowed: alike"
        )
    return second
