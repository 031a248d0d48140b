"""Sources a neuron does not hear yet, tried with weight 0 for one step: their gradients say which would help.

Only these few are looked at, never the dense gradient: memory stays that of slots.
"""

from __future__ import annotations

import torch


class Candidates:
    """Columns [n, K] that neurons try in the step after `turn`, with weights of 0 that collect gradients.

    usable [M, C, D]: the words each column may use.
    """

    def __init__(self, columns: torch.Tensor, turn: tuple[int, int], usable: torch.Tensor):
        self.columns, self.turn = columns, turn
        self.usable = usable[columns]
        self.weight = torch.zeros(self.usable.shape, device=columns.device, requires_grad=True)

    def beside(self, weight: torch.Tensor, source: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Join the candidates to a memory's weights [n, E, C, D] and sources [n, E], sorted by source."""
        source, order = torch.cat([source, self.columns], 1).sort(1)
        weight = torch.cat([weight, self.weight], 1)
        return weight.gather(1, order[:, :, None, None].expand_as(weight)), source

    def best_first(self) -> torch.Tensor:
        """Columns [n, K] by falling size of their gradient; as drawn where there was no backward pass."""
        if self.weight.grad is None:
            return self.columns
        size = (self.weight.grad.nan_to_num(0.0, 0.0, 0.0).abs() * self.usable).flatten(2).amax(2)
        return self.columns.gather(1, size.argsort(dim=1, descending=True, stable=True))
