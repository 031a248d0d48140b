"""What a data set is made of: samples of one part, samples of different lengths, and the three parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Ragged:
    """Samples of different lengths end to end: sample i is flat[start[i]:start[i + 1]].

    Sound: flat int16 or float32 [m] with its sampling rate. Events: flat int64 [m, 2] of (microsecond, channel) with the
    number of channels. An array of sample numbers as index gives those samples.
    """

    flat: np.ndarray
    start: np.ndarray
    rate_hz: float | None = None
    channels: int | None = None

    @classmethod
    def of(cls, pieces: list[np.ndarray], **facts) -> Ragged:
        """Lay samples end to end."""
        start = np.concatenate([[0], np.cumsum([len(piece) for piece in pieces])]).astype(np.int64)
        return cls(np.concatenate(pieces), start, **facts)

    def __len__(self) -> int:
        return len(self.start) - 1

    def __getitem__(self, ids) -> Ragged:
        numbers = np.arange(len(self))[ids]
        pieces = [self.flat[self.start[i] : self.start[i + 1]] for i in numbers]
        return Ragged.of(pieces or [self.flat[:0]], rate_hz=self.rate_hz, channels=self.channels)


@dataclass(frozen=True, eq=False)
class OnDemand:
    """Event samples that stay in their files until a batch asks for them; `read` gives one as int64 [m, 2]."""

    read: Callable[[int], np.ndarray]
    numbers: np.ndarray
    channels: int

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, ids) -> Ragged:
        return Ragged.of([self.read(int(i)) for i in self.numbers[ids]], channels=self.channels)

    def of(self, ids: np.ndarray) -> OnDemand:
        """Some of the samples, still in their files."""
        return OnDemand(self.read, self.numbers[ids], self.channels)


Values = np.ndarray | Ragged | OnDemand


@dataclass(frozen=True, eq=False)
class Samples:
    """A whole data set as its reader gives it.

    x: values [n, channels] or signals [n, T, channels], float32 or bytes that stand for 0..1 in 255ths; or event counts
    [n, T, channels]; or samples of different lengths. y: labels [n], or [n, T] with −1 where a step has none. test,
    validation: numbers of the samples that the set's authors left out, where they did. groups: samples that must not be
    split between training and validation (a subject's) have one number.
    """

    x: Values
    y: np.ndarray
    test: np.ndarray | None = None
    validation: np.ndarray | None = None
    groups: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Part:
    """Samples of one part: x, y as in `Samples`, each sample's number in the whole set, and where values stood.

    order: value i of a sample was value order[i] before the task reordered them; None: as they were.
    """

    x: Values
    y: np.ndarray
    ids: np.ndarray
    order: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.y)

    def labels(self, ids: np.ndarray, tail_steps: int) -> np.ndarray:
        """Labels of a batch: [B]; where every step has one, [T + tail, B], each `tail_steps` later, −1 before them.

        The tail is the time a network has to answer: what belongs to step t is asked for at step t + tail_steps.
        """
        y = self.y[ids]
        if y.ndim == 1:
            return y
        waiting = np.full((len(y), tail_steps), -1, y.dtype)
        return np.ascontiguousarray(np.concatenate([waiting, y], 1).T)


@dataclass(frozen=True, eq=False)
class Dataset:
    train: Part
    validation: Part
    test: Part
    classes: int


def joined(train: tuple[np.ndarray, np.ndarray], test: tuple[np.ndarray, np.ndarray]) -> Samples:
    """Put an official training and test part one after the other."""
    (x, y), (xt, yt) = train, test
    return Samples(np.concatenate([x, xt]), np.concatenate([y, yt]), test=np.arange(len(y), len(y) + len(yt)))


def chosen(x: Values, ids: np.ndarray) -> Values:
    """Some samples of any kind."""
    return x.of(ids) if isinstance(x, OnDemand) else x[ids]
