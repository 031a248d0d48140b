"""Gradients: in which space the latents move."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from neuro.nn.memory import SynapseMemory


@dataclass(frozen=True)
class CountSpace:
    """Move the weight as if each base of its sign had real counts of its own, every one with the gradient dL/dW · s / b.

    A step of one count so scaled moves the weight by −lr · dL/dW, whatever b; with J bases of a sign that is J times the
    plain step, which is all that is left to do for latents in weight units. With one base nothing changes, nor with
    optimizers that do not heed a gradient's scale. Source: Petschenig & Legenstein 2023, doi 10.1088/2634-4386/accd8f.
    """

    def apply(self, latent: torch.Tensor, memory: SynapseMemory) -> None:
        """Scale a latent's gradient in place."""
        if latent.grad is not None:
            latent.grad.mul_(memory.word_values(latent.detach()).isfinite().sum(-1))
