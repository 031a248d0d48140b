"""Training: the loop, its recipe, its progress; and calibration for one device."""

from neuro.training.calibration import calibrate
from neuro.training.loop import train

__all__ = ["calibrate", "train"]
