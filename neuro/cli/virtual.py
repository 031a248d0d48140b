"""neuro virtual: draw one device of a chip."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neuro.cli.show import Json, Seed, Set, command_line, overrides_of, show

NAME, SHORT = "virtual", "Draw a virtual chip: one device with mismatch."


def command(
    chip: Annotated[str, typer.Argument(help="Chip name or YAML file, or a run folder.")],
    out: Annotated[Path, typer.Option("--out", help="File to write.")],
    seed: Seed = 0,
    scale: Annotated[float, typer.Option("--scale", help="What every spread is multiplied with.")] = 1.0,
    overrides: Set = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the --out file if there is one.")] = False,
    as_json: Json = False,
) -> None:
    """Draw what one device makes of a chip's description; evaluate, replay, verify and calibrate take the file."""
    from neuro.errors import DescriptionError

    if out.exists() and not overwrite:
        raise DescriptionError(f"--out {out} is there already; choose another file, or add --overwrite")
    described = _described(chip, overrides)
    from neuro.runs import save_virtual_chip
    from neuro.silicon import virtual_chip

    virtual = virtual_chip(described, seed, scale)
    save_virtual_chip(virtual, out)
    spreads = {name: float(factor.std()) for name, factor in virtual.factors.items()}
    told = ", ".join(f"{name} {spread:.1%}" for name, spread in spreads.items())
    lines = [
        f"{out}: a {described.label}, seed {seed}, {len(next(iter(virtual.factors.values()))):,} neurons",
        f"standard deviations: {told}",
        f"next: {command_line('evaluate', chip if _is_run(chip) else 'RUN', '--virtual', out)}",
    ]
    result = {"out": str(out), "chip": described.label, "seed": seed, "scale": scale, "standard_deviations": spreads}
    show(result, as_json, lines)


def _is_run(chip: str) -> bool:
    """Whether a run folder stands in a chip's place."""
    return (Path(chip) / "run.json").is_file()


def _described(chip: str, overrides: list[str] | None):
    """The chip of a name, a file, or a run."""
    from neuro.descriptor import load_chip
    from neuro.errors import DescriptionError

    for_chip = overrides_of("chip", overrides)
    if not _is_run(chip):
        return load_chip(chip, for_chip)
    if for_chip:
        raise DescriptionError(
            f"--set: {chip} is a run, whose chip is what it was trained for; allowed with chips alone"
        )
    from neuro.runs import load_run

    return load_run(chip).chip
