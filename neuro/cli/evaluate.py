"""neuro evaluate: accuracy, rates and use of the chip."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neuro.cli.show import DataDir, Json, show, use_data_folder

NAME, SHORT = "evaluate", "Accuracy and use of the chip."


def command(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    part: Annotated[str, typer.Option("--part", help="test, validation or train.")] = "test",
    data: DataDir = None,
    as_json: Json = False,
) -> None:
    """Measure a run's best network."""
    from neuro.errors import DescriptionError
    from neuro.evaluation import evaluate
    from neuro.runs import load_run

    use_data_folder(data)
    if part not in ("test", "validation", "train"):
        raise DescriptionError(f"--part is {part!r}, allowed: test, validation, train")
    loaded = load_run(run)
    result = evaluate(loaded, part)
    show(result, as_json, [*summary(result, loaded.chip), f"next: neuro verify {run}"])


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
