"""neuro train: train a task on a chip."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from neuro.cli.show import (
    Chip,
    DataDir,
    Json,
    Seed,
    Set,
    command_line,
    free_folder,
    show,
    split_overrides,
    use_data_folder,
)

NAME, SHORT = "train", "Train a task within a chip."


def command(
    task: Annotated[str, typer.Argument(help="Task name or YAML file; `neuro tasks` lists names.")],
    chip: Chip,
    out: Annotated[Path, typer.Option("--out", help="Run folder, new or empty.")],
    epochs: Annotated[int | None, typer.Option("--epochs", min=1, help="Epochs in place of the task's.")] = None,
    seed: Seed = 0,
    overrides: Set = None,
    data: DataDir = None,
    device: Annotated[str, typer.Option("--device", help="Where to train: cpu, cuda, or cuda:K.")] = "cpu",
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the folder's last checkpoint.")] = False,
    as_json: Json = False,
) -> None:
    """Train a task inside a chip's limits; every step ends with a network the chip can hold."""
    from neuro.descriptor import load_chip
    from neuro.task import load_task

    use_data_folder(data)
    for_task, for_chip = split_overrides(overrides)
    if epochs is not None:
        for_task.append(f"training.epochs={epochs}")
    known_task, known_chip = (
        load_task(task, for_task),
        load_chip(chip, for_chip),
    )  # mistakes are told before torch loads
    from neuro.training import train
    from neuro.training.progress import progress_for

    run = train(
        known_task,
        known_chip,
        out,
        seed=seed,
        resume=resume,
        device=device,
        progress=progress_for("quiet" if as_json else "auto"),
    )
    if int(os.environ.get("RANK", "0")):  # torchrun: the first process speaks for all
        return
    last = run.metrics[-1]
    best = run.facts
    export = ("export", out, "--format", "tables", "--out", free_folder(out / "tables"))
    show(
        {"run": str(out), "best": best, "last": last},
        as_json,
        [
            f"best on validation: {best['validation_accuracy']:.1%} in epoch {best['epoch']}; "
            f"{last['violations']} limits exceeded",
            f"learning curves: {out / 'curves.png'}",
            f"next: {command_line('evaluate', out)}   {command_line('verify', out)}   {command_line(*export)}",
        ],
    )
