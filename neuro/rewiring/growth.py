"""Growth: which connections a neuron tries next."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from neuro.errors import NeuroError
from neuro.nn.memory import SynapseMemory
from neuro.rewiring.chance import check_seed, check_share, generator
from neuro.rewiring.removal import number_of_places, real_counts


@dataclass(frozen=True)
class Redraw:
    """Every so many steps, give a share of each neuron's empty entries new sources, at random or by their gradient.

    The entries with the smallest latents go first; a new one starts with latent and moments 0 and grows as its gradient
    lets it. candidates: how many sources drawn at random every neuron tries in that step with weight 0, of which those
    with the largest gradients are taken; 0 = whatever is drawn. Needs a network with storage "slots". The draw depends on
    seed and step alone, so a resumed run repeats it.
    Source: after DEEP R (Bellec, Kappel, Maass & Legenstein 2018, arXiv 1711.05136), which re-draws connections that
    vanished; here they vanish from the chip first (code 0) and may come back until they are drawn anew. By gradient:
    after RigL (Evci, Gale, Menick, Castro & Elsen 2020, arXiv 1911.11134), on a sample instead of all.
    """

    every: int = 50
    share: float = 0.25
    seed: int = 0
    candidates: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.candidates, int) or self.candidates < 0:
            raise NeuroError(f"candidates is {self.candidates!r}, allowed: a whole number from 0")
        if not isinstance(self.every, int) or self.every < 1:
            raise NeuroError(f"every is {self.every!r}, allowed: a whole number of steps from 1")
        check_seed(self.seed)
        check_share("share", self.share)

    def due(self, steps: int) -> bool:
        """Whether sources are drawn anew after so many steps."""
        return steps % self.every == 0

    def generator(self, steps: int) -> torch.Generator:
        """Give the random numbers of one draw."""
        return torch.Generator().manual_seed((self.seed * 1_000_003 + steps) % 2**63)

    def candidate_generator(self, steps: int, memory: int) -> torch.Generator:
        """Give the random numbers of what a memory's neurons try after so many steps."""
        return generator("candidates", self.seed, steps, memory)


@dataclass(frozen=True)
class AtLeast:
    """Give neurons with fewer than so many connections random ones of one (large) word each, until they have them.

    A connection counts that is worth half a word or more. Source: random growth below a minimum number of connections,
    Petschenig & Legenstein 2023, doi 10.1088/2634-4386/accd8f.
    """

    connections: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        check_seed(self.seed)
        if not isinstance(self.connections, int) or self.connections < 1:
            raise NeuroError(f"connections is {self.connections!r}, allowed: a whole number from 1")

    def apply(self, latent: torch.Tensor, memory: SynapseMemory, step: int, number: int) -> None:
        """Change a latent in place."""
        there = real_counts(latent, memory).sum(-1).flatten(1) >= 0.5
        missing = self.connections - there.sum(1)
        if not (missing > 0).any():
            return
        g = generator("growth", self.seed, step, number)
        key = torch.rand(there.shape, generator=g).to(latent.device)
        sign = (torch.randint(2, latent.shape, generator=g) * 2 - 1).to(latent)
        word = one_word(latent, memory, sign)
        key = key.masked_fill(there | (word == 0).flatten(1), torch.inf)
        rank = key.argsort(dim=1, stable=True).argsort(dim=1)
        new = (rank < missing[:, None]) & key.isfinite()
        latent.copy_(torch.where(new.view(latent.shape), word, latent))


@dataclass(frozen=True)
class Refill:
    """Give random empty places of a population's memory fresh values until a share of its places is connected.

    Values are uniform in ± gain / √places, places those one neuron may use (Kaiming's rule with a = √5). Source: refilling
    growth of Petschenig & Legenstein 2023, doi 10.1088/2634-4386/accd8f; the share there is a little below the removal's.
    """

    share: float
    gain: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        check_seed(self.seed)
        check_share("share", self.share)
        if not isinstance(self.gain, int | float) or not 0 < self.gain < math.inf:
            raise NeuroError(f"gain is {self.gain!r}, allowed: a finite number above 0")

    def apply(self, latent: torch.Tensor, memory: SynapseMemory, step: int, number: int) -> None:
        """Change a latent in place."""
        there = real_counts(latent, memory).sum(-1).flatten() > 0
        places = number_of_places(latent, memory)
        missing = int(self.share * places) - int(there.sum())
        if missing <= 0:
            return
        g = generator("refill", self.seed, step, number)
        bound = self.gain / math.sqrt(max(places / len(latent), 1.0))
        fresh = ((torch.rand(latent.shape, generator=g) * 2 - 1) * bound).to(latent)
        fresh = fresh.abs() * one_word(latent, memory, fresh.sign()).sign()
        key = torch.rand(there.shape, generator=g).to(latent.device)
        key = key.masked_fill(there | (fresh == 0).flatten(), torch.inf)
        chosen = key.argsort(stable=True)[: min(missing, int(key.isfinite().sum()))]
        latent.view(-1)[chosen] = fresh.view(-1)[chosen]


def one_word(latent: torch.Tensor, memory: SynapseMemory, sign: torch.Tensor) -> torch.Tensor:
    """Give what one word of a sign adds to a latent, 0 where it cannot be; where a current lacks the sign, the other's."""
    unit, other = memory.word_values(sign)[..., 0], memory.word_values(-sign)[..., 0]
    word = torch.where(unit.isinf(), -sign * other, sign * unit).to(latent.dtype)
    word = memory.within_limits(word.masked_fill(unit.isinf() & other.isinf(), 0.0))
    return word if memory.allowed is None else word * memory.allowed_for(latent)
