"""neuro export: write a run's chip configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neuro.cli.show import Json, show

NAME, SHORT = "export", "Write the configuration."
FORMATS = ("tables",)


def command(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    out: Annotated[Path, typer.Option("--out", help="Folder to write, new or empty.")],
    kind: Annotated[str, typer.Option("--format", help="tables: the chip-neutral configuration.")] = "tables",
    parquet: Annotated[bool, typer.Option("--parquet", help="Parquet in place of CSV.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace tables that are there already.")] = False,
    as_json: Json = False,
) -> None:
    """Export a run's best network."""
    from neuro.emit import export
    from neuro.errors import DescriptionError
    from neuro.tables import check

    if kind not in FORMATS:
        raise DescriptionError(f"--format is {kind!r}, allowed: {', '.join(FORMATS)}")
    tables = export(run)
    findings = [str(f) for f in check(tables)]
    tables.save(out, parquet=parquet, overwrite=overwrite)
    rows = {name: len(frame) for name, frame in tables.frames.items() if len(frame)}
    lines = [f"{out}: {', '.join(f'{name} {n:,}' for name, n in rows.items())} rows; {len(findings)} limits exceeded"]
    lines += [*findings, f"next: neuro check {out}   neuro verify {run} --tables {out}"]
    show({"folder": str(out), "rows": rows, "findings": findings}, as_json, lines)
