"""neuro sweep: many runs over chips, keys and seeds."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from neuro.cli.show import DataDir, Json, Set, command_line, show, use_data_folder

NAME, SHORT = "sweep", "Many runs: what costs how much?"


def command(
    task: Annotated[str, typer.Argument(help="Task name or YAML file; `neuro tasks` lists names.")],
    chip: Annotated[list[str], typer.Option("--chip", help="Chip name or YAML file; repeat for several.")],
    out: Annotated[Path, typer.Option("--out", help="Sweep folder; the same command goes on with one that is there.")],
    over: Annotated[
        list[str] | None,
        typer.Option(
            "--over",
            metavar="<key=value,value>",
            help="A key of task or chip and its values; repeat for more: chip.slots=8,16,32.",
        ),
    ] = None,
    seeds: Annotated[int, typer.Option("--seeds", help="Seeds 0, 1, … for every point.")] = 1,
    overrides: Set = None,
    epochs: Annotated[int | None, typer.Option("--epochs", min=1, help="Epochs in place of the task's.")] = None,
    optimize: Annotated[
        str | None,
        typer.Option("--optimize", metavar="<name,name>", help="Look for the best trade-offs: accuracy,slots, …"),
    ] = None,
    trials: Annotated[int | None, typer.Option("--trials", help="Runs of an optimization.")] = None,
    prune: Annotated[
        bool | None, typer.Option("--prune/--no-prune", help="Stop hopeless runs (default: when optimizing).")
    ] = None,
    workers: Annotated[int, typer.Option("--workers", help="Processes on this machine.")] = 1,
    storage: Annotated[
        str | None,
        typer.Option("--storage", metavar="<url>", help="postgresql://… to share; default: a file in the folder."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before more than 1,000 runs.")] = False,
    data: DataDir = None,
    as_json: Json = False,
) -> None:
    """Train a task over a grid of chips, keys and seeds, or look for the best trade-offs; stop and go on at will."""
    from neuro.sweeps.definition import define
    from neuro.sweeps.run import run_sweep
    from neuro.sweeps.space import make_space

    use_data_folder(data)
    settings = (*(overrides or ()), *([f"task.training.epochs={epochs}"] if epochs else ()))
    names = tuple(name.strip() for name in optimize.split(",")) if optimize is not None else ()
    agreed = _ask if not yes else lambda total: True
    definition = define(task, make_space(chip, over or (), seeds), settings, names, trials, prune, agreed)
    if trials is not None and trials > definition.total and not as_json:
        print(_fewer(definition.space, trials), file=sys.stderr, flush=True)
    table = run_sweep(definition, out, workers, storage, "quiet" if as_json else "auto")
    states = table.state.value_counts().to_dict()
    show({"sweep": str(out), "runs": states, "table": str(out / "table.csv")}, as_json, _summary(table, states, out))


def _ask(total: int) -> bool:
    """Ask a person before a very long sweep."""
    return sys.stdin.isatty() and typer.confirm(f"This sweep has {total:,} runs. Begin?", err=True)


def _fewer(space, trials: int) -> str:
    """Say why an optimization has fewer runs than were asked for, and what to add."""
    parts = [("chip", len(space.chips)), *((axis.key, len(axis.values)) for axis in space.axes), ("seed", space.seeds)]
    points = " x ".join(
        f"{n} {'of ' if '.' in what else ''}{what}{'s' * (n > 1 and '.' not in what)}" for what, n in parts
    )
    varied = {axis.key for axis in space.axes}
    more = [
        text for text in ("chip.slots=8,16,32,64", "task.training.lr=0.01,0.02") if text.partition("=")[0] not in varied
    ]
    add = f"add keys to vary, such as --over {more[0]}" if more else "give more values or keys to vary with --over"
    return f"{trials} trials asked, {space.size} run: the space has no more points ({points}); {add}"


def _summary(table, states: dict, out: Path):
    yield f"{len(table)} runs: {', '.join(f'{n} {state}' for state, n in states.items())}"
    done = table[table.state == "complete"]
    if len(done):
        best = done.loc[done.validation_accuracy.idxmax()]
        yield (
            f"best on validation: {best.run}, validation {best.validation_accuracy:.1%}, test {best.test_accuracy:.1%}, "
            f"slots {best.slots_mean:.1f}"
        )
    yield f"table: {out / 'table.csv'} and {out / 'table.parquet'}"
    yield f"next: {command_line('report', out)}" + (f"   {command_line('verify', out / best.run)}" if len(done) else "")
