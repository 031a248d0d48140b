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
    """The state after the last step; of populations asked for spikes [T, B, n], membranes (likewise, or of the last step,
    [1, B, n]), and mean spikes [n]."""

    state: NetworkState
    spikes: dict[str, torch.Tensor]
    v: dict[str, torch.Tensor]
    rates: dict[str, torch.Tensor]

    def __repr__(self) -> str:
        parts = [{name: list(x.shape) for name, x in each.items()} for each in (self.spikes, self.v, self.rates)]
        return "Record(state, spikes={}, v={}, rates={})".format(*parts)


def check_state(state: NetworkState, like: NetworkState) -> NetworkState:
    """Give a state to go on from, without gradient; DataError for one of another network or number of samples."""
    other = "state is of another network; pass on the `record.state` this network gave"
    if not isinstance(state, NetworkState) or set(state.neurons) != set(like.neurons):
        raise DataError(other)
    have, allowed = (next(iter(s.neurons.values())).v.shape[0] for s in (state, like))
    if have != allowed:
        raise DataError(f"state holds {have} samples, the input {allowed}; pass on the state of the same samples")
    pairs = [(state.history.get(name), tensor) for name, tensor in like.history.items()]
    pairs += [pair for g, s in like.neurons.items() for pair in zip(state.neurons[g], s, strict=True)]
    if any(a is None or a.shape != b.shape or a.dtype != b.dtype for a, b in pairs):
        raise DataError(other)
    neurons = {group: State(*(tensor.detach() for tensor in s)) for group, s in state.neurons.items()}
    return NetworkState(neurons, {name: state.history[name].detach() for name in like.history}, state.traces)


def delayed(signal: torch.Tensor, history: torch.Tensor, delay: int) -> torch.Tensor:
    """Shift a signal [T, B, n] by whole steps; what it was before stands in history [H, B, n], H ≥ delay."""
    if delay == 0:
        return signal
    return torch.cat([history[history.shape[0] - delay :], signal])[: signal.shape[0]]
