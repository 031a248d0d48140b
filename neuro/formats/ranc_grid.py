"""Where cores stand in RANC: all chips' cores on one grid, and the output bus in a column beside those in use."""

from __future__ import annotations

from dataclasses import dataclass

from neuro.tables import Tables

Place = tuple[int, int]


@dataclass(frozen=True)
class Grid:
    """Positions of the cores in use: (chip, core) -> (x, y)."""

    positions: dict[Place, Place]

    @classmethod
    def of(cls, tables: Tables) -> Grid:
        """Place every core that has neurons."""
        across = tables.chip.cores.columns or tables.chip.cores.per_chip
        down = -(-tables.chip.cores.per_chip // across)
        corner = {p.chip: (p.x * across, p.y * down) for p in tables.manifest.chips}
        cores = sorted(set(tables.frames["neurons"][["chip", "core"]].itertuples(index=False, name=None)))
        return cls({(c, k): (corner[c][0] + k % across, corner[c][1] + k // across) for c, k in cores})

    @property
    def columns(self) -> int:
        return max(x for x, _ in self.positions.values()) + 2

    @property
    def rows(self) -> int:
        return max(y for _, y in self.positions.values()) + 1

    @property
    def bus(self) -> Place:
        """Where the output bus stands."""
        return self.columns - 1, 0
