"""Noise: connections that wander."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from neuro.errors import NeuroError
from neuro.nn.memory import SynapseMemory
from neuro.rewiring.chance import check_seed, generator


@dataclass(frozen=True)
class Langevin:
    """Add √(2 · lr · temperature) · ξ, ξ normal, to the latents of connections that are active and have a gradient.

    Active are those with a word. Source: Bellec, Kappel, Maass & Legenstein 2018, arXiv 1711.05136 (DEEP R), and Petschenig
    & Legenstein 2023, doi 10.1088/2634-4386/accd8f. The step is that of plain SGD, whatever optimizer is wrapped.
    """

    temperature: float
    seed: int = 0

    def __post_init__(self) -> None:
        check_seed(self.seed)
        number = isinstance(self.temperature, int | float) and not isinstance(self.temperature, bool)
        if not number or not 0 <= self.temperature < math.inf:
            raise NeuroError(f"temperature is {self.temperature!r}, allowed: a finite number from 0")

    def apply(self, latent: torch.Tensor, memory: SynapseMemory, lr: float, step: int, number: int) -> None:
        """Change a latent in place; its gradient is that of this step."""
        if latent.grad is None:
            return
        xi = torch.randn(latent.shape, generator=generator("noise", self.seed, step, number)).to(latent.device)
        active = (memory.weight != 0) & (latent.grad != 0)
        latent.add_(xi * active, alpha=math.sqrt(2 * lr * self.temperature))
