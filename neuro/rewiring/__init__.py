"""Q-rewiring: an optimizer whose every step ends inside what the chip can hold."""

from neuro.rewiring.growth import Redraw
from neuro.rewiring.optimizer import QRewiring

__all__ = ["QRewiring", "Redraw"]
