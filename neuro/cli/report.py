"""neuro report: one HTML file that shows a run or a sweep."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from neuro.cli.show import DataDir, Json, Virtual, command_line, load_device, show, tell_samples, use_data_folder

NAME, SHORT = "report", "A run or a sweep as one HTML page."


def command(
    source: Annotated[Path, typer.Argument(help="Run or sweep folder.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="File to write; default: report.html in the folder.")
    ] = None,
    virtual: Virtual = None,
    data: DataDir = None,
    as_json: Json = False,
) -> None:
    """Write the report: verdict first, then figures to hover; it needs no network and can be sent as one file."""
    from neuro.reports import report

    use_data_folder(data)
    tell = None if as_json or not sys.stderr.isatty() else tell_samples
    path = report(source, out, tell, load_device(virtual))
    size = path.stat().st_size
    lines = [
        f"{path}: {size / 1e6:.1f} MB; open it in any browser",
        f"next: {command_line('plot', source, '--format', 'svg,pdf', '--out', source / 'pictures')}",
    ]
    show({"report": str(path), "bytes": size}, as_json, lines)
