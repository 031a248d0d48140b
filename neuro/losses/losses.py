"""From outputs over time to a decision, and from a decision to a loss."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import torch
from torch.nn import functional

from neuro.nn import Record
from neuro.task import Loss


def together(outputs) -> torch.Tensor:
    """Add the outputs of several read-outs, which speak for the same classes; one is as it is."""
    return outputs if isinstance(outputs, torch.Tensor) else torch.stack(list(outputs.values())).sum(0)


def logits(loss: Loss, outputs: torch.Tensor) -> torch.Tensor:
    """Turn outputs [T, B, classes] into class scores [B, classes] (or [T, B, classes] where each step is labelled).

    spike_count, mse_count: the sum over the last `read_steps`. trace_mean: the mean over them. per_step: at each step
    the sum over the last `window` steps up to it.
    """
    if loss.kind == "per_step":
        return _windowed(outputs, loss.window)
    read = outputs if loss.read_steps is None else outputs[-loss.read_steps :]
    return read.mean(0) if loss.kind == "trace_mean" else read.sum(0)


def _windowed(outputs: torch.Tensor, window: int) -> torch.Tensor:
    if window == 1:
        return outputs
    total = outputs.cumsum(0)
    return torch.cat([total[:window], total[window:] - total[:-window]])


def judged(loss: Loss, outputs: torch.Tensor, labels: torch.Tensor) -> tuple[int, int]:
    """Count right answers and answers asked for: one a sample, or one a step that has a label (not −1)."""
    asked = labels >= 0
    right = (logits(loss, outputs).argmax(-1) == labels) & asked
    return int(right.sum()), int(asked.sum())


def task_loss(loss: Loss, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The task's loss for labels [B], or [T, B] where each step is labelled (−1 = unlabelled).

    Cross-entropy under softmax(scale · scores); mse_count as snnTorch defines it.
    """
    if loss.kind == "mse_count":
        from snntorch.functional import mse_count_loss

        read = outputs if loss.read_steps is None else outputs[-loss.read_steps :]
        return mse_count_loss(loss.correct_rate, loss.incorrect_rate)(read, labels)
    scores = logits(loss, outputs) * loss.scale
    return functional.cross_entropy(scores.flatten(0, -2), labels.flatten(), ignore_index=-1)


def regularisers(
    loss: Loss,
    record: Record,
    thresholds: Mapping[str, float | torch.Tensor] | None = None,
    weights: Iterable[torch.Tensor] = (),
    share: float = 1.0,
    whole: Callable[[torch.Tensor], torch.Tensor] = lambda rates: rates,
) -> torch.Tensor:
    """Firing rates off their target, membrane values beyond ±1 threshold, and weights, each times its weight in the loss.

    Rates: (Σ over neurons of (mean rate − target)²) to the power `rate_power`. Membranes: (|v| / θ − 1)² where above 0,
    mean over every step, or of the last one. Weights: Σ|w| of what the chip holds, in thresholds of their unit.
    thresholds: θ of each population recorded, or of its neurons [n], 1 where not given. share: of a batch that several
    processes hold, the part that is here; whole: sums such parts of the mean rates, so that each process sees the rates of
    the whole batch.
    Source of the forms: the code published with Petschenig & Legenstein 2023 (doi 10.1088/2634-4386/accd8f).
    """
    total = torch.zeros(())
    if loss.rate_weight:
        rates = whole(torch.cat(list(record.rates.values())) * share)
        off = (rates - loss.rate_target).square().sum()
        total = total + loss.rate_weight * (off if loss.rate_power == 1 else off**loss.rate_power)
    if loss.voltage_weight:
        theta = thresholds or {}
        steps = slice(-1, None) if loss.voltage_at == "last" else slice(None)
        in_thresholds = [v[steps] / theta.get(name, 1.0) for name, v in record.v.items()]
        excess = [functional.relu(v.abs() - 1).square().mean() for v in in_thresholds]
        total = total + loss.voltage_weight * torch.stack(excess).sum() * share
    if loss.weight_l1:
        total = total + loss.weight_l1 * torch.stack([w.abs().sum() for w in weights]).sum() * share
    return total
