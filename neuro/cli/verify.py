"""neuro verify: prove that the configuration computes what was trained."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from neuro.cli.show import (
    DataDir,
    Json,
    Virtual,
    command_line,
    load_device,
    show,
    tell_samples,
    unfinished,
    use_data_folder,
)

NAME, SHORT = "verify", "Replay against training, spike by spike."


def command(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    tables: Annotated[Path | None, typer.Option("--tables", help="Tables to hold against the run.")] = None,
    virtual: Virtual = None,
    draws: Annotated[
        int,
        typer.Option("--draws", min=0, max=1000, help="Program pairs of conductances with noise, too, so many times."),
    ] = 0,
    data: DataDir = None,
    as_json: Json = False,
) -> None:
    """Compare every spike of a run's network with the replay of its tables, and check every limit; exit 1 if any is off."""
    from neuro.runs import load_run
    from neuro.verification import verify

    use_data_folder(data)
    tell = None if as_json or not sys.stderr.isatty() else tell_samples
    loaded = load_run(run)
    result = verify(loaded, tables, tell, load_device(virtual), draws)
    if result.passed:
        kept = tables or run / "tables"
        have = tables or (kept / "manifest.json").exists()
        again = ("check", kept) if have else ("export", run, "--format", "tables", "--out", kept)
        then = f"next: {command_line(*again)}"
    else:
        then = "the tables are not this run's network; export it again" if tables else "please report this as a bug"
    show(result, as_json, [str(result), *unfinished(loaded), then])
    if not result.passed:
        raise typer.Exit(1)
