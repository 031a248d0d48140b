"""Rounding: which code stands for a latent in training. Evaluation and export read the nearest, whatever training reads.

The rules of Muller & Indiveri 2015 (arXiv 1504.05767) and their kin, w the latent, Q a rule, Δ the optimizer's step:

    post-hoc            train w as a float, then Q(w)                      `round_once(network, rule)`
    plain online        w ← Q(w + Δ), Q the nearest: small steps vanish    `OneCopy(Nearest())`
    two copies          w ← w + Δ(Q(w)), Q nearest, random or feedback     `Nearest()`, `Stochastic(seed)`, `Feedback()`
    one copy            w ← Q(w + Δ), Q random: only codes are stored      `OneCopy(Stochastic(seed))`
    BinaryConnect       two copies on two levels, w clipped to ± the largest: latent="hull" with `UniformScheme(2)`

(Courbariaux, Bengio & David 2015, arXiv 1511.00363.) Every rule works on every scheme at any number of bits, down to one.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from neuro.errors import NeuroError
from neuro.rewiring.chance import check_seed, generator


@dataclass(frozen=True)
class Nearest:
    """Train with the nearest code that fits, beside a latent that keeps what a step is short of: the default."""


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


@dataclass(frozen=True)
class Feedback:
    """Train with codes rounded greedily so that what the entries before left over is made up for, row by row.

    Deterministic, never over budget. Source: sigma-delta rounding along a row; an own baseline, not of the publications.
    """

    def draw(self, scheme, latent: torch.Tensor, allowed: torch.Tensor | None, step: int, memory: int):
        """Give code and weight that stand for a latent."""
        return scheme.draw(latent, allowed, None)


@dataclass(frozen=True)
class OneCopy:
    """Keep no latent beside the codes: after every step it is set to what its code stands for, rounded by a rule.

    With the nearest code steps below half a level are lost; drawn codes keep them on average. Source: Muller & Indiveri
    2015, arXiv 1504.05767; such stochastic updates of few-level devices: Payvand et al. 2018, arXiv 1807.05128.
    """

    rule: Nearest | Stochastic | Feedback = Stochastic()

    def __post_init__(self) -> None:
        if not isinstance(self.rule, Nearest | Stochastic | Feedback):
            raise NeuroError(f"rule is {self.rule!r}, allowed: Nearest(), Stochastic(seed) or Feedback()")


RULES = (Nearest, Stochastic, Feedback, OneCopy)


@torch.no_grad()
def put_on_codes(network, rule, step: int) -> None:
    """Set every latent to the weight of its code by a rule, then project: the nearest code is that code."""
    for number, (_, latent, memory) in enumerate(network.synapses()):
        latent.copy_(memory.rounded(latent, rule, step, number))
    network.project_codes()


def round_once(network, rule: Nearest | Stochastic | Feedback) -> None:
    """Round a trained network for good: latents become what their codes stand for. Post-hoc rounding by any rule.

    network: a `neuro.Network` or what `neuro.constrain` gives; its nearest codes, so what is exported, become the rule's.
    """
    put_on_codes(network, OneCopy(rule).rule, 0)
