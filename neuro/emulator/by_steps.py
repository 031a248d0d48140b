"""A replay by the step of `neuro.dynamics` and products of matrices: it defines what the quicker one must give."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from neuro.dynamics import State, step
from neuro.emulator.wiring import Wiring


@dataclass(frozen=True, eq=False)
class BySteps:
    """Advances any wiring, whatever its sums."""

    wiring: Wiring

    def advance(
        self, events: np.ndarray, state: State, history: np.ndarray, z_of: Sequence[slice], v_of: Sequence[slice]
    ) -> tuple[list[torch.Tensor], list[torch.Tensor], State, np.ndarray]:
        """Run events [T, B, I] from a state and the history [H, S, B] of the steps before.

        Gives spikes [T, B, n] of the neurons z_of, membranes of v_of, the state, and the history after the last step.
        """
        wiring, past = self.wiring, deque(history, maxlen=self.wiring.reach + 1)
        spikes, membranes = [[] for _ in z_of], [[] for _ in v_of]
        for arriving in events:
            past.append(np.concatenate([arriving.T, np.zeros((wiring.neurons, len(arriving)))]))
            z, state = step(wiring.model, wiring.constants, state, self._drive(past))
            past[-1][wiring.inputs :] = z.T.numpy()
            for shown, values, places in ((spikes, z, z_of), (membranes, state.v, v_of)):
                for parts, place in zip(shown, places, strict=True):
                    parts.append(values[:, place])
        kept = list(past)[max(0, len(past) - wiring.reach) :]
        after = np.stack(kept) if kept else np.zeros((0, *past[-1].shape))
        return [*map(torch.stack, spikes)], [*map(torch.stack, membranes)], state, after

    def _drive(self, past: deque) -> torch.Tensor:
        """c_k of this step, float32 [C, B, N]: exact sums of whole grid units, then one factor a core."""
        wiring, batch = self.wiring, past[-1].shape[1]
        units = np.zeros((wiring.currents * wiring.neurons, batch))
        for delay, weights in wiring.weights.items():
            if delay < len(past):
                units += weights @ past[-1 - delay]
        scaled = units.reshape(wiring.currents, wiring.neurons, batch) * wiring.grid[:, None]
        return torch.from_numpy(scaled.astype(np.float32)).transpose(1, 2).contiguous()
