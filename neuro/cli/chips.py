"""neuro chips: which chips there are, and what one can hold."""

from __future__ import annotations

import json
import shutil
import textwrap
from typing import Annotated

import typer

from neuro.cli.show import Json, Set, command_line, free_folder, overrides_of, settings, show

NAME, SHORT = "chips", "Chips, their limits and sources."


def command(
    name: Annotated[str | None, typer.Argument(help="Chip name or YAML file; absent = list all.")] = None,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON schema of chip files, for editors.")] = False,
    overrides: Set = None,
    as_json: Json = False,
) -> None:
    """List chips, or show one's limits and where each figure comes from."""
    from neuro import descriptor
    from neuro.errors import DescriptionError

    if schema:
        print(json.dumps(descriptor.schema(), indent=1))
        return
    if name is None:
        if overrides:
            raise DescriptionError(
                f"--set {overrides[0]} changes one chip: name it, neuro chips NAME --set {overrides[0]}"
            )
        chips = [descriptor.load_chip(n) for n in descriptor.chip_names()]
        show({"chips": [c.name for c in chips]}, as_json, _list(chips))
        return
    chip = descriptor.load_chip(name, overrides_of("chip", overrides))
    show(json.loads(descriptor.chip_to_json(chip)), as_json, _page(chip, name, overrides))


def _list(chips):
    rows = [(chip.name, chip.weights.kind, _words(chip), _size(chip)) for chip in chips]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for chip, row in zip(chips, rows, strict=True):
        yield "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=True)), chip.title])
    yield f"\nnext: neuro chips NAME   neuro train digits --chip NAME --out {free_folder('runs/a')}"


def _size(chip) -> str:
    cores = f"{chip.cores.per_chip:,} core{'s' * (chip.cores.per_chip > 1)}"
    return f"{chip.chips} chip{'s' * (chip.chips > 1)} x {cores} x {chip.cores.neurons:,} neurons"


def _words(chip) -> str:
    """What limits the words of a neuron, in a few letters."""
    if chip.weights.slots:
        return f"{chip.weights.slots} slots"
    if chip.cores.memory:
        return f"{chip.cores.memory.bits // 8192} KiB a core"
    return f"fan-out {chip.weights.fan_out}" if chip.weights.fan_out else "slots as axons"


def _page(chip, name: str, overrides: list[str] | None):
    from neuro.descriptor import describe

    yield f"{chip.label}: {chip.title}"
    width = max(60, min(shutil.get_terminal_size().columns, 120))
    for section, rows in describe(chip):
        yield f"\n{section}"
        for (key, value, source), after in zip(rows, [*rows[1:], ("", "", "")], strict=True):
            yield textwrap.fill(value, width, initial_indent=f"  {key:28} ", subsequent_indent=" " * 31)
            if source and source != after[2]:  # what one source says of several rows is cited once, below them
                yield textwrap.fill(source, width, initial_indent=" " * 6, subsequent_indent=" " * 6)
    again = command_line("train", "digits", "--chip", name, *settings(overrides), "--out", free_folder("runs/a"))
    yield f"\nnext: {again}"
