"""Which constant every bias of a core stands for, and what its code makes of it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from neuro.descriptor import BiasSetting, realised_value
from neuro.tables.joined import HERE, types_in_use
from neuro.tables.manifest import Parameters
from neuro.tables.model import Tables


@dataclass(frozen=True)
class Realised:
    """A constant as a network has it and as its bias gives it: seconds, or thresholds; error is relative."""

    chip: int
    core: int
    bias: str
    constant: str
    wanted: float
    realised: float

    @property
    def unit(self) -> str:
        """The unit both values are in, "" for thresholds."""
        return "" if self.constant == "threshold" else "s"

    @property
    def error(self) -> float:
        return self.realised / self.wanted - 1 if self.wanted and math.isfinite(self.wanted) else math.nan


def realised_constants(tables: Tables) -> list[Realised]:
    """Say what time constants, refractory periods, thresholds and delays a configuration's codes give (no gains)."""
    rows = tables.frames["biases"].itertuples(index=False)
    currents = {(b.chip, b.core, b.name): b.current_a for b in rows}
    return [
        Realised(c, k, s.name, s.constant, value, realised_value(s, currents[c, k, s.name], tables.chip))
        for c, k, s, value in core_constants(tables)
        if s.ratio == 1 and (c, k, s.name) in currents
    ]


def core_constants(tables: Tables) -> Iterator[tuple[int, int, BiasSetting, float]]:
    """Every bias of every core that a constant of its neurons sets: (chip, core, setting, value)."""
    if tables.chip.circuits is None:
        return
    sets = {p.id: p for p in tables.manifest.parameter_sets}
    latched = set(tables.frames["latches"][HERE].itertuples(index=False, name=None))
    cores: dict[tuple[int, int], dict[bool, Parameters]] = {}
    for n in tables.frames["neurons"].itertuples(index=False):
        second = (n.chip, n.core, n.neuron) in latched
        cores.setdefault((n.chip, n.core), {}).setdefault(second, sets[n.parameters])
    types = {t.name: current for t, current in types_in_use(tables).values()}
    lines = tables.manifest.delay_lines
    delays = {tables.chip.line_of(steps, lines): steps * tables.manifest.dt_s for steps in lines}
    for (c, k), by_latch in cores.items():
        for setting in tables.chip.circuits.biases:
            if setting.line in delays:
                yield c, k, setting, delays[setting.line]
            own = by_latch.get(setting.second) or (None if setting.second else next(iter(by_latch.values())))
            if own is not None and (value := _value(setting, own, types, tables.manifest.dt_s)) is not None:
                yield c, k, setting, value


def _value(setting: BiasSetting, p: Parameters, types: dict[str, int], dt_s: float) -> float | None:
    """A constant in seconds or thresholds; None where these neurons do not have it."""
    match setting.constant:
        case "tau_mem":
            return _tau(p.leak, dt_s)
        case "tau_syn":
            return _tau(p.decay_syn[types[setting.type]], dt_s) if setting.type in types else None
        case "adaptation":
            return _tau(p.decay_a, dt_s) if p.beta else None
        case "refractory":
            return p.refractory_steps * dt_s
        case "threshold":
            return p.theta
    return None


def _tau(decay: float, dt_s: float) -> float:
    """The time constant of a decay per step: 0 for none left, infinite for no decay."""
    if decay in (0.0, 1.0):
        return math.inf if decay else 0.0
    return -dt_s / math.log(decay)
