"""Destination rows as a plan holds them: a list of routes to look at, arrays where there are millions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from neuro.jit import compiled


@compiled
def _look_up(bounds, chips, tag, begin, end, cores, column, chip, core, tags):
    for w in range(len(column)):
        for r in range(bounds[column[w]], bounds[column[w] + 1]):
            if chips[r] != chip[w]:
                continue
            for k in range(begin[r], end[r]):
                if cores[k] == core[w]:
                    tags[w] = tag[r]


@dataclass(frozen=True)
class Route:
    """One destination row: `source` (population or input, index), the tag its events carry, the chip and its cores."""

    source: str
    index: int
    tag: int
    target_chip: int
    cores: tuple[int, ...]
    delay: int


@dataclass(frozen=True, eq=False)
class RouteTable:
    """Routes as arrays [R], read like a tuple of `Route`: source is a place in `names`, cores those of the target chip.

    The cores of row r are cores[starts[r] : starts[r + 1]].
    """

    names: tuple[str, ...]
    source: np.ndarray
    index: np.ndarray
    tag: np.ndarray
    target_chip: np.ndarray
    delay: np.ndarray
    starts: np.ndarray
    cores: np.ndarray

    @classmethod
    def of(cls, routes: Sequence[Route], names: Sequence[str]) -> RouteTable:
        """Give routes as arrays; what is a table already stays as it is."""
        if isinstance(routes, RouteTable):
            return routes
        place = {name: i for i, name in enumerate(names)}
        rows = [(place[r.source], r.index, r.tag, r.target_chip, r.delay, len(r.cores)) for r in routes]
        source, index, tag, chip, delay, width = np.array(rows, np.int64).reshape(-1, 6).T
        cores = np.fromiter((k for r in routes for k in r.cores), np.int64)
        return cls(tuple(names), source, index, tag, chip, delay, np.concatenate([[0], np.cumsum(width)]), cores)

    @property
    def row(self) -> np.ndarray:
        """Which row each entry of `cores` belongs to."""
        return np.repeat(np.arange(len(self)), np.diff(self.starts))

    def masks(self) -> np.ndarray:
        """The cores of each row as one number, bit k for core k; for chips of at most 62 cores."""
        total = np.concatenate([[0], np.cumsum(np.int64(1) << self.cores)])
        return total[self.starts[1:]] - total[self.starts[:-1]]

    def kept(self, entries: np.ndarray) -> RouteTable:
        """Give the rows with only some entries of `cores`, a bool each; rows that lead nowhere are left out."""
        width = np.bincount(self.row[entries], minlength=len(self))
        some = width > 0
        columns = (getattr(self, name)[some] for name in ("source", "index", "tag", "target_chip", "delay"))
        starts = np.concatenate([[0], np.cumsum(width[some])])
        return RouteTable(self.names, *columns, starts, self.cores[entries])

    def of_source(self, source: Mapping[str, int]) -> np.ndarray:
        """Look up a number for the source of each row."""
        return np.array([source.get(name, -1) for name in self.names])[self.source]

    def look_up(
        self, start: Mapping[str, int], width: int, column: np.ndarray, place: tuple[np.ndarray, ...], tags: np.ndarray
    ) -> None:
        """Write the tags that sources carry to a place (chip, core) to `tags`, word by word.

        A column is where its source's name starts, and its index. Columns (of `width`) whose source has no route to the
        core are left as they are.
        """
        first = self.of_source(start)
        order = np.flatnonzero(first >= 0)
        order = order[np.argsort(first[order] + self.index[order], kind="stable")]
        bounds = np.searchsorted((first + self.index)[order], np.arange(width + 1))
        rows = (self.target_chip[order], self.tag[order], self.starts[order], self.starts[order + 1], self.cores)
        _look_up(bounds, *rows, column, *place, tags)

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, r):
        if isinstance(r, slice):
            return tuple(self[i] for i in range(*r.indices(len(self))))
        r = range(len(self))[r]
        cores = tuple(self.cores[self.starts[r] : self.starts[r + 1]].tolist())
        name, numbers = self.names[self.source[r]], (self.index[r], self.tag[r], self.target_chip[r])
        return Route(name, *map(int, numbers), cores, int(self.delay[r]))

    def __iter__(self) -> Iterator[Route]:
        columns = (self.source, self.index, self.tag, self.target_chip, self.delay)
        bounds, cores = self.starts.tolist(), self.cores.tolist()
        for r, (s, i, t, c, d) in enumerate(zip(*(column.tolist() for column in columns), strict=True)):
            yield Route(self.names[s], i, t, c, tuple(cores[bounds[r] : bounds[r + 1]]), d)

    def __eq__(self, other) -> bool:
        return tuple(self) == tuple(other)
