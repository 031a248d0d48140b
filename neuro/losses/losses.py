"""From outputs over time to a decision, and from a decision to a loss."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch.nn import functional

from neuro.nn import Record
from neuro.task import Loss


def logits(loss: Loss, outputs: torch.Tensor) -> torch.Tensor:
    """Turn outputs [T, B, classes] into class scores [B, classes] (or [T, B, classes] where each step is labelled).

    spike_count, mse_count: the sum over time. trace_mean: the mean over time.
    """
    if loss.kind == "per_step":
        return outputs
    return outputs.mean(0) if loss.kind == "trace_mean" else outputs.sum(0)


def task_loss(loss: Loss, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The task's loss for labels [B], or [T, B] where each step is labelled (−1 = unlabelled).

    Cross-entropy under softmax(scale · scores); mse_count as snnTorch defines it.
    """
    if loss.kind == "mse_count":
        from snntorch.functional import mse_count_loss

        return mse_count_loss(loss.correct_rate, loss.incorrect_rate)(outputs, labels)
    scores = logits(loss, outputs) * loss.scale
    return functional.cross_entropy(scores.flatten(0, -2), labels.flatten(), ignore_index=-1)


def regularisers(loss: Loss, record: Record, thresholds: Mapping[str, float] | None = None) -> torch.Tensor:
    """Squared distance of every neuron's mean rate from its target, and membrane values beyond ±1 threshold, squared.

    thresholds: θ of each population recorded, 1 where not given.
    """
    total = torch.zeros(())
    if loss.rate_weight:
        rates = [z.mean((0, 1)) for z in record.spikes.values()]
        total = total + loss.rate_weight * torch.cat([(r - loss.rate_target).square() for r in rates]).sum()
    if loss.voltage_weight:
        theta = thresholds or {}
        in_thresholds = [v / theta.get(name, 1.0) for name, v in record.v.items()]
        excess = [functional.relu(v.abs() - 1).square().mean() for v in in_thresholds]
        total = total + loss.voltage_weight * torch.stack(excess).sum()
    return total
