"""One sequence through a network of synapse words: what is laid out for the loops, and what they leave behind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import torch

from neuro.dynamics import columns, flat, words, worth
from neuro.dynamics import tile as t16
from neuro.dynamics.model import State
from neuro.dynamics.tape import Tape
from neuro.jit import in_parallel
from neuro.jit.vector import LANES

Gradients = Mapping[int, torch.Tensor]  # by number of the population
TAPE = (
    2**30
)  # bytes that what is kept for the way back may take; to run steps again costs a fifth of a training step more
WORTH_A_PART = 2**12  # neurons: with fewer, threads would wait for one another longer than they work
SHARE = 4  # of them, for the span that is run again: it stays nearer to the processor


class Run:
    """One run and what it leaves behind for the way back: spikes as bits, and tapes.

    Steps are cut into spans where gradients are not to cross (`cut`), or where the tapes of all steps would take more
    than TAPE bytes: then only the state before each span is kept, and the way back runs its steps a second time.
    """

    def __init__(
        self,
        network,
        weights: list[np.ndarray],
        sources: Iterable[np.ndarray],
        learns: bool,
        cut: int | None,
        tunes: bool = False,
    ):
        self.network, self.weights, self.sources, self.learns, self.cut = network, weights, sources, learns, cut
        self.tunes = tunes
        self.threads, self.taken = torch.get_num_threads(), []
        self.longest = int(network.route.max(initial=0) + network.lines.max())
        self.before = []

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
        self.dense, self.dense_back, wordless = columns.lay_out(
            network,
            *(self.weights, self.sources, self.planes, self.own, self.bits.shape[2], self._take),
            whole=self._parts() == 1,
        )
        self._list_words(wordless)
        self.choices = network.choices(bool((state.refractory > 0).any()), self.past)
        self.spans, self.again = self._spans()
        self.state = self._tiled(torch.stack([state.v, state.a, *state.i]))
        self.refractory = self._tiled(state.refractory[None])[:, :, 0].copy()

    def _spans(self) -> tuple[list[tuple[int, int]], bool]:
        """Where the steps are cut, and whether the way back has to run them a second time."""
        piece = self.cut or self.steps
        numbers = 2 + (1 + self.tunes) * len(self.network.constants.decay_syn)
        a_step = 4 * self.tiles * LANES * self.network.neurons * numbers
        again = self.learns and a_step * self.steps > TAPE
        length = min(piece, max(TAPE // SHARE // a_step, 2 * self.longest, 1)) if again else piece
        pieces = [(first, min(first + piece, self.steps)) for first in range(0, self.steps, piece)]
        return [(k, min(k + length, last)) for first, last in pieces for k in range(first, last, length)], again

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

    def _list_words(self, left_out: Sequence[bool]) -> None:
        network, neurons, rows = self.network, self.network.neurons, self.bits.shape[2]
        currents = len(network.constants.decay_syn)
        count = np.zeros((currents, neurons), np.int64)
        parts = [
            (weight[low:high], source[low:high] if len(source) > 1 else source, slice(first + low, first + high))
            for first, weight, source, out in zip(network.first, self.weights, self.sources, left_out, strict=True)
            for low, high in ([] if out else self._shares(len(weight)))
        ]
        jobs = [(weight, source, network.inputs, self.planes, count[:, place]) for weight, source, place in parts]
        in_parallel(self.threads, words.count_words, jobs)
        self.start = np.concatenate([[0], count.cumsum()])
        self.row, self.offset = np.empty((2, self.start[-1]), np.int32)
        self.value = np.empty(self.start[-1], np.float32)
        at = self.start[:-1].reshape(currents, neurons).copy()
        wiring = (network.inputs, self.planes, network.route, network.lines, rows)
        jobs = [
            (weight, source, *wiring, at[:, place], self.row, self.offset, self.value)
            for weight, source, place in parts
        ]
        in_parallel(self.threads, words.list_words, jobs)

    def _shares(self, number: int) -> list[tuple[int, int]]:
        """Share neurons out among threads where there are many: from and to of each part."""
        edges = np.linspace(0, number, (self.threads if number >= WORTH_A_PART else 1) + 1).astype(np.int64)
        return list(zip(edges.tolist(), edges[1:].tolist(), strict=False))

    def _tiled(self, rows: torch.Tensor) -> np.ndarray:
        """Turn [K, B, N] into [tiles, N, K, 16], zeros where a tile has no sample."""
        padded = torch.nn.functional.pad(rows, (0, 0, 0, self.tiles * LANES - self.batch))
        return padded.unflatten(1, (self.tiles, LANES)).permute(1, 3, 0, 2).contiguous().numpy()

    def _untiled(self, tiled: np.ndarray) -> torch.Tensor:
        """Turn [tiles, N, K, 16] back into [K, B, N]."""
        rows = torch.from_numpy(tiled).permute(2, 0, 3, 1).flatten(1, 2)
        return rows[:, : self.batch].contiguous()

    def forward(self, v_of: Sequence[int], last_alone: bool) -> list[torch.Tensor]:
        """Run all tiles through all steps; gives the membranes of populations v_of after each step, [T, B, n], or the last,
        [1, B, n].
        """
        places = [(self.network.first[k], len(self.weights[k])) for k in v_of]
        shown = [] if last_alone else [self.network.buffers.lend((self.steps, self.batch, n)) for _, n in places]
        keeps = self.learns and not self.again
        self.tape = self._tape(self.steps if keeps else max(self.lengths), keeps, bool(shown))
        for first, last in self.spans:
            if self.again:
                self.before.append((self.state.copy(), self.refractory.copy()))
            tape = self.tape.part(first, last) if keeps else self.tape.part(0, last - first)
            self._run(tape, first, last, self.state, self.refractory)
            for (at, _), v in zip(places if shown else (), shown, strict=True):
                jobs = [(tape.v[tile, 1:], at, v[first:last], tile * LANES) for tile in range(self.tiles)]
                in_parallel(self.threads, words.unpack_values, jobs)
        if last_alone:
            v = self._untiled(self.state[:, :, flat.V : flat.V + 1])
            return [v[:, :, at : at + n].contiguous() for at, n in places]
        return [torch.from_numpy(v) for v in shown]

    @property
    def lengths(self) -> set[int]:
        """How long spans are."""
        return {last - first for first, last in self.spans}

    def _tape(self, steps: int, keeps: bool, shows: bool) -> Tape:
        """Give room for what steps leave behind for the way back, if it is to be kept, and for membranes to be shown."""
        chosen, (tiles, width) = self.choices, (self.tiles, self.network.neurons * LANES)
        kept = steps if keeps else 1
        looks_back = keeps and (self.tunes or chosen[flat.KIND_OF_LEAK] == flat.LINEAR_TO_ZERO)
        currents = len(self.network.constants.decay_syn)
        return Tape(
            self._take(tiles, kept, width),
            self._take(tiles, 1 + steps if shows or looks_back else 1, width),
            self._take(tiles, kept if chosen[flat.ADAPTATION] == flat.THRESHOLD else 1, width),
            self._take(tiles, kept if chosen[flat.RESTS] else 1, width, kind=np.uint8),
            self._take(tiles, steps if keeps and self.tunes else 0, currents, width),
        )

    def _run(self, tape: Tape, first: int, last: int, state: np.ndarray, refractory: np.ndarray) -> None:
        """Run steps first … last − 1 from a state, which moves on."""
        network, bits = self.network, self._bits(first, last)
        tape.v[:, 0] = state[:, :, flat.V].reshape(self.tiles, -1)
        for where in self._turns(last - first):
            jobs = [
                (
                    *(place, self.choices, self.own, bits[k], self.start, self.offset, self.value, self.dense),
                    *(network.by_neuron, network.resting, state[k], refractory[k]),
                    *(tape.u[k], tape.v[k, 1:], tape.a[k], tape.busy[k], tape.i[k]),
                )
                for k in range(self.tiles)
                for place in where
            ]
            in_parallel(self.threads, t16.forward_tile, jobs)

    def _parts(self) -> int:
        """Into how many parts the neurons of a tile are cut."""
        return -(-self.threads // self.tiles) if self.network.neurons >= WORTH_A_PART else 1

    def _turns(self, steps: int) -> list[np.ndarray]:
        """Say which steps and neurons each loop takes, [loops, 4] for every turn: from and to.

        With as many tiles as threads a turn is all steps. Fewer tiles of many neurons are cut by neurons; then the loops
        have to wait for one another's spikes after every step.
        """
        parts, neurons = self._parts(), self.network.neurons
        edges = np.linspace(0, neurons, parts + 1).astype(np.int64)
        times = [(0, steps)] if parts == 1 else [(t, t + 1) for t in range(steps)]
        return [np.array([(*time, low, high) for low, high in zip(edges, edges[1:], strict=False)]) for time in times]

    def _bits(self, first: int, last: int) -> np.ndarray:
        """The events of steps first … last − 1, those of the history before them first."""
        return self.bits[:, first : self.past + last]

    def spikes(self, population: int) -> torch.Tensor:
        """Give spikes [T, B, n] of a population as zeros and ones."""
        low, size = self.network.first[population], len(self.weights[population])
        z = self.network.buffers.lend((self.steps, self.batch, size))
        bits = self.bits[:, self.past :, self.own + low : self.own + low + size]
        in_parallel(self.threads, words.unpack_spikes, [(bits[k], z, k * LANES) for k in range(self.tiles)])
        return torch.from_numpy(z)

    def rates(self, populations: Sequence[int]) -> list[torch.Tensor]:
        """Give the mean spikes of every neuron of some populations, a step and sample: [n] each."""
        found = []
        for k in populations:
            low, size = self.own + self.network.first[k], len(self.weights[k])
            count = np.zeros((self.tiles, size), np.int64)
            bits = self.bits[:, self.past :, low : low + size]
            lanes = [min(LANES, self.batch - tile * LANES) for tile in range(self.tiles)]
            in_parallel(self.threads, words.count_spikes, list(zip(bits, lanes, count, strict=True)))
            found.append(torch.from_numpy(count.sum(0) / (self.steps * self.batch)).float())
        return found

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

    def backward(
        self, to_z: Gradients, to_v: Gradients, to_rates: Gradients, needed: Sequence[bool]
    ) -> list[torch.Tensor | None]:
        """Give dL/dW of every population that needs it, from gradients by population: of spikes and membranes, [·, B, n] of
        all or the last steps, and of rates [n].
        """
        to_z, to_v = ({k: grad.contiguous() for k, grad in each.items()} for each in (to_z, to_v))
        given = self._given(to_z), self._given(to_v), self._steady(to_rates)
        grads = [np.zeros(w.shape, np.float32) if need else None for w, need in zip(self.weights, needed, strict=True)]
        network, width = self.network, self.network.neurons * LANES
        currents, longest = len(network.constants.decay_syn), self.longest
        listeners = self._listeners()
        carried = self._take(self.tiles, 2 + currents, width)
        later = self._take(self.tiles, longest, currents, width)
        self.tuned = self._take(self.tiles, 2 + currents if self.tunes else 0, width)
        carried[:], later[:], self.tuned[:] = 0, 0, 0
        if self.again:
            self.tape = self._tape(max(self.lengths), True, False)
        room = {steps: self._take(self.tiles, steps + longest, currents, width) for steps in self.lengths}
        for number, (first, last) in reversed(list(enumerate(self.spans))):
            tape, grad = self._tape_of(number, first, last), room[last - first]
            grad[:, last - first :] = later
            self._run_back(tape, first, last, listeners, given, carried, grad)
            self._add_weight_gradients(grad, first, last, grads)
            if self.cut and first % self.cut == 0:
                carried[:], later[:] = 0, 0
            elif first:
                later[:] = grad[:, :longest]
        return [None if out is None else torch.from_numpy(out) for out in grads]

    def _given(self, grads: Gradients) -> np.ndarray:
        """Where gradients of populations are, as `gather` takes them; who calls holds them."""
        rows = [(self.network.first[k], g.shape[2], g.data_ptr(), self.steps - len(g)) for k, g in grads.items()]
        return np.array(rows, np.int64).reshape(-1, 4)

    def _steady(self, grads: Gradients) -> list[np.ndarray]:
        """What every spike of a tile gets from the gradients of rates, [N · 16]; nothing where there is no sample."""
        of_all = np.zeros((self.network.neurons, LANES), np.float32)
        for k, grad in grads.items():
            share = grad.numpy() / np.float32(self.steps * self.batch)
            of_all[self.network.first[k] : self.network.first[k] + len(share)] = share[:, None]
        of_last = of_all * (np.arange(LANES) < self.batch - (self.tiles - 1) * LANES)
        return [of_all.reshape(-1)] * (self.tiles - 1) + [of_last.reshape(-1)]

    def constant_gradients(self) -> list[torch.Tensor | None]:
        """Give dL/d leak [N], dL/d theta [N] and dL/d decay_syn [C, N] after `backward`; None where none learn."""
        if not self.tunes:
            return [None] * 3
        total = self.tuned.reshape(self.tiles, -1, self.network.neurons, LANES).sum((0, 3), dtype=np.float64)
        leak, theta, *decay = torch.from_numpy(total.astype(np.float32))
        return [leak, theta, torch.stack(decay)]

    def _tape_of(self, number: int, first: int, last: int) -> Tape:
        """Give the tape of a span, from its first run or from a second one."""
        if not self.again:
            return self.tape.part(first, last)
        tape = self.tape.part(0, last - first)
        self._run(tape, first, last, *(moving.copy() for moving in self.before[number]))
        return tape

    def _listeners(self) -> tuple[np.ndarray, ...]:
        """List where the spikes of each neuron go."""
        neurons, populations = self.network.neurons, self.dense_back[0]
        in_tables = np.zeros(neurons, np.bool_)
        for first, size, begin, end in populations[:, [columns.FIRST, columns.SIZE, columns.BEGIN, columns.END]]:
            in_tables[first : first + size] = begin < end
        begin = np.zeros(neurons + 1, np.int64)
        shares = self._shares(neurons)
        jobs = [(self.start, self.row, self.own, in_tables, low, high, begin) for low, high in shares]
        in_parallel(self.threads, words.count_listeners, jobs)
        begin = begin.cumsum()
        towards, worth = np.empty(begin[-1], np.int32), np.empty(begin[-1], np.float32)
        listed = self.start, self.row, self.offset, self.value, self.bits.shape[2], self.own, in_tables
        jobs = [(*listed, low, high, begin[low:high].copy(), towards, worth) for low, high in shares]
        in_parallel(self.threads, words.list_listeners, jobs)
        return begin, towards, worth

    def _run_back(self, tape: Tape, first: int, last: int, listeners, given, carried, grad) -> None:
        """Find dL/dc of every current, neuron, step and sample: grad [tiles, T + D, C, N · 16]."""
        network = self.network
        slope = np.array([network.pseudo.width, network.pseudo.scale], np.float32)
        of_z, of_v = (rows - [0, 0, 0, first] for rows in given[:2])
        for where in reversed(self._turns(last - first)):
            jobs = [
                (
                    *(place, self.choices, slope, listeners, self.dense_back, network.by_lane),
                    *(tape.u[k], tape.v[k], tape.a[k], tape.busy[k], tape.i[k], self.tuned[k]),
                    *(of_z, of_v, given[2][k], self.batch, k * LANES, carried[k], grad[k]),
                )
                for k in range(self.tiles)
                for place in where
            ]
            in_parallel(self.threads, t16.backward_tile, jobs)

    def _add_weight_gradients(self, grad: np.ndarray, first: int, last: int, grads: list[np.ndarray | None]) -> None:
        """Add dL/dW of every population, sums over the events that arrived in steps first … last − 1."""
        network = self.network
        wanted = [part for part in zip(network.first, grads, self.sources, strict=True) if part[1] is not None]
        wiring = (network.inputs, self.planes, network.route, network.lines, self.past)
        worth.add_gradients(self._bits(first, last), grad, last - first, wanted, wiring, self.threads, self._take)
