"""Data sets by name: values in 0..1, labels, and a split into training, validation and test parts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neuro.errors import DataError
from neuro.task import Data


@dataclass(frozen=True, eq=False)
class Part:
    """Samples of one part: x float32 [n, channels], y int64 [n], and each sample's number in the whole set."""

    x: np.ndarray
    y: np.ndarray
    ids: np.ndarray

    def __len__(self) -> int:
        return len(self.y)


@dataclass(frozen=True, eq=False)
class Dataset:
    train: Part
    validation: Part
    test: Part
    classes: int


def load_dataset(data: Data) -> Dataset:
    """Read a data set and split it as the task says; the split depends on `split_seed` alone."""
    if data.dataset not in READERS:
        raise DataError(f"data.dataset is {data.dataset!r}, allowed: {', '.join(READERS)}")
    x, y, test = READERS[data.dataset]()
    rng = np.random.default_rng(data.split_seed)
    if test is None:
        if data.test is None:
            raise DataError(f"{data.dataset} has no official test part: give data.test, the share to keep for testing")
        test = _stratified("data.test", data.test, y, np.arange(len(y)), rng)
    rest = np.setdiff1d(np.arange(len(y)), test)
    validation = _stratified("data.validation", data.validation, y, rest, rng)
    train = np.setdiff1d(rest, validation)
    parts = [Part(x[ids], y[ids], ids) for ids in (train, validation, test)]
    return Dataset(*parts, classes=int(y.max()) + 1)


def _stratified(key: str, share: float, y: np.ndarray, ids: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw the same share of every class."""
    chosen = []
    for label in np.unique(y[ids]):
        members = rng.permutation(ids[y[ids] == label])
        chosen.append(members[: max(1, round(share * len(members)))])
    if sum(map(len, chosen)) in (0, len(ids)):
        raise DataError(f"{key} = {share:g} leaves nothing of {len(ids)} samples on one side; take a smaller share")
    return np.sort(np.concatenate(chosen))


def _sklearn_digits():
    """1,797 handwritten digits of 8 × 8 pixels that come with scikit-learn (the test part of UCI's OptDigits)."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    return (digits.data / 16).astype(np.float32), digits.target.astype(np.int64), None


READERS = {"sklearn_digits": _sklearn_digits}
