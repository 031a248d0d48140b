"""What a sample costs a chip: events counted in a run, times the figures of its descriptor. An estimate, never more."""

from __future__ import annotations

from neuro.descriptor import Chip
from neuro.evaluation.operations import Operations


def energy_estimate(chip: Chip, done: Operations, seconds: float) -> float | None:
    """Joules for one sample of so many seconds, or None where the descriptor leaves a figure of the sum out.

    A sum with a part missing would be read as the whole, so one unknown figure makes the estimate unknown.
    """
    figures = chip.energy
    if figures is None or None in (figures.spike_j, figures.delivery_j, figures.word_j, figures.static_w):
        return None
    events = figures.spike_j * done.spikes + figures.delivery_j * done.deliveries + figures.word_j * done.words
    return events + figures.static_w * seconds
