"""Rounding: which code stands for a latent in training. Evaluation and export read the nearest, whatever training reads."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from neuro.rewiring.chance import check_seed, generator


@dataclass(frozen=True)
class Nearest:
    """Train with the nearest code that fits: the default, and the rule with the two copies of Muller & Indiveri 2015."""


@dataclass(frozen=True)
class Stochastic:
    """Train with codes drawn at random, right on average and never over budget; drawn anew after every step.

    The latents' real counts are brought onto the L1 ball of what fits, and their fractions rounded by systematic sampling
    (`neuro.weights.drawing`). Source: stochastic rounding as in Petschenig & Legenstein 2023, doi 10.1088/2634-4386/accd8f,
    and the random rule with two copies of Muller & Indiveri 2015, arXiv 1504.05767; there codes may exceed the limit.
    """

    seed: int = 0

    def __post_init__(self) -> None:
        check_seed(self.seed)

    def draw(self, scheme, latent: torch.Tensor, allowed: torch.Tensor | None, step: int, memory: int):
        """Give code and weight that stand for a latent after so many steps."""
        return scheme.draw(latent, allowed, generator("rounding", self.seed, step, memory))
