"""What stands before the first step: data that suit the task, and a folder begun alike."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch

from neuro.data import Dataset, load_dataset, make_batch
from neuro.descriptor import Chip, differing
from neuro.errors import DataError, DescriptionError, RunError
from neuro.runs import Run, load_run
from neuro.task import Task


def checked_data(task: Task) -> Dataset:
    """Load a task's data and hold it against the task's inputs, read-out and loss."""
    data = load_dataset(task.data)
    if (task.loss.kind == "per_step") != (data.train.y.ndim > 1):
        have = "a label a step" if data.train.y.ndim > 1 else "one label a sample"
        raise DataError(
            f"loss.kind is {task.loss.kind}, but {task.data.dataset} has {have}; use "
            f"{'per_step' if data.train.y.ndim > 1 else 'spike_count'}"
        )
    make_batch(task, data.train, np.arange(1), 0, augment=True)
    classes = {name: o.classes or task.populations[o.population].size for name, o in task.outputs.items()}
    if len(set(classes.values())) > 1:
        raise DataError(f"outputs have {', '.join(f'{n} {c}' for n, c in classes.items())} classes, allowed: all alike")
    name, most = next(iter(classes.items()))
    if data.classes > most:
        raise DataError(f"outputs.{name} has {most} classes, but {task.data.dataset} has {data.classes}")
    if task.loss.kind == "per_step" and data.train.y.shape[1] != task.encoder.steps:
        raise DataError(
            f"{task.data.dataset} has labels of {data.train.y.shape[1]} steps, encoder.steps is {task.encoder.steps}; "
            "allowed: as many"
        )
    return data


def checked_device(name: str | torch.device, task: Task) -> torch.device:
    """The device a name stands for; of several processes that torchrun started each has a GPU of its own.

    Raises DescriptionError where it is not there, or the task trains on the CPU only.
    """
    name, rank = str(name), int(os.environ.get("LOCAL_RANK", "0"))
    together = int(os.environ.get("WORLD_SIZE", "1")) > 1
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    each = [] if together else [f"cuda:{k}" for k in range(count)]
    allowed = ["cpu", *(["cuda"] if count else []), *each]
    if name not in allowed:
        raise DescriptionError(f"device is {name!r}, allowed here: {', '.join(allowed)}")
    if name != "cpu" and task.training.mismatch is not None:
        raise DescriptionError(f"device is {name!r}, but training.mismatch draws devices on the CPU alone; use cpu")
    if name == "cuda" and rank >= count:
        raise DescriptionError(f"there are {count} GPUs, and this is process {rank + 1} on this machine; start {count}")
    return torch.device("cuda", rank) if name == "cuda" else torch.device(name)


def versions() -> dict:
    """What a run is made with, for run.json."""
    import neuro

    return {"neuro": neuro.__version__, "torch": torch.__version__, "threads": torch.get_num_threads()}


def resumed(folder: Path, task: Task, chip: Chip, seed: int) -> Run:
    """The run of a folder, to go on with; RunError where it was begun otherwise."""
    run = load_run(folder)
    begun, now = (_dumped(run.task, run.chip, run.seed), _dumped(task, chip, seed))
    if begun != now:
        key, old, new = next(differing(begun, now))
        raise RunError(
            f"{folder} was begun with another {key} ({old}, not {new}); resume with the same command, or start anew in "
            "another --out"
        )
    return run


def _dumped(task: Task, chip: Chip, seed: int) -> dict:
    return {"task": task.model_dump(mode="json"), "chip": chip.model_dump(mode="json"), "seed": seed}
