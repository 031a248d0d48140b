"""neuro demo: the main job in one go."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from neuro.cli.show import Json, free_folder, show

NAME, SHORT = "demo", "All of it, in half a minute."
LEAST_ACCURACY = 0.93


def command(
    out: Annotated[Path, typer.Option("--out", help="Folder for everything it makes, new or empty.")] = Path(
        "runs/demo"
    ),
    as_json: Json = False,
) -> None:
    """Train digits on DYNAP-SE1, export, verify, draw; about half a minute on two cores."""
    from neuro.cli.evaluate import summary
    from neuro.emit import export
    from neuro.errors import RunError
    from neuro.evaluation import evaluate
    from neuro.reports import plot_overview
    from neuro.training import train
    from neuro.training.progress import progress_for
    from neuro.verification import verify

    begun = time.monotonic()
    run = train("digits", "dynapse1", out, progress=progress_for("quiet" if as_json else "auto"))
    export(run).save(out / "tables")
    result, proof = evaluate(run), verify(run, out / "tables")
    plot_overview(run, out / "overview.png")
    lines = [
        "",
        *summary(result, run.chip),
        f"replay            {proof}",
        f"time              {time.monotonic() - begun:.0f} s",
        "",
        f"picture           {out / 'overview.png'}",
        f"configuration     {out / 'tables'}",
        f"next              neuro check {out / 'tables'}",
        "                  neuro chips dynapse2",
        f"                  neuro train digits --chip dynapse1 --set slots=16 --out {free_folder('runs/slots16')}",
        f"                  neuro train digits-recurrent --chip dynapse2 --out {free_folder('runs/recurrent')}",
    ]
    show({"evaluation": vars(result), "verification": vars(proof), "run": str(out)}, as_json, lines)
    if not proof.passed:
        raise RunError("the replay of the tables is not the trained network: this is a bug, please report it")
    if result.accuracy < LEAST_ACCURACY:
        raise RunError(f"accuracy {result.accuracy:.1%} is below {LEAST_ACCURACY:.0%}: this is a bug, please report it")
