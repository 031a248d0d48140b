"""neuro export: write a run's chip configuration, for this framework or for a vendor's tools."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from neuro.cli.show import Json, command_line, refuse_picture, show, unfinished

NAME, SHORT = "export", "Write the configuration."
COUNTED = 256  # test samples whose input events are counted


def command(
    run: Annotated[Path, typer.Argument(help="Run folder, or a configuration written before.")],
    out: Annotated[Path, typer.Option("--out", help="Folder to write, new or empty.")],
    kind: Annotated[str, typer.Option("--format", help="tables, or a format of the chip's vendor.")] = "tables",
    parquet: Annotated[bool, typer.Option("--parquet", help="Tables or tiles as Parquet in place of CSV.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what an export wrote there.")] = False,
    anew: Annotated[
        bool, typer.Option("--replace", help="Place neurons anew so that spikes reach fewer chips and cores.")
    ] = False,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the search of --replace.")] = 0,
    plot: Annotated[Path | None, typer.Option("--plot", help="Picture of cores, slots and traffic to draw.")] = None,
    as_json: Json = False,
) -> None:
    """Export a run's best network, or a configuration written before, in any format its chip is programmed with."""
    from neuro.errors import DescriptionError
    from neuro.formats import LOADERS, PARQUET, format_of
    from neuro.tables import check
    from neuro.tables.constants import realised_constants

    refuse_picture(plot)
    if parquet and kind not in PARQUET:
        raise DescriptionError(f"--parquet: allowed with --format {' or '.join(PARQUET)}, not {kind}")
    (tables, stopped), placed = _tables_of(run), None
    written_by = None if kind == "tables" else format_of(kind, tables.chip)
    if anew:
        tables, placed = _placed_anew(run, tables, seed, quiet=as_json)
    if written_by is None:
        tables.save(out, parquet=parquet, overwrite=overwrite)
    else:
        written_by.write(tables, out, overwrite=overwrite, **({"parquet": True} if parquet else {}))
    if plot is not None:
        from neuro.reports import plot_configuration

        plot_configuration(tables, plot)
    findings, constants, traffic = [str(f) for f in check(tables)], realised_constants(tables), _traffic(run, tables)
    rows = {name: len(frame) for name, frame in tables.frames.items() if len(frame)}
    verify = f"   {command_line('verify', run, '--tables', out)}" if (run / "run.json").is_file() else ""
    lines = [
        f"{out}: {', '.join(f'{name} {n:,}' for name, n in rows.items())} rows; {len(findings)} limits exceeded",
        *([f"placed anew: {placed['text']}"] if placed else []),
        *findings,
        *_as_lines(constants),
        *map(str, traffic),
        *([f"picture: {plot}"] if plot else []),
        *(
            [f"where {kind} is installed, {out / LOADERS[kind]} programs the board: see its first lines"]
            if kind in LOADERS
            else []
        ),
        *stopped,
        f"next: {command_line('check', out)}{verify}",
    ]
    result = {
        "folder": str(out),
        "format": kind,
        "rows": rows,
        "replaced": placed,
        "findings": findings,
        "constants": [{**asdict(c), "error": c.error} for c in constants],
        "traffic": [t if isinstance(t, str) else asdict(t) for t in traffic],
    }
    show(result, as_json, lines)


def _placed_anew(run: Path, tables, seed: int, quiet: bool):
    """The same network on other cores, proven by replay of both, and what it gained."""
    from neuro.emit import moved
    from neuro.verification import difference, refuse_other_spikes

    def tell(text: str) -> None:
        if not quiet:
            print(text, file=sys.stderr, flush=True)

    tell("placing the neurons anew (seconds, minutes for large networks)")
    result = moved(tables, seed)
    tell("replaying the old and the new tables on the same events")
    compared, spikes = refuse_other_spikes(tables, result.tables, _events(run, tables))
    before, after = result.before, result.after
    text = (
        f"routing entries, one for each source and each chip it reaches: {_gain(before.chips, after.chips)}; cores "
        f"reached, summed over sources: {_gain(before.cores, after.cores)}; replayed with the old and the new tables, "
        f"{difference(0, compared, spikes)}"
    )
    found = {"before": asdict(before), "after": asdict(after), "compared": compared, "spikes": spikes}
    return result.tables, {"text": text, **found}


def _gain(before: int, after: int) -> str:
    return f"{before:,} before, {after:,} now" if after != before else f"{after:,} as before, no gain"


def _events(run: Path, tables):
    """Test samples of a run; without a run, or without its data, random events."""
    import numpy as np

    from neuro.errors import DataError

    try:
        if (run / "run.json").is_file():
            return _samples(run)
    except DataError:
        pass
    rng, most = np.random.default_rng(0), tables.chip.inputs.events_per_step
    return {
        name: rng.binomial(most, 0.1, (64, 8, channels)).astype(np.float32)
        for name, channels in tables.input_channels.items()
    }


def _samples(run: Path):
    """The events of a run's first test samples."""
    import numpy as np

    from neuro.data import load_dataset, make_batch
    from neuro.evaluation import NOISE_SEED
    from neuro.runs import load_run

    task = load_run(run).task
    part = load_dataset(task.data).test
    return make_batch(task, part, np.arange(min(len(part), COUNTED)), NOISE_SEED)[0]


def _as_lines(constants: list) -> list[str]:
    """One line for each constant that some bias sets, cores of one value together."""
    cores: dict[tuple, int] = {}
    for c in constants:
        key = (c.bias, c.constant, c.wanted, c.realised, f" {c.unit}" if c.unit else "")
        cores[key] = cores.get(key, 0) + 1
    return [
        f"{bias} ({constant}): wanted {wanted:.4g}{unit}, realised {realised:.4g}{unit}{_relative(wanted, realised)}, "
        f"{n} core{'s' * (n > 1)}"
        for (bias, constant, wanted, realised, unit), n in cores.items()
    ]


def _relative(wanted: float, realised: float) -> str:
    return f" ({realised / wanted - 1:+.2%})" if wanted and wanted < float("inf") else ""


def _traffic(run: Path, tables) -> list:
    """Input events of a run's test samples into each chip; nothing for a configuration without its run."""
    from neuro.errors import DataError
    from neuro.tables.traffic import input_traffic, stimulus_events

    if not (run / "run.json").is_file():
        return []
    try:
        x = _samples(run)
    except DataError as error:
        return [f"input events: not counted, {error}"]
    most, largest = tables.chip.inputs.stimulus_events, stimulus_events(tables, x)
    long = [f"input events: a sample has {largest:,}, allowed {most:,}; shorten it"] if most and largest > most else []
    return [*input_traffic(tables, x), *long]


def _tables_of(source: Path) -> tuple:
    """A configuration, of a folder or of a run, and a line where the run's training is not finished."""
    from neuro.emit import export
    from neuro.formats import FORMATS, load_configuration
    from neuro.runs import load_run

    if any((source / mark).is_file() for mark in ("manifest.json", *FORMATS.values())):
        return load_configuration(source), []
    run = load_run(source)
    return export(run), unfinished(run)
