"""Losses: cross-entropy on what the read-out says, with regularisers on firing rates and membranes."""

from neuro.losses.losses import judged, logits, regularisers, task_loss, together

__all__ = ["judged", "logits", "regularisers", "task_loss", "together"]
