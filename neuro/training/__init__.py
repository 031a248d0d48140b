"""Training: the loop, its recipe, its progress."""

from neuro.training.loop import train

__all__ = ["train"]
