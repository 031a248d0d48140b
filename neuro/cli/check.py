"""neuro check: re-derive every limit from tables alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neuro.cli.show import Json, free_folder, show

NAME, SHORT = "check", "Tables against every limit."


def command(
    tables: Annotated[Path, typer.Argument(help="Folder of tables, or of a vendor's format.")],
    edited: Annotated[bool, typer.Option("--edited", help="Accept files changed since they were exported.")] = False,
    as_json: Json = False,
) -> None:
    """Check tables against every limit of their chip; exit 1 if any is exceeded."""
    from neuro.formats import load_configuration
    from neuro.tables import check

    loaded = load_configuration(tables, edited=edited)
    findings = [str(f) for f in check(loaded)]
    lines = [*findings, f"{len(findings)} limits of {loaded.chip.label} exceeded"]
    if findings:
        lines.append("next: put right what is named above and check again, or export again")
    elif edited:
        save = f"neuro.load_tables({str(tables)!r}, edited=True).save({str(free_folder(tables))!r})"
        lines.append(f'next: python -c "import neuro; {save}"   (edited tables can be used once saved anew)')
    else:
        lines.append(f"events of your own: neuro replay {tables} --input X.npy --out Y.npy   (X: [T, B, channels])")
    show({"chip": loaded.chip.label, "findings": findings}, as_json, lines)
    if findings:
        raise typer.Exit(1)
