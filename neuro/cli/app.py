"""Put the sub-commands together, and turn every mistake of a user into one message and exit status 2."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

import neuro
from neuro.cli import (
    calibrate,
    check,
    chips,
    demo,
    evaluate,
    export,
    plot,
    replay,
    report,
    sweep,
    tasks,
    train,
    verify,
    virtual,
)
from neuro.errors import NeuroError

app = typer.Typer(
    name="neuro",
    help="Train spiking networks inside a chip's limits, export its configuration, prove that both compute the same.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback(invoke_without_command=True)
def _version(version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False) -> None:
    if version:
        print(f"neuro {neuro.__version__}")
        raise typer.Exit


for module in (
    chips,
    tasks,
    train,
    evaluate,
    export,
    verify,
    check,
    replay,
    virtual,
    calibrate,
    sweep,
    report,
    plot,
    demo,
):
    app.command(name=module.NAME, short_help=module.SHORT)(module.command)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # torch's idle threads would spin on the cores our loops run on
    try:
        app(arguments)
    except SystemExit as end:
        if end.code == 130:  # how typer ends on Ctrl-C
            print("neuro: stopped", file=sys.stderr)
        raise
    except NeuroError as error:
        print(f"neuro: {error}", file=sys.stderr)
        raise SystemExit(error.status) from None
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except OSError as error:
        print(f"neuro: {error.filename or 'file'}: {error.strerror or error}", file=sys.stderr)
        raise SystemExit(2) from None
