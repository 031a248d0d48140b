"""Replay: step a configuration through input events, exactly as its tables say."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import torch

from neuro.dynamics import State
from neuro.emulator.by_events import ByEvents
from neuro.emulator.by_steps import BySteps
from neuro.emulator.events import check_events
from neuro.emulator.layers import replay_layers
from neuro.emulator.readout import places_of, readouts_of
from neuro.emulator.wiring import Wiring, wire
from neuro.errors import DataError
from neuro.tables import Tables
from neuro.tables.layers import LayerTables


class ReplayState(NamedTuple):
    """Neurons side by side, the last events of every source [H, S, B], and read-out traces [B, n] by output.

    H is as long as an event can be on its way, or shorter: what happened before the first step is silence.
    """

    neurons: State
    history: torch.Tensor
    traces: dict[str, torch.Tensor]


class Record(NamedTuple):
    """The state after the last step; spikes and membrane values [T, B, n] of the populations asked for."""

    state: ReplayState
    spikes: dict[str, torch.Tensor]
    v: dict[str, torch.Tensor]

    def __repr__(self) -> str:
        spikes, v = ({name: list(x.shape) for name, x in each.items()} for each in (self.spikes, self.v))
        return f"Record(state, spikes={spikes}, v={v})"


class Emulator:
    """A configuration made ready once, to run many sequences or one that comes in pieces."""

    def __init__(self, tables: Tables, virtual=None, noise_seed: int | None = None):
        """virtual: the device to run them on, a `neuro.virtual_chip`; None is the chip as described. noise_seed: pairs of
        conductances come out of programming with noise, a draw a seed; None is exactly.

        Raises TableError where the tables' numbers refer to nothing, DescriptionError for a device of another chip, and for
        noise of a chip that states none.
        """
        self.tables, self.wiring = tables, wire(tables, virtual, noise_seed)
        self.places, self.readouts = places_of(tables), readouts_of(tables)
        by = ByEvents if self.wiring.is_exact(tables.chip.inputs.events_per_step) else BySteps
        self._way = by(self.wiring)

    def run(self, x, state: ReplayState | None = None, record: Iterable[str] = ()):
        """Run T steps: x [T, B, channels] or {input: [T, B, n]}, events as whole numbers; state = a record.state.

        Gives (outputs, record) as `replay` does. Raises DataError for x, state or names that do not suit the tables.
        """
        events = check_events(self.tables, x).numpy()
        names = _check_names(record, self.places)
        state = _start(state, self.wiring, events.shape[1])
        heard = dict.fromkeys((*names, *(read.population for read in self.readouts.values())))
        spikes, v, neurons, history = self._way.advance(
            events,
            state.neurons,
            state.history.numpy(),
            [self.places[name] for name in heard],
            [self.places[name] for name in names],
        )
        spikes = dict(zip(heard, spikes, strict=True))
        outputs, traces = {}, {}
        for name, read in self.readouts.items():
            outputs[name], trace = read(spikes[read.population], state.traces.get(name))
            traces |= {} if trace is None else {name: trace}
        kept = ReplayState(neurons, torch.from_numpy(history), traces)
        shown = Record(kept, {name: spikes[name] for name in names}, dict(zip(names, v, strict=True)))
        return outputs if len(outputs) != 1 else next(iter(outputs.values())), shown


def replay(
    tables: Tables | LayerTables,
    x,
    state: ReplayState | None = None,
    record: Iterable[str] = (),
    virtual=None,
    noise_seed: int | None = None,
):
    """Run T steps: x [T, B, channels] or {input: [T, B, n]}, events as whole numbers; state = an earlier record.state.

    Gives (outputs, record): outputs [T, B, classes or neurons], a dict by name where there are several; record has
    `state` and, for populations named in `record`, `spikes` and `v`. A sequence in pieces equals the whole bit for bit;
    `Emulator(tables).run(…)` gives the same and joins the tables only once. virtual: the device to run them on, a
    `neuro.virtual_chip`; None is the chip as described. noise_seed: pairs of conductances come out of programming with
    noise, a draw a seed; None is exactly. Tables of a model of layers take samples x [B, …] and give outputs alone.
    Raises TableError where the tables' numbers refer to nothing, DataError for x, state or names that do not suit them,
    DescriptionError for a device of another chip, and for noise of a chip that states none.
    """
    if isinstance(tables, LayerTables):
        return replay_layers(tables, x, noise_seed)
    return Emulator(tables, virtual, noise_seed).run(x, state, record)


def _start(state: ReplayState | None, wiring: Wiring, batch: int) -> ReplayState:
    """Give the state to go on from: silence, or an earlier state if it is of this configuration and batch."""
    silence = torch.zeros(0, wiring.inputs + wiring.neurons, batch, dtype=torch.float64)
    zero = ReplayState(State.zero(batch, wiring.neurons, wiring.currents), silence, {})
    if state is None:
        return zero
    if not isinstance(state, ReplayState):
        raise DataError(f"state is {type(state).__name__}, allowed: the record.state of an earlier replay")
    have, allowed = _shapes(state), _shapes(zero)
    if have != allowed or len(state.history) > wiring.reach:
        raise DataError(
            f"state is of other tables or another batch: shapes are {have} over {len(state.history)} steps, allowed: "
            f"{allowed} over at most {wiring.reach} steps"
        )
    return state


def _shapes(state: ReplayState) -> list[list[int]]:
    return [*(list(tensor.shape) for tensor in state.neurons), list(state.history.shape[1:])]


def _check_names(record: Iterable[str], places: dict[str, slice]) -> tuple[str, ...]:
    names = (record,) if isinstance(record, str) else tuple(record)
    for name in names:
        if name not in places:
            raise DataError(f"record names {name!r}, allowed: {', '.join(places)}")
    return names
