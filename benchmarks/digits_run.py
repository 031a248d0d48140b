"""One training of digits on DYNAP-SE1, judged on the validation part only."""

from __future__ import annotations

import tempfile
from pathlib import Path

import neuro
from neuro.training.progress import progress_for


def validation_accuracy(recipe: list[str], slots: int, seed: int) -> float:
    """Train with overrides of the task and so many slots a neuron; the best epoch's accuracy."""
    task, chip = neuro.load_task("digits", recipe), neuro.load_chip("dynapse1", [f"slots={slots}"])
    with tempfile.TemporaryDirectory() as folder:
        run = neuro.train(task, chip, Path(folder) / "run", seed=seed, progress=progress_for("quiet"))
        return run.facts["validation_accuracy"]
