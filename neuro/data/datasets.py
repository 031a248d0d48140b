"""Data sets by name, split into training, validation and test parts."""

from __future__ import annotations

import numpy as np

from neuro.data.own import OWN
from neuro.data.parts import Dataset, Part, Samples, chosen
from neuro.data.published import PUBLISHED
from neuro.errors import DataError
from neuro.task import Data

READERS = PUBLISHED | OWN


def load_dataset(data: Data) -> Dataset:
    """Read a data set and split it as the task says; the split depends on `split_seed` alone.

    Parts the authors of a set left out are kept; validation is carved from training, whole groups (subjects) where the
    set has them, else the same share of every class.
    """
    if data.dataset not in READERS:
        raise DataError(f"data.dataset is {data.dataset!r}, allowed: {', '.join(READERS)}")
    if data.files and data.dataset not in OWN:
        raise DataError(f"data.files is given with {data.dataset}, which has its own; allowed with {', '.join(OWN)}")
    samples = OWN[data.dataset](data.files) if data.dataset in OWN else PUBLISHED[data.dataset]()
    order = _order(samples, data)
    x = samples.x if order is None else np.ascontiguousarray(samples.x[:, order])
    rng = np.random.default_rng(data.split_seed)
    every = np.arange(len(samples.y))
    test = samples.test
    if test is None:
        if data.test is None:
            raise DataError(f"{data.dataset} has no official test part: give data.test, the share to keep for testing")
        test = _drawn("data.test", data.test, samples, every, rng)
    rest = np.setdiff1d(every, test)
    validation = samples.validation
    if validation is None:
        validation = _drawn("data.validation", data.validation, samples, rest, rng)
    train = np.setdiff1d(rest, validation)
    parts = [Part(chosen(x, ids), samples.y[ids], ids, order) for ids in (train, validation, test)]
    return Dataset(*parts, classes=int(samples.y.max()) + 1)


def _drawn(key: str, share: float, samples: Samples, ids: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw a share: of groups where there are any, of every class where samples have one, else of all."""
    if samples.groups is not None:
        groups = np.unique(samples.groups[ids])
        kept = rng.permutation(groups)[: max(1, round(share * len(groups)))]
        found = ids[np.isin(samples.groups[ids], kept)]
    elif samples.y.ndim > 1:
        found = rng.permutation(ids)[: max(1, round(share * len(ids)))]
    else:
        found = np.concatenate([_of_class(share, ids[samples.y[ids] == c], rng) for c in np.unique(samples.y[ids])])
    if len(found) in (0, len(ids)):
        raise DataError(f"{key} = {share:g} leaves nothing of {len(ids)} samples on one side; take a smaller share")
    return np.sort(found)


def _of_class(share: float, members: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return rng.permutation(members)[: max(1, round(share * len(members)))]


def _order(samples: Samples, data: Data) -> np.ndarray | None:
    """Give the order the values of every sample are put in: permuted (sequential MNIST), or tile by tile."""
    if data.permutation_seed is None and data.tiles is None:
        return None
    if not isinstance(samples.x, np.ndarray) or samples.x.ndim != 2:
        raise DataError(
            f"data.permutation_seed and data.tiles reorder plain values [n, channels]; {data.dataset} has none"
        )
    order = np.arange(samples.x.shape[1])
    if data.tiles is not None:
        order = _tile_by_tile(data.tiles, len(order))
    if data.permutation_seed is not None:
        order = order[np.random.default_rng(data.permutation_seed).permutation(len(order))]
    return order


def _tile_by_tile(tiles: int, values: int) -> np.ndarray:
    side = round(values**0.5)
    if side * side != values or side % tiles:
        raise DataError(
            f"data.tiles is {tiles}, and samples have {values} values; allowed: what divides a square's side"
        )
    numbers = np.arange(values).reshape(tiles, side // tiles, tiles, side // tiles)
    return numbers.transpose(0, 2, 1, 3).reshape(-1)
