"""Calibration: a trained network fine-tuned against the mismatch of the one device that is there.

Only what a board lets you set moves: the codes of its words, spare ones included, the biases of its base weights, and a
read-out beside the chip; biases of time constants and thresholds, one value a core, where they are asked for or the task
trains them. Every step ends inside the chip, as in training.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from neuro.errors import DescriptionError
from neuro.nn import Network, build
from neuro.runs import Run, load_run, save_virtual_chip
from neuro.silicon import VirtualChip
from neuro.task import Task, with_trainable, with_training
from neuro.training.devices import OneDevice
from neuro.training.loop import train_network
from neuro.training.progress import Progress
from neuro.training.start import checked_data

DEVICE = "device.safetensors"
LR_SHARE = 0.3  # of the learning rate the network was trained with
BIAS_LR = 0.1  # of biases alone: their latents are logarithms of currents, and a DAC's steps are per cents
SETTINGS = ("all", "biases")


def calibrate(
    run: Run | str | Path,
    virtual: VirtualChip,
    out: str | Path,
    *,
    epochs: int = 10,
    lr: float | None = None,
    settings: str = "all",
    constants: Sequence[str] = (),
    resume: bool = False,
    progress: Progress | None = None,
) -> Run:
    """Fine-tune a run's best network for one device in a run folder of its own; gives that run.

    settings: "all" sets words, base weights and a linear read-out; "biases" leaves words as they are. constants: those of
    tau_mem, tau_syn and threshold whose biases are set, too, beside any the task trains; they begin at the code nearest to
    what they were. lr: default 0.3 times that of training, 0.1 for biases alone; constants move at 0.1 unless the task has
    a rate for them. The network stays that of the chip as described, so that it exports and verifies as ever; the device
    lies beside it, and its accuracy there chooses the best network, the one to begin with included.
    Raises DescriptionError for a device of another chip, RunError where the folder is taken.
    """
    run = load_run(run) if isinstance(run, str | Path) else run
    if settings not in SETTINGS:
        raise DescriptionError(f"settings is {settings!r}, allowed: {', '.join(SETTINGS)}")
    virtual.refuse_other(run.chip)
    default = BIAS_LR if settings == "biases" else LR_SHARE * run.task.training.lr
    rate = default if lr is None else lr
    task = with_training(run.task, "calibrate", epochs=epochs, lr=rate, mismatch=None)
    if constants:
        sought = dict.fromkeys([*run.task.trainable, *constants])
        own_rate = run.task.training.constant_lr
        task = with_training(task, "calibrate", constant_lr=BIAS_LR if own_rate is None else own_rate)
        task = with_trainable(task, "calibrate", sought)
    network = _network(run, task)
    if settings == "biases":
        for latent in network.latents.values():
            latent.requires_grad_(False)
    facts = {"calibrated_from": str(run.folder), "settings": settings, "constants": list(constants)}
    new = Run(Path(out), task, run.chip, run.seed)
    devices = OneDevice(network, virtual)
    done = train_network(
        network, checked_data(task), new, devices, begun=True, facts=facts, resume=resume, progress=progress
    )
    save_virtual_chip(virtual, done.folder / DEVICE)
    return done


def _network(run: Run, task: Task) -> Network:
    """A run's best network for a task that trains more constants; that of `run` stays as it is."""
    trained = load_run(run.folder).network
    if task.trainable == run.task.trainable:
        return trained
    network = build(task, run.chip, run.seed)
    state = network.state_dict()
    network.load_state_dict({**trained.state_dict(), **{k: v for k, v in state.items() if k.startswith("constants.")}})
    if trained.constants is not None:
        _keep_values(trained.constants, network.constants)
    return network.eval()


@torch.no_grad()
def _keep_values(before, now) -> None:
    """Let constants that were trained before go on from where they are."""
    known = {(e.core, e.row, e.start): k for k, e in enumerate(before.entries)}
    for number, entry in enumerate(now.entries):
        if (entry.core, entry.row, entry.start) in known:
            now.latent[number] = before.latent[known[entry.core, entry.row, entry.start]]
    now.project()
