"""Learning curves, the one picture every run folder has."""

from __future__ import annotations

from pathlib import Path

from neuro.runs.folder import Run
from neuro.runs.picture import BLUE, GREEN, GREY, ORANGE, figure, save


def plot_curves(run: Run, path: str | Path) -> None:
    """Plot loss, accuracy, firing rate and slots used against epochs."""
    metrics = run.metrics
    epochs = [m["epoch"] for m in metrics]
    fig, axes = figure(1, 3, (11, 3.2))
    loss, accuracy, use = axes[0]
    marker = "o" if len(epochs) < 10 else None
    loss.plot(epochs, [m["train_loss"] for m in metrics], color=BLUE, marker=marker, label="training")
    loss.plot(epochs, [m["validation_loss"] for m in metrics], color=ORANGE, marker=marker, label="validation")
    loss.set(xlabel="epoch", ylabel="cross-entropy")
    loss.legend(frameon=False)
    accuracy.plot(epochs, [100 * m["train_accuracy"] for m in metrics], color=BLUE, marker=marker)
    accuracy.plot(epochs, [100 * m["validation_accuracy"] for m in metrics], color=ORANGE, marker=marker)
    accuracy.set(xlabel="epoch", ylabel="accuracy (%)")
    use.plot(epochs, [m["slots_mean"] for m in metrics], color=GREEN, marker=marker, label="slots used per neuron")
    limit = run.chip.weights.slots
    if limit:
        use.axhline(limit, color=GREY, linestyle=":", label=f"limit {limit}", zorder=0)
    use.set(xlabel="epoch", ylabel="slots", ylim=(0, 1.1 * max(limit or 0, *(m["slots_mean"] for m in metrics))))
    use.legend(frameon=False, loc="lower right")
    fig.suptitle(f"{run.task.name} on {run.chip.label}, seed {run.seed}", fontsize=11)
    save(fig, path)
