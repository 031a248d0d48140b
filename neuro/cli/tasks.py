"""neuro tasks: which tasks there are, and what one does."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from neuro.cli.show import Json, Set, show, split_overrides

NAME, SHORT = "tasks", "Tasks: data, network, recipe."


def command(
    name: Annotated[str | None, typer.Argument(help="Task name or YAML file; absent = list all.")] = None,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON schema of task files, for editors.")] = False,
    overrides: Set = None,
    as_json: Json = False,
) -> None:
    """List tasks, or show one in full."""
    from neuro import task as tasks

    if schema:
        print(json.dumps(tasks.Task.model_json_schema(by_alias=True), indent=1))
        return
    if name is None:
        found = [tasks.load_task(n) for n in tasks.task_names()]
        lines = [f"{t.name:20} {t.title}" for t in found]
        lines.append("\nnext: neuro tasks NAME, or neuro train NAME --chip dynapse1 --out runs/a")
        show({"tasks": [t.name for t in found]}, as_json, lines)
        return
    task = tasks.load_task(name, split_overrides(overrides)[0])
    tree = json.loads(tasks.task_to_json(task))
    show(tree, as_json, _page(task, tree, name))


def _page(task, tree: dict, name: str):
    import yaml

    yield f"{task.name}: {task.title}"
    for change in task.changed:
        yield f"changed: {change}"
    shown = {k: v for k, v in tree.items() if k not in ("name", "title", "changed", "published")}
    yield yaml.safe_dump(shown, sort_keys=False).rstrip()
    for p in task.published:
        yield f"published: {p.what}: {p.value} ({p.source})"
    yield f"\nnext: neuro train {name} --chip dynapse1 --out runs/a"
