"""What a network carries from one stretch of time to the next, and what it shows on request."""

from __future__ import annotations

from typing import NamedTuple

import torch

from neuro.dynamics import State


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


def delayed(signal: torch.Tensor, history: torch.Tensor, delay: int) -> torch.Tensor:
    """Shift a signal [T, B, n] by whole steps; what it was before stands in history [H, B, n], H ≥ delay."""
    if delay == 0:
        return signal
    return torch.cat([history[history.shape[0] - delay :], signal])[: signal.shape[0]]
