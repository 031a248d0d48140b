"""Two printers for every result: lines for people, one JSON object for machines; and the options many commands share."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from neuro.errors import DescriptionError

PICTURES = (".png", ".svg", ".pdf")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
Chip = Annotated[str, typer.Option("--chip", help="Chip name or YAML file; `neuro chips` lists names.")]
Seed = Annotated[int, typer.Option("--seed", min=0, max=2**31 - 1, help="Seed of weights, order and noise.")]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="<key=value>",
        help="Override a key of the task or the chip; repeat for more: task.populations.hidden.size=64, "
        "chip.weights.slots=16 (or slots=16).",
    ),
]
Virtual = Annotated[
    Path | None, typer.Option("--virtual", help="File of a virtual chip to run on (`neuro virtual` draws one).")
]
DataDir = Annotated[
    Path | None, typer.Option("--data", help="Folder with data sets (else the environment's NEURO_DATA).")
]


def show(result, as_json: bool, lines: Iterable[str]) -> None:
    """Print a frozen result for a machine, or its lines for a person."""
    if as_json:
        value = dataclasses.asdict(result) if dataclasses.is_dataclass(result) else result
        print(json.dumps(_plain(value), allow_nan=False))
    else:
        for line in lines:
            print(line)


def _plain(value):
    """Make a value fit JSON: numbers that are not finite become null."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value


def split_overrides(overrides: list[str] | None) -> tuple[list[str], list[str]]:
    """Part `--set` texts into those for the task and those for the chip."""
    from neuro.task import split_overrides as split

    return split(overrides)


def overrides_of(room: str, overrides: list[str] | None) -> list[str]:
    """The `--set` texts of a command that shows a task, or a chip, alone."""
    for_task, for_chip = split_overrides(overrides)
    mine, others = (for_task, for_chip) if room == "task" else (for_chip, for_task)
    if others:
        wrong = next(text for text in overrides or () if not split_overrides([text])[room == "chip"])
        raise DescriptionError(f"--set {wrong}: allowed here: keys of the {room}, {room}. first")
    return mine


def use_data_folder(folder: Path | None) -> None:
    """Let readers look for data in a folder the user names."""
    import os

    if folder is not None:
        if not folder.is_dir():
            raise DescriptionError(f"--data {folder}: no such folder")
        os.environ["NEURO_DATA"] = str(folder)


def load_device(path: Path | None):
    """Read the virtual chip of a file, or give None where there is no file to read."""
    from neuro.runs import load_virtual_chip

    return None if path is None else load_virtual_chip(path)


def refuse_picture(path: Path | None) -> None:
    """Refuse, before any work is done, a --plot file that could not be written."""
    if path is not None and (path.is_dir() or not path.parent.is_dir() or path.suffix not in PICTURES):
        raise DescriptionError(f"--plot {path}: allowed: a file {', '.join(PICTURES)} in a folder that exists")


def command_line(*words: object) -> str:
    """A command as it is typed, quoted where a shell needs that."""
    return shlex.join(["neuro", *map(str, words)])


def unfinished(run) -> list[str]:
    """One line on a run whose training was stopped before its last epoch, else none."""
    done, wanted = run.metrics[-1]["epoch"] if run.metrics else 0, run.task.training.epochs
    return [f"epoch {done} of {wanted}: training is not finished; --resume goes on"] if done < wanted else []


def settings(overrides: list[str] | None) -> list[str]:
    """The words that give the same overrides again."""
    return [word for text in overrides or () for word in ("--set", text)]


def free_folder(wanted: str | Path) -> Path:
    """A folder that is not there yet: the one wanted, else it with the first number that is free."""
    wanted = Path(wanted)
    return next(f for n in itertools.count(1) if not (f := wanted if n == 1 else Path(f"{wanted}-{n}")).exists())


def tell_samples(done: int, total: int, what: str = "samples", verb: str = "verified") -> None:
    """Say how far a verification is, on a line that moves."""
    import sys

    print(f"\r{verb} {done} of {total} {what}", end="\n" if done == total else "", file=sys.stderr, flush=True)
