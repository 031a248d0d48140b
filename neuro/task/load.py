"""Tasks: from a shipped name or a YAML file, with overrides, to a frozen `Task`; and to JSON and back."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from neuro.descriptor import (
    Document,
    apply_overrides,
    find_shipped,
    read_document,
    refuse_other_kind,
    shipped_names,
    validate,
)
from neuro.errors import DescriptionError
from neuro.task.models import Task


def load_task(name_or_path: str | Path, overrides: Iterable[str] = ()) -> Task:
    """Return the task of a shipped name or a YAML file, changed by `key=value` overrides, kept in `task.changed`.

    Raises DescriptionError with the file and line, or the override, of every mistake.
    """
    document = refuse_other_kind(read_document(find_shipped(name_or_path, "tasks")), "task")
    task = validate(Task, document, "task")
    changed = apply_overrides(document, Task, overrides, "task.", "training.epochs=3")
    if not changed.settings:
        return task
    told = tuple(setting.told.removeprefix("--set task.") for setting in changed.settings)
    return validate(Task, changed, "task").model_copy(update={"changed": task.changed + told})


def with_epochs(task: Task, epochs: int) -> Task:
    """Give the task with another number of epochs, noted in `changed`; DescriptionError where it is no such number."""
    return with_training(task, "epochs", epochs=epochs)


def with_training(task: Task, where: str, **values: object) -> Task:
    """Give the task with other values of its recipe, noted in `changed`; DescriptionError where one does not fit."""
    tree = json.loads(task_to_json(task))
    tree["training"] |= values
    tree["changed"] += [f"training.{key}={'null' if value is None else value}" for key, value in values.items()]
    return validate(Task, Document(where, tree), "task")


def with_trainable(task: Task, where: str, constants: Iterable[str]) -> Task:
    """Give the task with other constants trained, noted in `changed`; DescriptionError for one that cannot be."""
    tree = json.loads(task_to_json(task))
    tree["trainable"] = list(constants)
    tree["changed"] += [f"trainable=[{', '.join(tree['trainable'])}]"]
    return validate(Task, Document(where, tree), "task")


def task_names() -> list[str]:
    """List the names of the shipped tasks."""
    return shipped_names("tasks")


def task_to_json(task: Task) -> str:
    """Write a task as one JSON object."""
    return task.model_dump_json(by_alias=True, indent=1)


def task_from_json(text: str, where: str) -> Task:
    """Read a task that `task_to_json` wrote; `where` names the text in errors."""
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DescriptionError(f"{where}: the task is not JSON: {error}") from None
    if not isinstance(tree, dict):
        raise DescriptionError(f"{where}: the task is not a JSON object")
    return validate(Task, Document(where, tree), "task")
