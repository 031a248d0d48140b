"""Removal: which connections give way before the projection. The projection alone keeps every limit; these are choices.

What a part sees as a latent's real counts is |w| in words of its sign's bases, large ones first (`neuro.weights.split`);
for masks and levels in words of the largest value.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from neuro.errors import NeuroError
from neuro.nn.memory import SynapseMemory
from neuro.rewiring.chance import check_seed, check_share, generator
from neuro.weights.latents import row_budget
from neuro.weights.split import real_words


@dataclass(frozen=True)
class ToConnectivity:
    """Set the smallest real counts of a population's memory to 0 until at most a share of its places is connected.

    share: of all places a population's neurons may use, together. slack: how far above it nothing is done yet.
    Source: removal by L1 of Petschenig & Legenstein 2023, doi 10.1088/2634-4386/accd8f (layer-wide).
    """

    share: float
    slack: float = 0.0

    def __post_init__(self) -> None:
        check_share("share", self.share)
        check_share("slack", self.slack)

    def apply(self, latent: torch.Tensor, memory: SynapseMemory, step: int, number: int) -> None:
        """Change a latent in place."""
        words = real_counts(latent, memory).sum(-1).flatten()
        places = number_of_places(latent, memory)
        wanted = int(self.share * places)
        if int(words.count_nonzero()) > wanted + self.slack * places:
            smallest = words.argsort(descending=True, stable=True)[wanted:]
            latent.view(-1)[smallest] = 0.0


@dataclass(frozen=True)
class RandomShares:
    """Take what a neuron's rounded real counts exceed its slots by from its connections, in random shares.

    A connection gives no more than it has. Source: fan-in reduction of Petschenig & Legenstein 2023, doi
    10.1088/2634-4386/accd8f. What is left may still exceed the limit by fractions: the projection sees to that here.
    """

    seed: int = 0

    def __post_init__(self) -> None:
        check_seed(self.seed)

    def apply(self, latent: torch.Tensor, memory: SynapseMemory, step: int, number: int) -> None:
        """Change a latent in place."""
        if memory.scheme.slots is None:
            return
        words = real_counts(latent, memory)
        total = words.sum(-1).flatten(1)
        excess = words.round().flatten(1).sum(1) - row_budget(memory.scheme.slots, latent)
        if not (excess > 0).any():
            return
        draw = torch.rand(total.shape, generator=generator("shares", self.seed, step, number), dtype=torch.float64)
        draw = draw.to(words.device) * (total > 0)
        share = draw / draw.sum(1, keepdim=True).clamp(min=1e-300)
        left = _less(words, (excess.clamp(min=0)[:, None] * share).view(latent.shape))
        units = memory.word_values(latent.detach())
        weight = (left * units.masked_fill(units.isinf(), 0.0)).sum(-1) * latent.sign()
        rows = (excess > 0).nonzero()[:, 0]
        latent[rows] = weight[rows].to(latent.dtype)


def _less(words: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
    """Take a share [..] off real counts [.., J], from the smallest bases first, to 0 at the least."""
    left = words.clone()
    for j in reversed(range(words.shape[-1])):
        left[..., j] = (words[..., j] - share).clamp(min=0)
        share = (share - words[..., j]).clamp(min=0)
    return left


def real_counts(latent: torch.Tensor, memory: SynapseMemory) -> torch.Tensor:
    """Give how many words of each base a latent is worth, [.., J] float64 >= 0; 0 where none may be."""
    wanted = memory.within_limits(latent.detach())
    words = real_words(wanted.double().abs(), memory.word_values(wanted))
    return words if memory.allowed is None else words * memory.allowed_for(latent)[..., None]


def number_of_places(latent: torch.Tensor, memory: SynapseMemory) -> int:
    """Count the places of a memory that may be used."""
    return latent.numel() if memory.allowed is None else int(memory.allowed_for(latent).sum())


def parts_of(kind: type | tuple, name: str, given) -> tuple:
    """Give the parts of one purpose as a tuple; NeuroError on anything else."""
    parts = () if given is None else given if isinstance(given, tuple | list) else (given,)
    for part in parts:
        if not isinstance(part, kind):
            kinds = kind if isinstance(kind, tuple) else (kind,)
            raise NeuroError(
                f"{name} is {part!r}, allowed: None, {', '.join(k.__name__ for k in kinds)}, or a tuple of them"
            )
    return tuple(parts)
