"""Q-rewiring: an optimizer whose every step ends inside what the chip can hold, and the small parts it can be made of."""

from neuro.rewiring.gradient import CountSpace
from neuro.rewiring.growth import AtLeast, Redraw, Refill
from neuro.rewiring.noise import Langevin
from neuro.rewiring.optimizer import QRewiring
from neuro.rewiring.preset import published
from neuro.rewiring.removal import RandomShares, ToConnectivity
from neuro.rewiring.rounding import Feedback, Nearest, OneCopy, Stochastic, round_once

__all__ = [
    "AtLeast",
    "CountSpace",
    "Feedback",
    "Langevin",
    "Nearest",
    "OneCopy",
    "QRewiring",
    "RandomShares",
    "Redraw",
    "Refill",
    "Stochastic",
    "ToConnectivity",
    "published",
    "round_once",
]
