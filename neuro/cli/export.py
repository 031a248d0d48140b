"""neuro export: write a run's chip configuration, for this framework or for a vendor's tools."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from neuro.cli.show import Json, show

NAME, SHORT = "export", "Write the configuration."


def command(
    run: Annotated[Path, typer.Argument(help="Run folder, or a configuration written before.")],
    out: Annotated[Path, typer.Option("--out", help="Folder to write, new or empty.")],
    kind: Annotated[str, typer.Option("--format", help="tables, or a format of the chip's vendor.")] = "tables",
    parquet: Annotated[bool, typer.Option("--parquet", help="Tables as Parquet in place of CSV.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what an export wrote there.")] = False,
    plot: Annotated[Path | None, typer.Option("--plot", help="Picture of cores, slots and traffic to draw.")] = None,
    as_json: Json = False,
) -> None:
    """Export a run's best network, or a configuration written before, in any format its chip is programmed with."""
    from neuro.errors import DescriptionError
    from neuro.tables import check
    from neuro.tables.constants import realised_constants

    tables = _tables_of(run)
    if kind == "tables":
        tables.save(out, parquet=parquet, overwrite=overwrite)
    elif parquet:
        raise DescriptionError(f"--parquet: allowed with --format tables, not {kind}")
    else:
        _write(tables, kind, out, overwrite)
    if plot is not None:
        from neuro.reports import plot_configuration

        plot_configuration(tables, plot)
    findings = [str(f) for f in check(tables)]
    rows = {name: len(frame) for name, frame in tables.frames.items() if len(frame)}
    lines = [f"{out}: {', '.join(f'{name} {n:,}' for name, n in rows.items())} rows; {len(findings)} limits exceeded"]
    constants = realised_constants(tables)
    lines += [*findings, *_as_lines(constants), f"next: neuro check {out}   neuro verify {run} --tables {out}"]
    told = [{**asdict(c), "error": c.error} for c in constants]
    show({"folder": str(out), "format": kind, "rows": rows, "findings": findings, "constants": told}, as_json, lines)


def _as_lines(constants: list) -> list[str]:
    """One line for each constant that some bias sets, cores of one value together."""
    cores: dict[tuple, int] = {}
    for c in constants:
        key = (c.bias, c.constant, c.wanted, c.realised)
        cores[key] = cores.get(key, 0) + 1
    return [
        f"{bias} ({constant}): wanted {wanted:.4g}, realised {realised:.4g}{_relative(wanted, realised)}, {n} cores"
        for (bias, constant, wanted, realised), n in cores.items()
    ]


def _relative(wanted: float, realised: float) -> str:
    return f" ({realised / wanted - 1:+.2%})" if wanted and wanted < float("inf") else ""


def _tables_of(source: Path):
    from neuro.emit import export
    from neuro.formats import FORMATS, load_configuration

    marks = ("manifest.json", *FORMATS.values())
    return load_configuration(source) if any((source / mark).is_file() for mark in marks) else export(source)


def _write(tables, kind: str, out: Path, overwrite: bool) -> None:
    from neuro.formats import format_of

    format_of(kind, tables.chip).write(tables, out, overwrite=overwrite)
