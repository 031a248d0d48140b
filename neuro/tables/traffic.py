"""Input events a board would have to send: into each chip, a second, against what its generator can."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from neuro.tables.model import Tables


@dataclass(frozen=True)
class Traffic:
    """Events into one chip: a second, on average and in the busiest step of any sample; one for each row of `inputs`.

    allowed_hz: what the board can send, None = not known.
    """

    chip: int
    channels: int
    mean_hz: float
    peak_hz: float
    allowed_hz: float | None

    def __str__(self) -> str:
        limit = "" if self.allowed_hz is None else f", allowed {self.allowed_hz:,.0f} a second"
        over = "; too many, lower the encoder's rate or its steps" if self.over else ""
        return (
            f"input events into chip {self.chip}: {self.channels} channels, {self.mean_hz:,.0f} a second on average, "
            f"a rate of {self.peak_hz:,.0f} a second in the busiest step{limit}{over}"
        )

    @property
    def over(self) -> bool:
        return self.allowed_hz is not None and self.peak_hz > self.allowed_hz


def input_traffic(tables: Tables, x) -> list[Traffic]:
    """Count the events of samples x [T, B, n], or {input: [T, B, n]}, into each chip that receives any."""
    inputs, names = tables.frames["inputs"], list(tables.input_channels)
    x = x if isinstance(x, Mapping) else {names[0]: x}
    events = {name: np.asarray(values, dtype=np.float64) for name, values in x.items()}
    found = []
    for chip, rows in inputs.groupby("target_chip"):
        sent = sum(
            events[names[number]][:, :, of["channel"].to_numpy()].sum(2) for number, of in rows.groupby("input")
        )  # [T, B]
        per_second = sent / tables.manifest.dt_s
        channels = len(rows.drop_duplicates(["input", "channel"]))
        allowed = tables.chip.inputs.events_per_s
        found.append(Traffic(int(chip), channels, float(per_second.mean()), float(per_second.max()), allowed))
    return found


def stimulus_events(tables: Tables, x) -> int:
    """How many events the largest of some samples has, over all chips of a board."""
    inputs, names = tables.frames["inputs"], list(tables.input_channels)
    x = x if isinstance(x, Mapping) else {names[0]: x}
    totals = [
        np.asarray(x[names[number]], dtype=np.float64)[:, :, of["channel"].to_numpy()].sum((0, 2))
        for number, of in inputs.groupby("input")
    ]
    return int(sum(totals).max()) if totals else 0
