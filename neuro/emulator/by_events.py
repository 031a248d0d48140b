"""A replay in compiled loops whose cost is neurons times steps and spikes times words, not neurons times neurons.

Samples run apart from one another, a thread each; few large ones are cut by neurons, a part for each thread.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch

from neuro.dynamics import State, step
from neuro.dynamics.flat import SYN, A, V, choices_of, rows_again, vectors_of
from neuro.dynamics.stream import BLOCK, deliver_past, list_events, list_often, run_stream, show_spikes
from neuro.emulator.parts import Part, cut
from neuro.emulator.wiring import Wiring
from neuro.jit import in_parallel, renewed_in_child
from neuro.jit.bits import BITS
from neuro.jit.vector import LANES

WORTH_A_PART = 2**14  # neurons: fewer are quicker in one thread where processors have other work, too
ROOM = 2**16  # spikes a loop may list before it hands them over, if that is more than a step could need
ROOM_TOGETHER = 2**23  # the same of loops that have to agree on it; memory that no spike is written to is not taken

NOBODY = np.zeros(0, np.int32)
ONE_AT_A_TIME = threading.Lock()  # loops that wait for one another need all threads of the pool


def _renew_lock() -> None:
    global ONE_AT_A_TIME
    ONE_AT_A_TIME = threading.Lock()


renewed_in_child(_renew_lock)


@dataclass(frozen=True, eq=False)
class ByEvents:
    """Advances wirings whose sums are exact; the same interface and the same bits as `BySteps`.

    One thing is left out: the adaptation of neurons is not counted where none of them feels it (β = 0 everywhere).
    """

    wiring: Wiring
    cuts: dict[int, tuple[Part, ...]] = field(default_factory=dict)

    def advance(
        self, events: np.ndarray, state: State, history: np.ndarray, z_of: Sequence[slice], v_of: Sequence[slice]
    ) -> tuple[list[torch.Tensor], list[torch.Tensor], State, np.ndarray]:
        """Run events [T, B, I] from a state and the history [H, S, B] of the steps before; see `BySteps.advance`."""
        threads, batch = torch.get_num_threads(), events.shape[1]
        few = batch < threads and self.wiring.neurons >= WORTH_A_PART
        run = _Replay(self, events, state, history, z_of, v_of, threads if few else 1)
        if few:
            with ONE_AT_A_TIME:
                for b in range(batch):
                    run.together(b)
        else:
            in_parallel(threads, run.alone, [(b,) for b in range(batch)])
        return run.shown()

    def parts(self, number: int) -> tuple[Part, ...]:
        """The neurons cut into a number of parts, each cut made once."""
        if number not in self.cuts:
            self.cuts[number] = cut(self.wiring, number)
        return self.cuts[number]

    @cached_property
    def sleeps(self) -> bool:
        """Whether neurons without state and input stay so, silently."""
        wiring = self.wiring
        zero = State.zero(1, wiring.neurons, wiring.currents)
        z, after = step(wiring.model, wiring.constants, zero, torch.zeros_like(zero.i))
        return not any(bool(x.any()) for x in (z, *after))


class _Replay:
    """One call: what all samples share, and the arrays they fill."""

    def __init__(self, network: ByEvents, events, state: State, history, z_of, v_of, parts: int):
        wiring = network.wiring
        self.wiring, self.history, self.z_of, self.v_of = wiring, history, z_of, v_of
        self.parts, self.sleeps = network.parts(parts), network.sleeps
        self.events = events.view(np.uint8) if events.dtype == bool else events
        self.often = 1 if events.dtype == bool else int(events.max(initial=0))
        rests = bool((state.refractory > 0).any())
        self.choices = np.array(choices_of(wiring.model, wiring.constants, rests), np.int64)
        self.state = torch.stack([state.v, state.a, *state.i], 1).numpy().copy()  # [B, 2 + C, N]
        self.refractory = state.refractory.numpy().copy()
        steps, batch = events.shape[:2]
        self.z = [np.zeros((steps, batch, place.stop - place.start), np.float32) for place in z_of]
        self.at = np.cumsum([0, *(place.stop - place.start for place in v_of)])
        self.v = np.empty((batch, steps, self.at[-1]), np.float32)
        self.after = self._later_history()

    def _later_history(self) -> np.ndarray:
        """The history after the last step, neurons of this call still silent."""
        new = min(len(self.events), self.wiring.reach)
        heard = self.events[len(self.events) - new :].transpose(0, 2, 1)
        told = np.zeros((new, self.wiring.neurons, heard.shape[2]))
        known = np.concatenate([self.history, np.concatenate([heard, told], 1)])
        return known[max(0, len(known) - self.wiring.reach) :].copy()

    def alone(self, b: int) -> None:
        """Run one sample, all neurons in one loop, in as many pieces as its spikes need."""
        (part,) = self.parts
        neurons, moving, ring = self._begin(part, b)
        given, given_at = self._given(b)
        spikes = np.empty((1, max(ROOM, 2 * part.vectors * LANES) + BITS), np.int32)
        first, pending = 0, NOBODY
        while first < len(self.events):
            spike_at, done = np.zeros((1, len(self.events) - first + 1), np.int64), np.zeros(2, np.int64)
            source = (part.words_for(self.often), given, given_at[first:], pending, self.wiring.inputs, 0)
            shown = (spikes, spike_at, self._shown(part), self.v[b, first:])
            run_stream(neurons, moving, ring, first % len(ring), *source, *shown, done)
            steps = int(done[0])
            self._keep(b, first, spikes[0], spike_at[0, : steps + 1])
            pending = spikes[0, spike_at[0, steps - 1] : spike_at[0, steps]].copy()
            first += steps
        self._end(part, moving, b)

    def together(self, b: int) -> None:
        """Run one sample, each part of the neurons in a thread, in pieces that no part's spikes can overflow."""
        begun = [self._begin(part, b) for part in self.parts]
        given, given_at = self._given(b)
        most = max(part.vectors for part in self.parts) * LANES
        size = max(1, ROOM_TOGETHER // most)
        spikes = np.empty((len(self.parts), (min(size, len(self.events)) + 1) * most + BITS), np.int32)
        pending = NOBODY
        for first in range(0, len(self.events), size):
            last = min(first + size, len(self.events))
            spike_at = np.full((len(self.parts), last - first + 1), -1, np.int64)
            spike_at[:, 0] = 0
            jobs, failed = [], []
            for me, (part, (neurons, moving, ring)) in enumerate(zip(self.parts, begun, strict=True)):
                source = (
                    part.words_for(self.often),
                    given,
                    given_at[first : last + 1],
                    pending,
                    self.wiring.inputs + part.first,
                    me,
                )
                shown = (spikes, spike_at, self._shown(part), self.v[b, first:last])
                jobs.append((failed, neurons, moving, ring, first % len(ring), *source, *shown))
            in_parallel(len(jobs), _run_part, jobs)
            for mine, at in zip(spikes, spike_at, strict=True):
                self._keep(b, first, mine, at)
            pending = np.concatenate([mine[at[-2] : at[-1]] for mine, at in zip(spikes, spike_at, strict=True)])
        for part, (_, moving, _) in zip(self.parts, begun, strict=True):
            self._end(part, moving, b)

    def _given(self, b: int) -> tuple[np.ndarray, np.ndarray]:
        """List the sources that have events in a sample, as often as they have one, and where each step's begin."""
        steps, _, sources = self.events.shape
        given_at = np.zeros(steps + 1, np.int64)
        if self.often > 1:
            given = np.empty(int(self.events[:, b].sum(dtype=np.float64)), np.int32)
            list_often(self.events, b, given, given_at)
        else:
            given = np.empty(steps * sources + BITS, np.int32)
            list_events(self.events, b, given, given_at)
        return given, given_at

    def _begin(self, part: Part, b: int):
        """Lay out a part's neurons, and what earlier events still send to them."""
        here = slice(part.first, part.first + part.size)
        moving = (
            vectors_of(self.state[b, :, here]),
            vectors_of(self.refractory[b, None, here])[:, 0].copy(),
            np.ones(-(-part.vectors // BLOCK), np.uint8),
        )
        stride = max(part.vectors * self.wiring.currents * LANES, len(part.words[-1]))
        ring = np.zeros((part.reach + 1, stride), np.float32)
        when, source = np.nonzero(self.history[..., b])
        often = self.history[when, source, b].astype(np.int64)
        sent = when - len(self.history) + (source >= self.wiring.inputs)  # the words of a neuron act a step later
        deliver_past(ring, part.words, np.repeat(source, often), np.repeat(sent, often))
        return (self.choices, part.kind, part.until, part.constants, part.resting, self.sleeps), moving, ring

    def _shown(self, part: Part) -> np.ndarray:
        """First neuron within the part, place in v, and size of every run of neurons whose membranes are to be shown."""
        rows = []
        for place, at in zip(self.v_of, self.at, strict=False):
            low, high = max(place.start, part.first), min(place.stop, part.first + part.size)
            if low < high:
                rows.append((low - part.first, at + low - place.start, high - low))
        return np.array(rows, np.int64).reshape(-1, 3)

    def _keep(self, b: int, first: int, spikes: np.ndarray, spike_at: np.ndarray) -> None:
        """Write the spikes of steps first … into what is shown and into the history."""
        inputs, steps = self.wiring.inputs, len(spike_at) - 1
        for place, z in zip(self.z_of, self.z, strict=True):
            show_spikes(spikes, spike_at, inputs + place.start, z[first : first + steps, b])
        oldest = len(self.events) - len(self.after)  # the step that the first row of the history is of
        for t in range(max(first, oldest), first + steps):
            self.after[t - oldest, spikes[spike_at[t - first] : spike_at[t - first + 1]], b] = 1

    def _end(self, part: Part, moving, b: int) -> None:
        state, refractory, _ = moving
        here = slice(part.first, part.first + part.size)
        self.state[b, :, here] = rows_again(state, part.size)
        self.refractory[b, here] = rows_again(refractory[:, None], part.size)[0]

    def shown(self):
        """Give spikes, membranes, state and history."""
        rows = torch.from_numpy(self.state)
        state = State(rows[:, V], rows[:, SYN:].transpose(0, 1), rows[:, A], torch.from_numpy(self.refractory))
        state = State(*(x.contiguous() for x in state))
        v = torch.from_numpy(self.v).transpose(0, 1)
        cut = [v[..., low:high].contiguous() for low, high in zip(self.at[:-1], self.at[1:], strict=True)]
        return [torch.from_numpy(z) for z in self.z], cut, state, self.after


def _run_part(failed: list, *job) -> None:
    """Run one of several parts that wait for one another's spikes, unless another one failed."""
    done, steps = np.zeros(2, np.int64), len(job[-1])
    try:
        while done[0] < steps and not failed:
            run_stream(*job, done)
            if done[0] < steps:
                time.sleep(5e-5)  # another part is not running: it may need this processor, and its turn comes sooner
    except BaseException:
        failed.append(True)
        raise
