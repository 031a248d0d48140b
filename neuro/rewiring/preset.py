"""The parts of the published algorithm, together."""

from __future__ import annotations

from neuro.rewiring.gradient import CountSpace
from neuro.rewiring.removal import RandomShares, ToConnectivity
from neuro.rewiring.rounding import Stochastic


def published(connectivity: float = 0.2, seed: int = 0) -> dict:
    """Give the published set of parts as keywords: `QRewiring(SGD(…, momentum=0.9), network, **published())`.

    What the publication does beside them needs no part here: a latent that crosses zero changes its sign, being a signed
    number; the split over two bases, and the fit of the larger, belong to counts with several types per current and sign.
    Growth is the gradient's, which reaches silent connections too ("none" there). But no limit is exceeded here.
    Source: Petschenig & Legenstein 2023, doi 10.1088/2634-4386/accd8f, from its code's rules.
    """
    return {
        "latent": "free",
        "rounding": Stochastic(seed),
        "removal": (ToConnectivity(connectivity), RandomShares(seed)),
        "growth": None,
        "noise": None,
        "gradient": CountSpace(),
    }
