"""Calibration: a trained network fine-tuned against the mismatch of the one device that is there.

Only what a board lets you set moves: the codes of its words, spare ones included, the biases of its base weights, and a
read-out beside the chip; biases of time constants and thresholds where the task trains them. Every step ends inside the
chip, as in training.
"""

from __future__ import annotations

from pathlib import Path

from neuro.errors import DescriptionError
from neuro.runs import Run, load_run, save_virtual_chip
from neuro.silicon import VirtualChip
from neuro.task import with_training
from neuro.training.devices import OneDevice
from neuro.training.loop import train_network
from neuro.training.progress import Progress
from neuro.training.start import checked_data

DEVICE = "device.safetensors"
LR_SHARE = 0.3  # of the learning rate the network was trained with
SETTINGS = ("all", "biases")


def calibrate(
    run: Run | str | Path,
    virtual: VirtualChip,
    out: str | Path,
    *,
    epochs: int = 10,
    lr: float | None = None,
    settings: str = "all",
    resume: bool = False,
    progress: Progress | None = None,
) -> Run:
    """Fine-tune a run's best network for one device in a run folder of its own; gives that run.

    settings: "all" sets words, base weights and a linear read-out; "biases" leaves words as they are. lr: default 0.3 times
    the one of training. The network stays that of the chip as described, so that it exports and verifies as ever; the
    device lies beside it, and its accuracy there chooses the best network, the one to begin with included.
    Raises DescriptionError for a device of another chip, RunError where the folder is taken.
    """
    run = load_run(run) if isinstance(run, str | Path) else run
    if settings not in SETTINGS:
        raise DescriptionError(f"settings is {settings!r}, allowed: {', '.join(SETTINGS)}")
    virtual.refuse_other(run.chip)
    rate = LR_SHARE * run.task.training.lr if lr is None else lr
    task = with_training(run.task, "calibrate", epochs=epochs, lr=rate, mismatch=None)
    network = load_run(run.folder).network  # one of its own: that of `run` stays as it is
    if settings == "biases":
        for latent in network.latents.values():
            latent.requires_grad_(False)
    facts = {"calibrated_from": str(run.folder), "settings": settings}
    new = Run(Path(out), task, run.chip, run.seed)
    devices = OneDevice(network, virtual)
    done = train_network(
        network, checked_data(task), new, devices, begun=True, facts=facts, resume=resume, progress=progress
    )
    save_virtual_chip(virtual, done.folder / DEVICE)
    return done
