"""Run a network word by word, on the CPU or a GPU: the same spikes as `neuro.nn.propagate`, at the cost of words."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np
import torch

from neuro.dynamics import Constants, NeuronModel, PseudoDerivative, State, side_by_side
from neuro.nn.state import NetworkState
from neuro.placement import Plan, neuron_model

if TYPE_CHECKING:
    from neuro.dynamics.spiking import Spiking


def loops_for(device: torch.device, model: NeuronModel) -> type[Spiking] | None:
    """Give the compiled loops that serve a device: on a GPU Triton's, once they have proved themselves there."""
    if device.type == "cpu":
        from neuro.dynamics.spiking import Spiking  # numba is imported where a network runs

        return Spiking
    if device.type != "cuda" or find_spec("triton") is None:
        return None
    from neuro.dynamics.gpu import OnGpu, proven

    return OnGpu if proven(device, model) else None


class ByWords:
    """A plan as one list of neurons: all populations in the order of their groups, after the channels of all inputs."""

    def __init__(
        self,
        plan: Plan,
        groups: tuple[tuple[str, ...], ...],
        constants: Mapping[str, Constants],
        loops: type[Spiking],
        device: torch.device,
    ):
        spec, self.groups, self.device = plan.spec, groups, device
        self.names = [name for group in groups for name in group]
        self.sources = [*spec.inputs, *self.names]
        self.sizes = {name: spec.size_of(name) for name in self.sources}
        at = dict(zip(self.sources, np.cumsum([0, *self.sizes.values()])[:-1].tolist(), strict=True))
        inputs = sum(spec.inputs.values())
        self.first = {name: at[name] - inputs for name in self.names}
        self.columns, self.known = {}, {}
        for name in self.names:
            columns = _joined([np.arange(at[s], at[s] + self.sizes[s]) for s in plan.columns(name)])
            self.columns[name] = torch.from_numpy(columns.astype(np.int32)).to(device)
        surrogate, self.constants = spec.surrogate, constants
        self.spiking = loops(
            neuron_model(plan.chip),
            self._joined(constants),
            PseudoDerivative(surrogate.name, surrogate.width, surrogate.scale),
            tuple(self.first.values()),
            inputs,
            _joined([np.full(self.sizes[s], plan.source_delay(s)) for s in self.sources]),
            np.array(spec.delay_lines),
            plan.chip.inputs.events_per_step,
            spec.detach_reset,
        )

    def run(
        self,
        signals: dict,
        weights: dict,
        sources: dict,
        state: NetworkState,
        heard: set[str],
        shown: tuple[str, ...],
        last_v: bool = False,
        cut: int | None = None,
        constants: Mapping[str, Constants] | None = None,
    ):
        """Give spikes of the populations `heard`, [T, B, n], membranes of those `shown`, rates [n], and the state after.

        last_v: only the membranes after the last step, [1, B, n]. constants: of every population, if they are not those the
        loops were made for.
        """
        z_names, v_names = [n for n in self.names if n in heard], [n for n in self.names if n in shown]
        events = [signals[name] for name in self.sources if name in signals]
        events = torch.cat(events, 2) if len(events) > 1 else events[0]
        history = torch.cat([state.history[name] for name in self.sources], 2)
        neurons = [state.neurons[group] for group in self.groups]
        joined = State(*(torch.cat([getattr(s, part) for s in neurons], -1) for part in State._fields))
        same = constants is None or constants is self.constants
        spiking = self.spiking if same else self.spiking.with_constants(self._joined(constants))
        z, v, rates, last, told = spiking.run(
            [weights[name] for name in self.names],
            [self._sources(name, sources[name]) for name in self.names],
            *(events, joined, history),
            [self.names.index(name) for name in z_names],
            [self.names.index(name) for name in v_names],
            cut,
            last_v,
        )
        sizes = [sum(self.sizes[name] for name in group) for group in self.groups]
        parts = zip(*(tensor.split(sizes, -1) for tensor in last), strict=True)
        kept = dict(zip(self.groups, (State(*part) for part in parts), strict=True))
        histories = dict(zip(self.sources, told.split(list(self.sizes.values()), -1), strict=True))
        z, rates = (dict(zip(z_names, each, strict=True)) for each in (z, rates))
        return z, dict(zip(v_names, v, strict=True)), rates, NetworkState(kept, histories, {})

    def __getstate__(self) -> dict:
        return {**self.__dict__, "known": {}}  # a copy's tensors are others, with numbers of their own

    def _joined(self, constants: Mapping[str, Constants]) -> Constants:
        return side_by_side([constants[name] for name in self.names]).to(self.device)

    def _sources(self, name: str, entries: torch.Tensor | None) -> torch.Tensor:
        """Whom each column or entry listens to; what entries gave is kept until they are others."""
        if entries is None:
            return self.columns[name][None]
        state = None if entries.is_inference() else entries._version
        kept = self.known.get(name)
        if kept is None or kept[0] is not entries or kept[1] != state or state is None:
            self.known[name] = kept = entries, state, self.columns[name][entries]
        return kept[2]


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([*parts, np.zeros(0, np.int64)]).astype(np.int64)
