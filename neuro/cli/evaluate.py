"""neuro evaluate: accuracy, rates and use of the chip."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from neuro.cli.show import (
    DataDir,
    Json,
    Virtual,
    command_line,
    load_device,
    refuse_picture,
    show,
    tell_samples,
    unfinished,
    use_data_folder,
)

NAME, SHORT = "evaluate", "Accuracy and use of the chip."


def command(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    part: Annotated[str, typer.Option("--part", help="test, validation or train.")] = "test",
    chips: Annotated[
        int | None, typer.Option("--chips", min=1, help="Measure on so many virtual chips, kept for `neuro report`.")
    ] = None,
    yield_at: Annotated[
        float, typer.Option("--yield-at", min=0, max=1, help="With --chips: accuracy from which on a chip is good.")
    ] = 0.9,
    seed: Annotated[int, typer.Option("--seed", min=0, help="With --chips: seed of the first one.")] = 0,
    scale: Annotated[float, typer.Option("--scale", help="With --chips: what every spread is multiplied with.")] = 1.0,
    plot: Annotated[Path | None, typer.Option("--plot", help="With --chips: picture of the histogram to draw.")] = None,
    virtual: Virtual = None,
    data: DataDir = None,
    as_json: Json = False,
) -> None:
    """Measure a run's best network: on the chip as described, on one virtual chip, or on many."""
    from neuro.errors import DescriptionError
    from neuro.evaluation import evaluate
    from neuro.runs import load_run

    refuse_picture(plot)
    use_data_folder(data)
    if part not in ("test", "validation", "train"):
        raise DescriptionError(f"--part is {part!r}, allowed: test, validation, train")
    if chips is not None and virtual is not None:
        raise DescriptionError("--chips draws virtual chips, --virtual names one; give one of the two")
    if chips is None and plot is not None:
        raise DescriptionError("--plot draws what --chips measures; add --chips 100")
    loaded = load_run(run)
    if chips is not None:
        _on_many(loaded, chips, part, yield_at, seed, scale, plot, as_json)
        return
    device = load_device(virtual)
    result = evaluate(loaded, part, device)
    lines = summary(result, loaded.chip)
    lines += [f"on                the virtual chip {virtual}"] if virtual else []
    again = command_line("verify", run, *(("--virtual", virtual) if virtual else ()))
    show(result, as_json, [*lines, *unfinished(loaded), f"next: {again}"])


def _on_many(run, chips: int, part: str, yield_at: float, seed: int, scale: float, plot: Path | None, as_json: bool):
    from neuro.evaluation import evaluate_devices, save_devices

    tell = (
        None if as_json or not sys.stderr.isatty() else lambda done, total: tell_samples(done, total, "chips", "tried")
    )
    found = evaluate_devices(run, chips, seed=seed, scale=scale, yield_at=yield_at, part=part, progress=tell)
    kept = save_devices(run.folder, found)
    if plot is not None:
        from neuro.reports import devices_histogram
        from neuro.runs.picture import save

        save(devices_histogram(run), plot)
    lines = [*devices_summary(found), f"kept in {kept}", *([f"picture: {plot}"] if plot else []), *unfinished(run)]
    lines.append(f"next: {command_line('report', run.folder)}")
    show({**asdict(found), "yield_share": found.yield_share}, as_json, lines)


def devices_summary(e) -> list[str]:
    """An evaluation on virtual chips in lines."""
    seeds = f"seeds {e.seed} to {e.seed + e.chips - 1}" + (f", spreads times {e.scale:g}" if e.scale != 1 else "")
    return [
        f"accuracy          {e.mean:.2%} on {e.chips} virtual chips, standard deviation {e.spread:.2%} ({seeds})",
        f"worst, best       {e.worst:.2%}, {e.best:.2%}",
        f"as described      {e.plain:.2%} of {e.samples} {e.part} samples",
        f"yield             {e.yield_share:.0%}: {e.good} of {e.chips} chips reach {e.yield_at:.1%}",
    ]


def summary(e, chip) -> list[str]:
    """An evaluation in lines."""
    of = f" of {e.slots_allowed}" if e.slots_allowed else ""
    steps = f", {e.answers:,} labelled steps" if e.answers != e.samples else ""
    return [
        f"accuracy          {e.accuracy:.2%} of {e.samples} {e.part} samples{steps} (loss {e.loss:.3f})",
        f"slots used        {e.slots_mean:.1f} a neuron, most {e.slots_most}{of}",
        f"distinct sources  {e.sources_mean:.1f} a neuron",
        f"cores used        {e.cores} of {chip.chips * chip.cores.per_chip} on {chip.label}",
        f"firing rate       {', '.join(f'{n} {r:.3f}' for n, r in e.rates.items())} spikes a neuron and step",
        f"limits exceeded   {e.violations}",
    ]
