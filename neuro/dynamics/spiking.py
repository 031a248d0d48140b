"""A network of synapse words over a whole sequence: cost follows words and spikes, not the square of the neurons.

All populations step together, as no spike arrives in the step it was sent. 16 samples make a tile, and a tile runs
through all steps on its own: forward it visits every word once a step, backward every word between neurons; gradients of
weights are sums over the events that happened. Spikes are those of `neuro.dynamics.step`, bit for bit (tested): sums are
exact, so their order does not matter, and what follows them is done in the same order. Results do not depend on threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from neuro.dynamics import flat, words
from neuro.dynamics import tile as t16
from neuro.dynamics.model import Constants, NeuronModel, State
from neuro.dynamics.surrogate import PseudoDerivative
from neuro.dynamics.vector import LANES
from neuro.jit import in_parallel

SHAPES = {
    "fast_sigmoid": t16.FAST_SIGMOID,
    "triangle": t16.TRIANGLE,
    "arctan": t16.ARCTAN,
    "sigmoid": t16.SIGMOID,
    "boxcar": t16.BOXCAR,
}
KEPT_SHAPES, KEPT_OF_A_SHAPE = 12, 4  # arrays kept for later runs: those of training and of evaluation


@dataclass(frozen=True, eq=False)
class Spiking:
    """What stays the same over sequences.

    model, constants of the N neurons, and surrogate; first: number of each population's first neuron; I inputs; route
    [I + N]: the delay of every source (channels of inputs are 0 … I − 1, neuron k is I + k); lines [D]: what each delay
    line adds, all in steps; events_per_step: the most events a channel has in a step.
    """

    model: NeuronModel
    constants: Constants
    pseudo: PseudoDerivative
    first: tuple[int, ...]
    inputs: int
    route: np.ndarray
    lines: np.ndarray
    events_per_step: int
    detach_reset: bool = True

    def run(
        self,
        weights: Sequence[torch.Tensor],
        sources: Sequence[np.ndarray],
        events: torch.Tensor,
        state: State,
        history: torch.Tensor,
        z_of: Sequence[int],
        v_of: Sequence[int],
    ) -> tuple[list[torch.Tensor], list[torch.Tensor], State, torch.Tensor]:
        """Advance by T steps; gradients flow to the weights, [n, M, C, D] for each population.

        sources: whom each column listens to, [1, M], or each entry of each neuron, [n, M]. events: whole numbers
        [T, B, I]; history [H, B, I + N]: events and spikes of the H >= longest delay steps before. Gives the spikes
        [T, B, n] of populations z_of, the membranes of v_of, the state after the last step, and the history after it
        (both without gradient).
        """
        learns = torch.is_grad_enabled() and any(weight.requires_grad for weight in weights)
        held = [weight.detach().contiguous().numpy() for weight in weights]
        sequence = _Sequence(self, held, sources, learns)
        sequence.begin(events, state, history)
        shown = _Run.apply(sequence, tuple(z_of), tuple(v_of), *weights)
        return (
            list(shown[: len(z_of)]),
            list(shown[len(z_of) :]),
            sequence.last_state(),
            sequence.last_history(events, history),
        )

    @property
    def neurons(self) -> int:
        return len(self.constants.theta)

    @cached_property
    def buffers(self) -> _Buffers:
        return _Buffers()

    @cached_property
    def by_lane(self) -> np.ndarray:
        """Constants [7 + C, N · 16]."""
        return flat.rows_of(self.model, self.constants).repeat(LANES, 1)

    @cached_property
    def by_neuron(self) -> np.ndarray:
        """The same as vectors [N, 7 + C, 16]."""
        return flat.vectors_of(self.by_lane)

    @cached_property
    def resting(self) -> np.ndarray:
        """Refractory steps [N, 16]."""
        return self.constants.refractory_steps.repeat_interleave(LANES).view(-1, LANES).numpy()

    def choices(self, rests: bool, history: int) -> np.ndarray:
        """The five choices, and what else the loops have to know, as numbers in the order of `neuro.dynamics.tile`."""
        more = {t16.DETACHED: self.detach_reset, t16.SHAPE: SHAPES[self.pseudo.name], t16.HISTORY: history}
        step = flat.choices_of(self.model, self.constants, rests)
        return np.array([*step, *(more[row] for row in sorted(more))], np.int64)


class _Buffers:
    """Arrays that runs leave to later ones: fresh memory would have to be mapped page by page at every step."""

    def __init__(self):
        self.free: dict[tuple, list[np.ndarray]] = {}

    def take(self, shape: tuple[int, ...], kind: np.dtype) -> np.ndarray:
        left = self.free.get((shape, kind))
        return left.pop() if left else np.empty(shape, kind)

    def give(self, array: np.ndarray) -> None:
        """Keep an array for the next run: a few of a shape, and of few shapes, the last ones used."""
        key = array.shape, array.dtype
        kept = self.free.pop(key, [])
        self.free[key] = [*kept, array][:KEPT_OF_A_SHAPE]
        while len(self.free) > KEPT_SHAPES:
            self.free.pop(next(iter(self.free)))

    def __getstate__(self) -> dict:
        return {"free": {}}  # copies of a network need none of them


class _Run(torch.autograd.Function):
    @staticmethod
    def forward(ctx, sequence, z_of, v_of, *weights):
        sequence.forward(bool(len(v_of)))
        ctx.sequence, ctx.z_of, ctx.v_of = sequence, z_of, v_of
        ctx.set_materialize_grads(False)
        return *map(sequence.spikes, z_of), *map(sequence.membranes, v_of)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, *grads):
        sequence, number = ctx.sequence, len(ctx.z_of)
        to_z = sequence.side_by_side(ctx.z_of, grads[:number])
        to_v = sequence.side_by_side(ctx.v_of, grads[number:])
        sequence.backward(*to_z, *to_v)
        return None, None, None, *sequence.weight_gradients(ctx.needs_input_grad[3:])


class _Sequence:
    """One run and what it leaves behind for the way back: spikes as bits, u, and where needed v, a and who rested."""

    def __init__(self, network: Spiking, weights: list[np.ndarray], sources: Sequence[np.ndarray], learns: bool):
        self.network, self.weights, self.sources, self.learns = network, weights, sources, learns
        self.threads, self.taken = torch.get_num_threads(), []

    def begin(self, events: torch.Tensor, state: State, history: torch.Tensor) -> None:
        """Lay out events, state and words for the tiles."""
        network = self.network
        self.steps, self.batch, self.past = *events.shape[:2], len(history)
        self.tiles = -(-self.batch // LANES)
        most = self.network.events_per_step
        if most > 1:  # as many planes as these events need
            most = max(int(words.survey(x.contiguous().numpy().reshape(-1))[1]) for x in (events, history) if x.numel())
        self.planes = max(most.bit_length(), 1)
        self.own = network.inputs * self.planes
        self._pack(events.contiguous().numpy(), history.contiguous().numpy())
        self._list_words()
        self.choices = network.choices(bool((state.refractory > 0).any()), self.past)
        self.state = self._tiled(torch.stack([state.v, state.a, *state.i]))
        self.refractory = self._tiled(state.refractory[None])[:, :, 0].copy()

    def _pack(self, events: np.ndarray, history: np.ndarray) -> None:
        inputs, past = self.network.inputs, self.past
        self.bits = self._take(self.tiles, past + self.steps, self.own + self.network.neurons, kind=np.uint16)
        self.bits[:] = 0
        simple, general = [], []
        for tile in range(self.tiles):
            first = tile * LANES
            for plane in range(self.planes):
                place = slice(plane * inputs, (plane + 1) * inputs)
                if self.planes == 1 and first + LANES <= self.batch:
                    simple.append((events, self.bits[tile, past:, place], first))
                else:
                    general.append((events, plane, self.bits[tile, past:, place], first))
                general.append((history[..., :inputs], plane, self.bits[tile, :past, place], first))
            general.append((history[..., inputs:], 0, self.bits[tile, :past, self.own :], first))
        in_parallel(self.threads, words.pack_ones, simple)
        in_parallel(self.threads, words.pack_events, [job for job in general if job[0].size])

    def _take(self, *shape: int, kind=np.float32) -> np.ndarray:
        """Give an array with any content, one that an earlier run has left where there is one."""
        self.taken.append(self.network.buffers.take(shape, np.dtype(kind)))
        return self.taken[-1]

    def __del__(self) -> None:
        for array in self.taken:
            self.network.buffers.give(array)

    def _list_words(self) -> None:
        network, neurons, rows = self.network, self.network.neurons, self.bits.shape[2]
        currents = len(network.constants.decay_syn)
        count = np.zeros((currents, neurons), np.int64)
        held = list(zip(network.first, self.weights, self.sources, strict=True))
        for first, weight, source in held:
            words.count_words(weight, source, network.inputs, self.planes, count[:, first : first + len(weight)])
        self.start = np.concatenate([[0], count.cumsum()])
        self.row, self.offset = np.empty((2, self.start[-1]), np.int32)
        self.value = np.empty(self.start[-1], np.float32)
        at = self.start[:-1].reshape(currents, neurons).copy()
        for first, weight, source in held:
            wiring = (source, network.inputs, self.planes, network.route, network.lines, rows)
            place = at[:, first : first + len(weight)]
            words.list_words(weight, *wiring, place, self.row, self.offset, self.value)

    def _tiled(self, rows: torch.Tensor) -> np.ndarray:
        """Turn [K, B, N] into [tiles, N, K, 16], zeros where a tile has no sample."""
        padded = torch.nn.functional.pad(rows, (0, 0, 0, self.tiles * LANES - self.batch))
        return padded.unflatten(1, (self.tiles, LANES)).permute(1, 3, 0, 2).contiguous().numpy()

    def _untiled(self, tiled: np.ndarray) -> torch.Tensor:
        """Turn [tiles, N, K, 16] back into [K, B, N]."""
        rows = torch.from_numpy(tiled).permute(2, 0, 3, 1).flatten(1, 2)
        return rows[:, : self.batch].contiguous()

    def forward(self, shows_v: bool) -> None:
        """Run all tiles through all steps."""
        width, tiles, steps = self.network.neurons * LANES, self.tiles, self.steps
        kept = steps if self.learns else 1
        moves = kept if self.choices[flat.ADAPTATION] == flat.THRESHOLD else 1
        rests = kept if self.choices[flat.RESTS] else 1
        looks_back = self.learns and self.choices[flat.KIND_OF_LEAK] == flat.LINEAR_TO_ZERO
        self.u = self._take(tiles, kept, width)
        self.v = self._take(tiles, 1 + steps if shows_v or looks_back else 1, width)
        self.v[:, 0] = self.state[:, :, flat.V].reshape(tiles, -1)
        self.a = self._take(tiles, moves, width)
        self.busy = self._take(tiles, rests, width, kind=np.uint8)
        network = self.network
        jobs = [
            (
                *(self.choices, self.own, self.bits[k], self.start, self.offset, self.value),
                *(network.by_neuron, network.resting, self.state[k], self.refractory[k]),
                *(self.u[k], self.v[k, 1:], self.a[k], self.busy[k]),
            )
            for k in range(tiles)
        ]
        in_parallel(self.threads, t16.forward_tile, jobs)

    def spikes(self, population: int) -> torch.Tensor:
        """Give spikes [T, B, n] of a population as zeros and ones."""
        low, size = self.network.first[population], len(self.weights[population])
        z = np.empty((self.steps, self.batch, size), np.float32)
        bits = self.bits[:, self.past :, self.own + low : self.own + low + size]
        in_parallel(self.threads, words.unpack_spikes, [(bits[k], z, k * LANES) for k in range(self.tiles)])
        return torch.from_numpy(z)

    def membranes(self, population: int) -> torch.Tensor:
        """Give membranes [T, B, n] of a population after each step."""
        v = np.empty((self.steps, self.batch, len(self.weights[population])), np.float32)
        jobs = [(self.v[k, 1:], self.network.first[population], v, k * LANES) for k in range(self.tiles)]
        in_parallel(self.threads, words.unpack_values, jobs)
        return torch.from_numpy(v)

    def last_state(self) -> State:
        """Give the state after the last step."""
        v, a, *i = self._untiled(self.state)
        return State(v, torch.stack(i), a, self._untiled(self.refractory[:, :, None])[0])

    def last_history(self, events: torch.Tensor, history: torch.Tensor) -> torch.Tensor:
        """Give the last H steps of events and spikes, [H, B, I + N]."""
        inputs, past, steps = self.network.inputs, self.past, self.steps
        heard = events[steps - past :] if steps >= past else torch.cat([history[steps:, :, :inputs], events])
        told = np.empty((past, self.batch, self.network.neurons), np.float32)
        for k in range(self.tiles if past else 0):
            words.unpack_spikes(self.bits[k, steps:, self.own :], told, k * LANES)
        return torch.cat([heard, torch.from_numpy(told)], 2)

    def side_by_side(self, populations: Sequence[int], grads: Sequence[torch.Tensor | None]):
        """Join the gradients there are, [T, B, R], and say of each its first neuron, its place in R, and its size."""
        given = [(self.network.first[k], g) for k, g in zip(populations, grads, strict=True) if g is not None]
        sizes = [g.shape[2] for _, g in given]
        at = [(first, sum(sizes[:i]), sizes[i]) for i, (first, _) in enumerate(given)]
        joined = torch.cat([g for _, g in given], 2) if len(given) > 1 else given[0][1] if given else None
        joined = torch.zeros(self.steps, self.batch, 0) if joined is None else joined.contiguous()
        return joined.numpy(), np.array(at, np.int64).reshape(-1, 3)

    def backward(self, to_z: np.ndarray, z_at: np.ndarray, to_v: np.ndarray, v_at: np.ndarray) -> None:
        """Find dL/dc of every current, neuron, step and sample: grad [tiles, T + D, C, N · 16]."""
        network, neurons = self.network, self.network.neurons
        currents = len(network.constants.decay_syn)
        begin = np.zeros(neurons + 1, np.int64)
        words.count_listeners(self.row, self.own, begin)
        begin = begin.cumsum()
        towards, worth = np.empty(begin[-1], np.int32), np.empty(begin[-1], np.float32)
        words.list_listeners(
            *(self.start, self.row, self.offset, self.value, self.bits.shape[2], self.own),
            *(begin[:-1].copy(), towards, worth),
        )
        longest = int(network.route.max(initial=0) + network.lines.max())
        self.grad = self._take(self.tiles, self.steps + longest, currents, neurons * LANES)
        self.grad[:, self.steps :] = 0
        slope = np.array([network.pseudo.width, network.pseudo.scale], np.float32)
        jobs = [
            (
                *(self.choices, slope, begin, towards, worth, network.by_lane),
                *(self.u[k], self.v[k], self.a[k], self.busy[k]),
                *(to_z, z_at, to_v, v_at, k * LANES, self.grad[k]),
            )
            for k in range(self.tiles)
        ]
        in_parallel(self.threads, t16.backward_tile, jobs)

    def weight_gradients(self, needed: Sequence[bool]) -> list[torch.Tensor | None]:
        """Sum dL/dW of every population over the events that happened."""
        network = self.network
        grads = [np.zeros(w.shape, np.float32) if need else None for w, need in zip(self.weights, needed, strict=True)]
        wanted = [part for part in zip(network.first, grads, self.sources, strict=True) if part[1] is not None]
        shared = [part for part in wanted if len(part[2]) == 1]
        wiring = (network.inputs, self.planes, network.route, network.lines, self.past)
        events = self._events()
        jobs = [
            (self.grad, c, first + low, source[0], *wiring, *events, out[low : low + words.BLOCK])
            for first, out, source in shared
            for low in range(0, len(out), words.BLOCK)
            for c in range(out.shape[2])
        ]
        in_parallel(self.threads, words.word_gradients, jobs)
        jobs = [
            (self.grad, c, first, low, min(low + words.BLOCK, len(out)), source, *wiring, *events, out)
            for first, out, source in wanted
            if len(source) > 1
            for low in range(0, len(out), words.BLOCK)
            for c in range(out.shape[2])
        ]
        in_parallel(self.threads, words.entry_gradients, jobs)
        return [None if out is None else torch.from_numpy(out) for out in grads]

    def _events(self) -> tuple[np.ndarray, np.ndarray]:
        """List when each source row spoke."""
        rows = self.bits.shape[2]
        edges = np.linspace(0, rows, self.threads + 1).astype(np.int64)
        parts = [(self.bits, low, high) for low, high in zip(edges, edges[1:], strict=False)]
        begin = np.zeros(rows + 1, np.int64)
        in_parallel(self.threads, words.count_events, [(*part, begin) for part in parts])
        begin = begin.cumsum()
        place = np.empty(begin[-1], np.int32)
        in_parallel(self.threads, words.list_events, [(*part, begin, place) for part in parts])
        return begin, place
