"""Growth: which connections a neuron tries next."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from neuro.errors import NeuroError


@dataclass(frozen=True)
class Redraw:
    """Every so many steps, give a share of each neuron's empty entries new sources, drawn at random.

    The entries with the smallest latents go first; a new one starts with latent and moments 0 and grows as its gradient
    lets it. Needs a network with storage "slots". The draw depends on seed and step alone, so a resumed run repeats it.
    Source: after DEEP R (Bellec, Kappel, Maass & Legenstein 2018, arXiv 1711.05136), which re-draws connections that
    vanished; here they vanish from the chip first (code 0) and may come back until they are drawn anew.
    """

    every: int = 50
    share: float = 0.25
    seed: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.every, int) or self.every < 1:
            raise NeuroError(f"every is {self.every!r}, allowed: a whole number of steps from 1")
        if not isinstance(self.seed, int) or self.seed < 0:
            raise NeuroError(f"seed is {self.seed!r}, allowed: a whole number from 0")
        if not 0 <= self.share <= 1:
            raise NeuroError(f"share is {self.share!r}, allowed: 0 to 1")

    def due(self, steps: int) -> bool:
        """Whether sources are drawn anew after so many steps."""
        return steps % self.every == 0

    def generator(self, steps: int) -> torch.Generator:
        """Give the random numbers of one draw."""
        return torch.Generator().manual_seed((self.seed * 1_000_003 + steps) % 2**63)
