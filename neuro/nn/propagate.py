"""Run one group of populations over a whole sequence.

What comes from outside the group enters as one product over all steps; what is recurrent within it is stepped through by
the scan. All sums are exact, so it does not matter in which order they are made.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch

from neuro.dynamics import Constants, PseudoDerivative, Scan, side_by_side
from neuro.nn.state import NetworkState, delayed
from neuro.placement import Plan, neuron_model

Weights = dict[str, torch.Tensor]  # population -> [N, M, C, D]


def run_pieces(
    plan: Plan,
    groups: tuple[tuple[str, ...], ...],
    signals: dict,
    weights: Weights,
    state: NetworkState,
    reach: int,
    cut: int | None,
    constants: Mapping[str, Constants],
):
    """Give what `run_groups` does; no gradient crosses from a piece of `cut` steps to the one before."""
    steps = len(next(iter(signals.values())))
    spikes, v = [], []
    for first in range(0, steps, cut or steps):
        piece = {name: signal[first : first + (cut or steps)] for name, signal in signals.items()}
        z, membranes, state = run_groups(plan, groups, piece, weights, state, reach, constants)
        spikes.append(z)
        v.append(membranes)
    return *({name: torch.cat([part[name] for part in parts]) for name in parts[0]} for parts in (spikes, v)), state


def run_groups(
    plan: Plan,
    groups: tuple[tuple[str, ...], ...],
    signals: dict,
    weights: Weights,
    state: NetworkState,
    reach: int,
    constants: Mapping[str, Constants],
):
    """Give spikes and membranes [T, B, n] of every population, and the state to go on from; reach: the longest delay."""
    signals, v, neurons = dict(signals), {}, {}
    for group in groups:
        z, membrane, neurons[group] = run_group(plan, group, signals, weights, state, constants)
        parts = [plan.spec.size_of(name) for name in group]
        signals |= dict(zip(group, z.split(parts, -1), strict=True))
        v |= dict(zip(group, membrane.split(parts, -1), strict=True))
    history = {name: _last(state.history[name], signal, reach) for name, signal in signals.items()}
    return {name: signals[name] for name in v}, v, NetworkState(neurons, history, {})


def _last(history: torch.Tensor, signal: torch.Tensor, reach: int) -> torch.Tensor:
    """The last steps of a signal, as far as any delay reaches back."""
    if reach == 0:
        return history
    return torch.cat([history, signal.detach()[-reach:]])[-reach:]


def run_group(
    plan: Plan,
    group: tuple[str, ...],
    signals: dict,
    weights: Weights,
    state: NetworkState,
    constants: Mapping[str, Constants],
):
    """Give spikes and v [T, B, n] of a group's populations side by side, and their state after the last step."""
    drive = _drive(plan, group, signals, weights, state)
    delays, recurrent = _recurrent(plan, group, weights)
    surrogate = plan.spec.surrogate
    scan = Scan(
        neuron_model(plan.chip),
        side_by_side([constants[name] for name in group]).to(drive[0].device, drive[0].dtype),
        PseudoDerivative(surrogate.name, surrogate.width, surrogate.scale),
        tuple(delays),
        plan.spec.detach_reset,
    )
    history = torch.cat([state.history[name] for name in group], -1)
    return scan.run(drive, recurrent, state.neurons[group], history[len(history) - max(delays, default=0) :])


def _drive(plan: Plan, group, signals: dict, weights: Weights, state: NetworkState) -> list[torch.Tensor]:
    """What a group hears from outside itself: [T, B, n] for every current."""
    by_target = [
        [_outside(plan, t, c, group, signals, weights, state) for t in group] for c in range(len(plan.currents))
    ]
    return [torch.cat(parts, -1) if len(parts) > 1 else parts[0] for parts in by_target]


def _outside(plan: Plan, target: str, current: int, group, signals, weights: Weights, state: NetworkState):
    total = None
    for source, columns in plan.columns(target).items():
        if source in group:
            continue
        for line, extra in enumerate(plan.spec.delay_lines):
            heard = delayed(signals[source], state.history[source], plan.source_delay(source) + extra)
            part = heard @ weights[target][:, columns, current, line].T
            total = part if total is None else total + part
    if total is None:
        some = next(iter(signals.values()))
        return some.new_zeros(*some.shape[:2], plan.spec.size_of(target))
    return total


def _recurrent(plan: Plan, group, weights: Weights) -> tuple[list[int], list[torch.Tensor]]:
    """The delays within a group, ascending, and for each of them and each current a matrix [n, n]."""
    inside = {s for t in group for s in plan.columns(t) if s in group}
    delays = sorted({plan.source_delay(s) + extra for s in inside for extra in plan.spec.delay_lines})
    return delays, [_matrix(plan, group, weights, d, c) for d in delays for c in range(len(plan.currents))]


def _matrix(plan: Plan, group, weights: Weights, delay: int, current: int) -> torch.Tensor:
    rows = [
        torch.cat([_block(plan, target, source, weights, delay, current) for source in group], 1) for target in group
    ]
    return torch.cat(rows)


def _block(plan: Plan, target: str, source: str, weights: Weights, delay: int, current: int) -> torch.Tensor:
    """The words from one population to another that take `delay` steps in all, 0 where there are none."""
    line, columns = delay - plan.source_delay(source), plan.columns(target)
    if source not in columns or line not in plan.spec.delay_lines:
        return weights[target].new_zeros(plan.spec.size_of(target), plan.spec.size_of(source))
    return weights[target][:, columns[source], current, plan.spec.delay_lines.index(line)]
