"""A batch as a network takes it: events of some samples of a part, by input, and their labels."""

from __future__ import annotations

import numpy as np
import torch

from neuro.data.augment import altered_events, altered_values
from neuro.data.encoders import encode
from neuro.data.parts import Part
from neuro.errors import DataError
from neuro.task import Task


def make_batch(task: Task, part: Part, rows: np.ndarray, seed: int, augment: bool = False, device=None):
    """Encode some rows of a part: events [T, B, n] (several inputs: by name), and labels int64 [B] or [T, B].

    Several inputs take the encoder's channels one after the other, in the task's order. augment: alter the samples as
    the recipe says, for training. device: where both are to be; absent = on the CPU.
    """
    x, ids, how = part.x[rows], part.ids[rows], task.training.augment
    if augment:
        x = altered_values(task, x, ids, seed, part.order)
    events = encode(task.encoder, x, ids, seed, task.tail_steps)
    if augment:
        prompt = bool(task.encoder.prompt)
        altered_events(how, events[: task.encoder.steps, :, : events.shape[2] - prompt], ids, seed)
    events, labels = events.to(device), torch.from_numpy(part.labels(rows, task.tail_steps)).to(device)
    wanted = sum(task.inputs.values())
    if events.shape[2] != wanted:
        (name, size), *more = task.inputs.items()
        named = "the inputs together are" if more else f"inputs.{name} is"
        raise DataError(
            f"{named} {wanted if more else size}, but {task.data.dataset} encoded as {task.encoder.kind} has "
            f"{events.shape[2]}"
        )
    if len(task.inputs) == 1:
        return events, labels
    parts = events.split(list(task.inputs.values()), 2)
    return {name: part.contiguous() for name, part in zip(task.inputs, parts, strict=True)}, labels
