"""A network of synapse words over a whole sequence on a graphics card: `neuro.dynamics.spiking`, step by step.

Every step is one launch over all neurons and samples, forward and back; cost follows words, not the square of the
neurons. Weight gradients of columns that all neurons share are one matrix product, those of entries of their own a sum a
piece. Spikes are those of `neuro.dynamics.step`, bit for bit; no sum is made by atomic additions, so results repeat.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from contextlib import nullcontext
from functools import cache, cached_property

import numpy as np
import torch

from neuro.dynamics import flat
from neuro.dynamics import tile as t16
from neuro.dynamics.gpu_steps import backward_step, entry_gradients, forward_step
from neuro.dynamics.model import NeuronModel, ParameterSet, State, stack
from neuro.dynamics.sequence import Gradients
from neuro.dynamics.spiking import Spiking
from neuro.dynamics.step import step
from neuro.dynamics.surrogate import PseudoDerivative

NEURONS, SAMPLES, ENTRIES = 16, 32, 16  # that a program takes together
WARPS = 4
EXACT = {"enable_fp_fusion": False, "num_warps": WARPS}  # a product and a sum fused would be rounded once, not twice
BYTE = 255


class OnGpu(Spiking):
    """A network whose sequences run on the device of its constants; `run` takes sources as tensors on it."""

    def run(self, weights, *rest, **options):
        with _chosen(weights[0].device):
            return super().run(weights, *rest, **options)

    def sequence(self, weights, sources, learns: bool, cut: int | None, tunes: bool) -> _Sequence:
        return _Sequence(self, weights, sources, learns, cut, tunes)

    @cached_property
    def rows(self) -> torch.Tensor:
        """Constants [9 + C, N] on the device."""
        rows = torch.from_numpy(flat.rows_of(self.model, self.constants.to("cpu")))
        return rows.to(self.constants.theta.device)

    @cached_property
    def delays(self) -> torch.Tensor:
        """Steps from every source over every line, long [I + N, D]."""
        return torch.from_numpy(self.route[:, None] + self.lines).to(self.constants.theta.device)


class _Sequence:
    """One run and what it leaves behind for the way back."""

    def __init__(self, network: OnGpu, weights, sources, learns: bool, cut: int | None, tunes: bool):
        self.network, self.weights, self.sources = network, weights, sources
        self.learns, self.cut, self.tunes = learns, cut, tunes

    def begin(self, events: torch.Tensor, state: State, history: torch.Tensor) -> None:
        """Lay out events, state and words."""
        network = self.network
        self.steps, self.batch, self.past = *events.shape[:2], len(history)
        self.rows, self.currents = network.inputs + network.neurons, len(network.constants.decay_syn)
        self.device = events.device
        kind = torch.uint8 if network.events_per_step <= BYTE else torch.int32
        self.spoken = torch.zeros(self.past + self.steps, self.rows, self.batch, dtype=kind, device=self.device)
        self.spoken[: self.past] = history.transpose(1, 2)
        self.spoken[self.past :, : network.inputs] = events.transpose(1, 2)
        self.state = torch.stack([state.v, state.a, *state.i]).transpose(1, 2).contiguous()
        self.refractory = state.refractory.T.contiguous()
        choices = network.choices(bool((state.refractory > 0).any()), self.past)
        self.chosen = {
            "KIND": int(choices[flat.KIND_OF_LEAK]),
            "TO_VALUE": int(choices[flat.TO_VALUE]),
            "HOLDS": int(choices[flat.HOLDS] and choices[flat.RESTS]),
            "HAS_FLOOR": int(choices[flat.HAS_FLOOR]),
            "ADAPTATION": int(choices[flat.ADAPTATION]),
            "RESTS": int(choices[flat.RESTS]),
            "CURRENTS": self.currents,
            "TUNES": int(self.tunes),
            **{"NEURONS": NEURONS, "SAMPLES": SAMPLES, **EXACT},
        }
        self.about = {"DETACHED": int(choices[t16.DETACHED]), "SHAPE": int(choices[t16.SHAPE])}
        self._list_words()

    def _list_words(self) -> None:
        """List the words that are not 0, by current and neuron, and whom each of them listens to."""
        network, found = self.network, []
        for first, weight, source in zip(network.first, self.weights, self.sources, strict=True):
            n, column, current, line = weight.nonzero(as_tuple=True)
            who = source[n if len(source) > 1 else torch.zeros_like(n), column]
            found.append((current, n + first, who, network.delays[who, line], weight[n, column, current, line]))
        current, n, who, delay, value = (torch.cat(part) for part in zip(*found, strict=True))
        order = (current * network.neurons + n).argsort(stable=True)
        self.current, self.n, self.who, self.delay, self.value = (
            x[order] for x in (current, n, who, delay, value.float())
        )
        self.start = self._starts(self.current * network.neurons + self.n, self.currents * network.neurons)
        self.offset = (self.who - self.delay * self.rows).int()

    def _starts(self, key: torch.Tensor, number: int) -> torch.Tensor:
        """Where each of a number of keys begins in a sorted list."""
        return torch.searchsorted(key, torch.arange(number + 1, device=key.device)).int()

    def _listeners(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """List where the spikes of each neuron go: starts, (delay · C + current) · N + target, and value."""
        network = self.network
        inside = self.who >= network.inputs
        who, towards = self.who[inside] - network.inputs, self.delay[inside] * self.currents + self.current[inside]
        order = who.argsort(stable=True)
        towards = (towards * network.neurons + self.n[inside])[order].int()
        return self._starts(who[order], network.neurons), towards, self.value[inside][order].contiguous()

    def forward(self, v_of: Sequence[int], last_alone: bool) -> list[torch.Tensor]:
        """Run all steps; gives the membranes of populations v_of after each step, [T, B, n], or the last, [1, B, n]."""
        network, chosen, size = self.network, self.chosen, (self.network.neurons, self.batch)
        looks_back = self.learns and (self.tunes or chosen["KIND"] == flat.LINEAR_TO_ZERO)
        shows = bool(v_of) and not last_alone or looks_back
        kept = self.steps if self.learns else 0
        self.u = self._room(kept, *size)
        self.v = self._room(1 + self.steps if shows else 0, *size)
        self.a = self._room(kept if chosen["ADAPTATION"] == flat.THRESHOLD else 0, *size)
        self.busy = self._room(kept if chosen["RESTS"] else 0, *size, kind=torch.int8)
        self.i = self._room(kept if self.tunes else 0, self.currents, *size)
        if shows:
            self.v[0] = self.state[flat.V]
        resting = network.constants.refractory_steps.contiguous()
        flags = {**chosen, "TUNES": int(self.learns and self.tunes), "KEEPS": int(self.learns), "SHOWS": int(shows)}
        for t in range(self.steps):
            forward_step[self._grid()](
                *(self.spoken[self.past + t], network.inputs, self.start, self.offset, self.value),
                *(network.rows, resting, self.state, self.refractory),
                *(_at(self.u, t), _at(self.v, 1 + t), _at(self.a, t), _at(self.busy, t), _at(self.i, t)),
                *size,
                **flags,
            )
        parts = [(network.first[k], len(self.weights[k])) for k in v_of]
        v = self.state[flat.V][None] if last_alone else self.v[1:]
        return [v[:, first : first + n].transpose(1, 2).contiguous() for first, n in parts]

    def _room(self, *shape: int, kind=torch.float32) -> torch.Tensor:
        return torch.empty(shape, dtype=kind, device=self.device)

    def _grid(self) -> tuple[int, int]:
        return -(-self.network.neurons // NEURONS), -(-self.batch // SAMPLES)

    def spikes(self, population: int) -> torch.Tensor:
        """Give spikes [T, B, n] of a population as zeros and ones."""
        return self._spoken_by(population).transpose(1, 2).float().contiguous()

    def rates(self, populations: Sequence[int]) -> list[torch.Tensor]:
        """Give the mean spikes of every neuron of some populations, a step and sample: [n] each."""
        counts = [self._spoken_by(k).sum((0, 2), dtype=torch.float64) for k in populations]
        return [(count / (self.steps * self.batch)).float() for count in counts]

    def _spoken_by(self, population: int) -> torch.Tensor:
        """Its spikes as they are kept, [T, n, B]."""
        first = self.network.inputs + self.network.first[population]
        return self.spoken[self.past :, first : first + len(self.weights[population])]

    def last_state(self) -> State:
        """Give the state after the last step."""
        v, a, *i = self.state.transpose(1, 2).contiguous()
        return State(v, torch.stack(i), a, self.refractory.T.contiguous())

    def last_history(self, events: torch.Tensor, history: torch.Tensor) -> torch.Tensor:
        """Give the last H steps of events and spikes, [H, B, I + N]."""
        return self.spoken[self.steps :].transpose(1, 2).float().contiguous()

    def backward(
        self, to_z: Gradients, to_v: Gradients, to_rates: Gradients, needed: Sequence[bool]
    ) -> list[torch.Tensor | None]:
        """Give dL/dW of every population that needs it, from gradients by population, as `sequence.Run.backward` does."""
        with _chosen(self.device):
            return self._backward(self._joined(to_z, to_rates), self._joined(to_v, {}), needed)

    def _joined(self, grads: Gradients, of_rates: Gradients) -> torch.Tensor | None:
        """Lay gradients of populations out as [T, N, B]; None where there are none."""
        if not grads and not of_rates:
            return None
        joined = torch.zeros(self.steps, self.network.neurons, self.batch, device=self.device)
        for k, grad in grads.items():
            place = slice(self.network.first[k], self.network.first[k] + grad.shape[2])
            joined[self.steps - len(grad) :, place] += grad.transpose(1, 2)
        for k, grad in of_rates.items():
            place = slice(self.network.first[k], self.network.first[k] + len(grad))
            joined[:, place] += grad[:, None] / (self.steps * self.batch)
        return joined

    def _backward(self, to_z, to_v, needed: Sequence[bool]) -> list[torch.Tensor | None]:
        network, size = self.network, (self.network.neurons, self.batch)
        grads = [torch.zeros_like(w) if need else None for w, need in zip(self.weights, needed, strict=True)]
        listeners, longest = self._listeners(), int(network.delays.max())
        self.tuned = torch.zeros(2 + self.currents if self.tunes else 0, *size, device=self.device)
        piece = self.cut or self.steps
        for first in reversed(range(0, self.steps, piece)):
            last = min(first + piece, self.steps)
            carried = torch.zeros(2 + self.currents, *size, device=self.device)
            grad = self._room(last - first + longest, self.currents, *size)
            grad[last - first :] = 0
            for t in reversed(range(first, last)):
                backward_step[self._grid()](
                    *(grad[t - first], *listeners, network.rows, _at(to_z, t), _at(to_v, t)),
                    *(_at(self.u, t), _at(self.v, t), _at(self.a, t), _at(self.busy, t), _at(self.i, t)),
                    *(carried, self.tuned, network.pseudo.width, network.pseudo.scale, *size),
                    FROM_Z=int(to_z is not None),
                    FROM_V=int(to_v is not None),
                    **{**self.chosen, **self.about},
                )
            self._add_weight_gradients(grad, first, last, grads)
        return grads

    def constant_gradients(self) -> list[torch.Tensor | None]:
        """Give dL/d leak [N], dL/d theta [N] and dL/d decay_syn [C, N] after `backward`; None where none learn."""
        if not self.tunes:
            return [None] * 3
        leak, theta, *decay = self.tuned.sum(2, dtype=torch.float64).float()
        return [leak, theta, torch.stack(decay)]

    def _add_weight_gradients(self, grad: torch.Tensor, first: int, last: int, grads) -> None:
        """Add dL/dW of every population, sums over the events that arrived in steps first … last − 1."""
        for begin, out, source in zip(self.network.first, grads, self.sources, strict=True):
            if out is None:
                continue
            for current in range(self.currents):
                own = grad[: last - first, current, begin : begin + len(out)]
                for line in range(out.shape[3]):
                    delay = self.network.delays[source, line]
                    add = self._of_entries if len(source) > 1 else self._of_columns
                    out[:, :, current, line] += add(own, source, delay, first, last)

    def _of_columns(self, own: torch.Tensor, source: torch.Tensor, delay: torch.Tensor, first: int, last: int):
        """dL/dW [n, M] of columns that all neurons share, one product for each delay."""
        flat_grad = own.transpose(0, 1).flatten(1)
        total = self._room(own.shape[1], source.shape[1])
        for steps in delay.unique().tolist():
            columns = (delay[0] == steps).nonzero()[:, 0]
            said = self.spoken[self.past + first - steps : self.past + last - steps, source[0, columns]]
            total[:, columns] = flat_grad @ said.float().transpose(0, 1).flatten(1).T
        return total

    def _of_entries(self, own: torch.Tensor, source: torch.Tensor, delay: torch.Tensor, first: int, last: int):
        """dL/dW [n, E] of entries that each listen to a source of their own."""
        offset, out = (source - delay * self.rows).int().contiguous(), self._room(*source.shape)
        entry_gradients[len(out), -(-out.shape[1] // ENTRIES)](
            *(own, self.spoken[self.past + first], offset, out, last - first, own.stride(0)),
            *(self.rows, out.shape[1], self.batch),
            **{"ENTRIES": ENTRIES, "SAMPLES": SAMPLES, **EXACT},
        )
        return out


def _chosen(device: torch.device):
    """Make a GPU the one that kernels are launched on: Triton does not look where tensors are."""
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()


def _at(tape: torch.Tensor | None, t: int) -> torch.Tensor | None:
    """A step of a tape, or nothing where it is not kept."""
    return tape[t] if tape is not None and t < len(tape) else None


@cache
def proven(device: torch.device, model: NeuronModel) -> bool:
    """Whether the loops give on a device, to the bit, what the step gives on the CPU: tried once a process and model."""
    try:
        if _gives_the_same(device, model):
            return True
        told = "gave other spikes than the reference"
    except Exception as error:  # whatever a compiler or driver may say
        told = f"did not run ({str(error).splitlines()[0][:120] if str(error) else type(error).__name__})"
    warnings.warn(f"Triton's loops {told} on {device}: tensors serve there, more slowly", RuntimeWarning, stacklevel=2)
    return False


def _gives_the_same(device: torch.device, model: NeuronModel) -> bool:
    """Run a small network by the loops, and by the step."""
    g = torch.Generator().manual_seed(0)
    sets = [
        ParameterSet(
            0.9375 if model.leak != "linear" else 0.03125,
            (0.75, 0.5),
            1.0,
            beta=beta,
            decay_a=0.875,
            refractory_steps=rest,
        )
        for beta, rest in ((0.25, 0), (0.0, 2))
    ]
    constants, inputs, neurons, steps, batch = stack(sets, [12, 9]), 6, 21, 14, 5
    weight = torch.randint(-8, 16, (neurons, inputs + neurons, 2, 1), generator=g).float() / 32
    events = (torch.rand(steps, batch, inputs, generator=g) < 0.5).float()
    route = np.array([0] * inputs + [1] * neurons)
    network = OnGpu(
        *(model, constants.to(device), PseudoDerivative("triangle", 1.0, 1.0), (0,), inputs, route, np.zeros(1, int), 1)
    )
    history, state = torch.zeros(1, batch, inputs + neurons), State.zero(batch, neurons, 2)
    moved = (events.to(device), State(*(x.to(device) for x in state)), history.to(device))
    (spikes,), (v,), *_ = network.run(
        [weight.to(device)], [torch.arange(inputs + neurons, device=device)[None]], *moved, [0], [0]
    )
    for t in range(steps):
        heard = torch.cat([events[t], history[0, :, inputs:]], 1)
        z, state = step(model, constants, state, [heard @ weight[:, :, c, 0].T for c in range(2)])
        history[0, :, inputs:] = z
        if not (torch.equal(spikes[t].cpu(), z) and torch.equal(v[t].cpu(), state.v)):
            return False
    return True
