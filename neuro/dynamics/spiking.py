"""A network of synapse words over a whole sequence: cost follows words and spikes, not the square of the neurons.

All populations step together, as no spike arrives in the step it was sent. 16 samples make a tile, and a tile runs
through all steps on its own: forward it visits every word once a step, backward every word between neurons; gradients of
weights are sums over the events that happened. Spikes are those of `neuro.dynamics.step`, bit for bit (tested): sums are
exact, so their order does not matter, and what follows them is done in the same order. Results do not depend on threads.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice

import numpy as np
import torch

from neuro.dynamics import adjoint, flat
from neuro.dynamics import tile as t16
from neuro.dynamics.model import Constants, NeuronModel, State
from neuro.dynamics.sequence import Run
from neuro.dynamics.surrogate import PseudoDerivative
from neuro.jit.vector import LANES, lined_up

SHAPES = {
    "fast_sigmoid": adjoint.FAST_SIGMOID,
    "triangle": adjoint.TRIANGLE,
    "arctan": adjoint.ARCTAN,
    "sigmoid": adjoint.SIGMOID,
    "boxcar": adjoint.BOXCAR,
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
        sources: Sequence[torch.Tensor],
        events: torch.Tensor,
        state: State,
        history: torch.Tensor,
        z_of: Sequence[int],
        v_of: Sequence[int],
        cut: int | None = None,
        last_v: bool = False,
    ) -> tuple[list[torch.Tensor], list[torch.Tensor], list[torch.Tensor], State, torch.Tensor]:
        """Advance by T steps; gradients flow to the weights, [n, M, C, D] of each population, leak, theta and decay_syn.

        sources: whom each column listens to, [1, M], or each entry of each neuron, [n, M]. events: whole numbers
        [T, B, I]; history [H, B, I + N]: events and spikes of the H >= longest delay steps before. Gives the spikes
        [T, B, n] of populations z_of, the membranes of v_of (last_v: [1, B, n], those after the last step), the mean spikes
        [n] of z_of, the state after the last step, and the history after it (both without gradient). No gradient crosses
        from a piece of `cut` steps to the one before.
        """
        trained = (self.constants.leak, self.constants.theta, self.constants.decay_syn)
        tunes = torch.is_grad_enabled() and any(constant.requires_grad for constant in trained)
        learns = tunes or torch.is_grad_enabled() and any(weight.requires_grad for weight in weights)
        sequence = self.sequence([weight.detach().contiguous() for weight in weights], sources, learns, cut, tunes)
        sequence.begin(events, state, history)
        shown = iter(_Differentiable.apply(sequence, tuple(z_of), tuple(v_of), last_v, *trained, *weights))
        return (
            *(list(islice(shown, len(each))) for each in (z_of, v_of, z_of)),
            sequence.last_state(),
            sequence.last_history(events, history),
        )

    def sequence(self, weights, sources, learns: bool, cut: int | None, tunes: bool) -> Run:
        """Begin one sequence with these weights, on the device they are on."""
        return Run(self, [w.numpy() for w in weights], [s.numpy() for s in sources], learns, cut, tunes)

    def with_constants(self, constants: Constants) -> Spiking:
        """Give the same network with other constants; the room of earlier runs serves both."""
        other = replace(self, constants=constants)
        other.__dict__["buffers"] = self.buffers
        return other

    @property
    def neurons(self) -> int:
        return len(self.constants.theta)

    @cached_property
    def buffers(self) -> _Buffers:
        return _Buffers()

    @cached_property
    def by_lane(self) -> np.ndarray:
        """Constants [9 + C, N · 16]."""
        return flat.rows_of(self.model, self.constants).repeat(LANES, 1)

    @cached_property
    def by_neuron(self) -> np.ndarray:
        """The same, [N, 9 + C]."""
        return np.ascontiguousarray(flat.rows_of(self.model, self.constants).T)

    @cached_property
    def resting(self) -> np.ndarray:
        """Refractory steps [N]."""
        return self.constants.refractory_steps.contiguous().numpy()

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
        try:
            return self.free[shape, kind].pop()
        except (KeyError, IndexError):
            return lined_up(shape, kind)

    def lend(self, shape: tuple[int, ...]) -> np.ndarray:
        """Give an array of float32 to others; it comes back by itself when nobody holds it any more."""
        array = self.take(shape, np.dtype(np.float32))
        lent = array.view()
        weakref.finalize(lent, self.give, array).atexit = False
        return lent

    def give(self, array: np.ndarray) -> None:
        """Keep an array for the next run: a few of a shape, and of few shapes, the last ones used.

        May be called in any thread at any time: each operation on a list or on the whole is one that Python does at once.
        """
        kept = self.free.pop((array.shape, array.dtype), [])
        kept.append(array)
        del kept[KEPT_OF_A_SHAPE:]
        self.free[array.shape, array.dtype] = kept
        for key in list(self.free)[:-KEPT_SHAPES]:
            self.free.pop(key, None)

    def __getstate__(self) -> dict:
        return {"free": {}}  # copies of a network need none of them


class _Differentiable(torch.autograd.Function):
    @staticmethod
    def forward(ctx, sequence, z_of, v_of, last_v, *tensors):
        membranes = sequence.forward(v_of, last_v)
        ctx.sequence, ctx.z_of, ctx.v_of = sequence, z_of, v_of
        ctx.set_materialize_grads(False)
        return *map(sequence.spikes, z_of), *membranes, *sequence.rates(z_of)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, *grads):
        grads = iter(grads)
        given = [
            {k: g for k, g in zip(populations, islice(grads, len(populations)), strict=True) if g is not None}
            for populations in (ctx.z_of, ctx.v_of, ctx.z_of)
        ]
        weights = ctx.sequence.backward(*given, ctx.needs_input_grad[7:])
        return None, None, None, None, *ctx.sequence.constant_gradients(), *weights
