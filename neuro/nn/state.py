"""What a network carries from one stretch of time to the next, and what it shows on request."""

from __future__ import annotations

from typing import NamedTuple

import torch

from neuro.dynamics import State
from neuro.errors import DataError


class NetworkState(NamedTuple):
    """Neurons of each group of populations, the last spikes of every source [H, B, n], and read-out traces [B, n]."""

    neurons: dict[tuple[str, ...], State]
    history: dict[str, torch.Tensor]
    traces: dict[str, torch.Tensor]


class Record(NamedTuple):
    """The state after the last step; spikes and membrane values [T, B, n] of the populations asked for."""

    state: NetworkState
    spikes: dict[str, torch.Tensor]
    v: dict[str, torch.Tensor]

    def __repr__(self) -> str:
        spikes, v = ({name: list(x.shape) for name, x in each.items()} for each in (self.spikes, self.v))
        return f"Record(state, spikes={spikes}, v={v})"


def check_state(state: NetworkState, groups: tuple[tuple[str, ...], ...], batch: int) -> None:
    """Raise DataError for a state of another network or of another number of samples."""
    if not isinstance(state, NetworkState) or set(state.neurons) != set(groups):
        raise DataError("state is of another network; pass on the `record.state` this network gave")
    have = next(iter(state.neurons.values())).v.shape[0]
    if have != batch:
        raise DataError(f"state holds {have} samples, the input {batch}; pass on the state of the same samples")


def delayed(signal: torch.Tensor, history: torch.Tensor, delay: int) -> torch.Tensor:
    """Shift a signal [T, B, n] by whole steps; what it was before stands in history [H, B, n], H ≥ delay."""
    if delay == 0:
        return signal
    return torch.cat([history[history.shape[0] - delay :], signal])[: signal.shape[0]]
