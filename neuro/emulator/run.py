"""Replay: step a configuration through input events, exactly as its tables say."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import torch

from neuro.dynamics import State, step
from neuro.emulator.events import check_events
from neuro.emulator.readout import places_of, readouts_of
from neuro.emulator.wiring import Wiring, wire
from neuro.errors import DataError
from neuro.tables import Tables


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


def replay(tables: Tables, x, state: ReplayState | None = None, record: Iterable[str] = ()):
    """Run T steps: x [T, B, channels] or {input: [T, B, n]}, events as whole numbers; state = an earlier record.state.

    Gives (outputs, record): outputs [T, B, classes or neurons], a dict by name where there are several; record has
    `state` and, for populations named in `record`, `spikes` and `v`. A sequence in pieces equals the whole bit for bit.
    Raises TableError where the tables' numbers refer to nothing, DataError for x, state or names that do not suit them.
    """
    wiring = wire(tables)
    events = check_events(tables, x)
    places = places_of(tables)
    names = _check_names(record, places)
    readouts = readouts_of(tables)
    state = _start(state, wiring, events.shape[1])
    traces = dict(state.traces)
    outputs = {name: [] for name in readouts}
    seen = {name: ([], []) for name in names}
    past = deque(state.history.numpy(), maxlen=wiring.reach + 1)
    neurons = state.neurons
    for arriving in events.numpy():
        past.append(np.concatenate([arriving.T, np.zeros((wiring.neurons, len(arriving)))]))
        z, neurons = step(wiring.model, wiring.constants, neurons, _drive(wiring, past))
        past[-1][wiring.inputs :] = z.T.numpy()
        for name, read in readouts.items():
            y, trace = read(z, traces.get(name))
            outputs[name].append(y)
            traces |= {} if trace is None else {name: trace}
        for name, (spikes, v) in seen.items():
            spikes.append(z[:, places[name]])
            v.append(neurons.v[:, places[name]])
    kept = ReplayState(neurons, _history(wiring, past), traces)
    spikes, v = ({name: torch.stack(both[i]) for name, both in seen.items()} for i in (0, 1))
    outputs = {name: torch.stack(parts) for name, parts in outputs.items()}
    return outputs if len(outputs) != 1 else next(iter(outputs.values())), Record(kept, spikes, v)


def _drive(wiring: Wiring, past: deque) -> torch.Tensor:
    """c_k of this step, float32 [C, B, N]: exact sums of whole grid units, then one factor a core."""
    batch = past[-1].shape[1]
    units = np.zeros((wiring.currents * wiring.neurons, batch))
    for delay, weights in wiring.weights.items():
        if delay < len(past):
            units += weights @ past[-1 - delay]
    scaled = units.reshape(wiring.currents, wiring.neurons, batch) * wiring.grid[:, None]
    return torch.from_numpy(scaled.astype(np.float32)).transpose(1, 2).contiguous()


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


def _history(wiring: Wiring, past: deque) -> torch.Tensor:
    kept = list(past)[max(0, len(past) - wiring.reach) :]
    return torch.from_numpy(np.stack(kept)) if kept else torch.zeros(0, *past[-1].shape, dtype=torch.float64)


def _check_names(record: Iterable[str], places: dict[str, slice]) -> tuple[str, ...]:
    names = (record,) if isinstance(record, str) else tuple(record)
    for name in names:
        if name not in places:
            raise DataError(f"record names {name!r}, allowed: {', '.join(places)}")
    return names
