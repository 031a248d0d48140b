"""neuro tasks: which tasks there are, and what one does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from neuro.cli.show import (
    DataDir,
    Json,
    Set,
    command_line,
    free_folder,
    overrides_of,
    refuse_picture,
    settings,
    show,
    use_data_folder,
)

NAME, SHORT = "tasks", "Tasks: data, network, recipe."


def command(
    name: Annotated[str | None, typer.Argument(help="Task name or YAML file; absent = list all.")] = None,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON schema of task files, for editors.")] = False,
    plot: Annotated[Path | None, typer.Option("--plot", help="Picture of encoded samples to write.")] = None,
    data: DataDir = None,
    overrides: Set = None,
    as_json: Json = False,
) -> None:
    """List tasks, show one in full, or picture what its encoder makes of the data."""
    from neuro import task as tasks
    from neuro.errors import DescriptionError

    refuse_picture(plot)
    if schema:
        print(json.dumps(tasks.Task.model_json_schema(by_alias=True), indent=1))
        return
    if plot is not None and name is None:
        raise DescriptionError("--plot pictures one task: name it, neuro tasks NAME --plot FILE")
    if name is None:
        if overrides:
            raise DescriptionError(
                f"--set {overrides[0]} changes one task: name it, neuro tasks NAME --set {overrides[0]}"
            )
        found = [tasks.load_task(n) for n in tasks.task_names()]
        lines = [f"{t.name:20} {t.title}" for t in found]
        lines.append(f"\nnext: neuro tasks NAME   neuro train NAME --chip dynapse1 --out {free_folder('runs/a')}")
        show({"tasks": [t.name for t in found]}, as_json, lines)
        return
    task = tasks.load_task(name, overrides_of("task", overrides))
    again = ["train", name, "--chip", "dynapse1", *settings(overrides), "--out", free_folder("runs/a")]
    then = f"next: {command_line(*again)}"
    if plot is not None:
        _picture(task, plot, data, as_json, then)
        return
    tree = json.loads(tasks.task_to_json(task))
    show(tree, as_json, _page(task, tree, then))


def _picture(task, path: Path, data: Path | None, as_json: bool, then: str) -> None:
    from neuro.reports import plot_encoding

    use_data_folder(data)
    plot_encoding(task, path)
    show({"picture": str(path)}, as_json, [f"picture: {path}", then])


def _page(task, tree: dict, then: str):
    import yaml

    yield f"{task.name}: {task.title}"
    for change in task.changed:
        yield f"changed: {change}"
    shown = {k: v for k, v in tree.items() if k not in ("name", "title", "changed", "published")}
    yield yaml.safe_dump(shown, sort_keys=False).rstrip()
    for p in task.published:
        yield f"published: {p.what}: {p.value} ({p.source})"
    yield f"\n{then}"
