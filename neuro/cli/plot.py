"""neuro plot: pictures for papers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neuro.cli.show import DataDir, Json, command_line, show, use_data_folder

NAME, SHORT = "plot", "Pictures for papers."


def command(
    source: Annotated[Path, typer.Argument(help="Run or sweep folder.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the pictures; those of the same name are replaced.")],
    kinds: Annotated[str, typer.Option("--format", help="png, svg, pdf; several with commas between.")] = "png",
    data: DataDir = None,
    as_json: Json = False,
) -> None:
    """Draw a run (curves, slots, codes, raster, membranes, connectivity, virtual chips) or a sweep (trade-offs, fronts)."""
    from neuro.reports import plot

    use_data_folder(data)
    written = plot(source, out, tuple(kind.strip() for kind in kinds.split(",")))
    lines = [*map(str, written), f"next: {command_line('report', source)}"]
    show({"pictures": [str(path) for path in written]}, as_json, lines)
