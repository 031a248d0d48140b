"""What a task is: a network, the data it learns, and the recipe."""

from neuro.task.load import (
    load_task,
    task_from_json,
    task_names,
    task_to_json,
    with_epochs,
    with_trainable,
    with_training,
)
from neuro.task.models import Augment, Data, Encoder, Loss, MismatchTraining, Published, Task, Training
from neuro.task.network import Adaptation, NetworkSpec, Output, Population, Projection, Surrogate
from neuro.task.overrides import split_overrides

__all__ = [
    "Adaptation",
    "Data",
    "Augment",
    "Encoder",
    "Loss",
    "MismatchTraining",
    "NetworkSpec",
    "Output",
    "Population",
    "Projection",
    "Published",
    "Surrogate",
    "Task",
    "Training",
    "load_task",
    "split_overrides",
    "task_from_json",
    "task_names",
    "task_to_json",
    "with_epochs",
    "with_trainable",
    "with_training",
]
