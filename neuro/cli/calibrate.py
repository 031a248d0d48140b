"""neuro calibrate: fine-tune a run for one device."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neuro.cli.show import DataDir, Json, command_line, show, use_data_folder

NAME, SHORT = "calibrate", "Fine-tune a run for one device."


def command(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    virtual: Annotated[Path, typer.Option("--virtual", help="File of the device, drawn or measured.")],
    out: Annotated[Path, typer.Option("--out", help="Run folder to write, new or empty.")],
    epochs: Annotated[int, typer.Option("--epochs", min=1, help="Passes over the training samples.")] = 10,
    lr: Annotated[
        float | None, typer.Option("--lr", help="Learning rate; default 0.3 times that of training, 0.1 for biases.")
    ] = None,
    settings: Annotated[str, typer.Option("--settings", help="What may be set: all, or biases alone.")] = "all",
    constants: Annotated[
        str, typer.Option("--constants", help="Biases to set, too: of tau_mem, tau_syn and threshold, with commas.")
    ] = "",
    data: DataDir = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the folder's last checkpoint.")] = False,
    as_json: Json = False,
) -> None:
    """Fine-tune what a board lets you set, words and biases, against the mismatch of one device."""
    from neuro.runs import load_run, load_virtual_chip

    use_data_folder(data)
    device, loaded = load_virtual_chip(virtual), load_run(run)
    from neuro.evaluation import evaluate
    from neuro.training import calibrate
    from neuro.training.progress import progress_for

    shown = progress_for("quiet" if as_json else "auto")
    options = {"epochs": epochs, "lr": lr, "settings": settings, "resume": resume, "progress": shown}
    done = calibrate(loaded, device, out, constants=[c for c in constants.split(",") if c], **options)
    facts = done.facts
    before = evaluate(loaded, "validation", device).accuracy
    after = f"{facts['validation_accuracy']:.1%} after {facts['epoch']} of {epochs} epochs, the best"
    lines = [
        f"accuracy on validation, on this device: {before:.1%} before, {after if facts['epoch'] else 'never better after'}",
        f"next: {command_line('evaluate', out, '--virtual', virtual)}   {command_line('verify', out)}",
    ]
    show({"run": str(out), "before": before, "best": facts, "last": done.metrics[-1]}, as_json, lines)
