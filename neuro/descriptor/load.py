"""Chips: from a shipped name or a YAML file, with overrides, to a frozen `Chip`; and to JSON and back."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from neuro.descriptor.allowed import nearest
from neuro.descriptor.bias_tables import with_tables
from neuro.descriptor.boards import with_board
from neuro.descriptor.document import Document, apply_overrides, read_document, refuse_other_kind, validate
from neuro.descriptor.models import Chip
from neuro.descriptor.paths import dotted, down
from neuro.descriptor.shipped import find_shipped, shipped_names
from neuro.descriptor.yamltext import MAX_DEPTH
from neuro.errors import DescriptionError


def load_chip(name_or_path: str | Path, overrides: Iterable[str] = ()) -> Chip:
    """Return the chip of a shipped name or a YAML file, changed by `key=value` overrides.

    Keys are relative to the chip; `slots` is short for `weights.slots`. Overrides that make a difference are kept in
    `chip.changed`, but for `defects.file`, which names a measured board of the chip. Raises DescriptionError with the
    file and line, or the override, of every mistake.

    >>> load_chip("dynapse1", ["slots=16"]).label
    'dynapse1 (not the real chip: weights.slots=16)'
    """
    path = find_shipped(name_or_path, "chips")
    document = refuse_other_kind(read_document(path), "chip")
    chip = _chip(document, path.parent)
    overrides = map(_known, overrides)
    changed = apply_overrides(document, Chip, overrides, "chip.", "weights.slots=16", {"slots": "weights.slots"})
    if not changed.settings:
        return chip
    other = _chip(changed, path.parent)
    return other.model_copy(update={"changed": chip.changed + _differences(chip, other, changed)})


def chip_names() -> list[str]:
    """List the names of the shipped chips."""
    return shipped_names("chips")


def chip_to_json(chip: Chip) -> str:
    """Write a chip, its bias tables and sources included, as one JSON object."""
    return chip.model_dump_json()


def chip_from_json(text: str, where: str) -> Chip:
    """Read a chip that `chip_to_json` wrote; `where` names the text in errors."""
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DescriptionError(f"{where}: the chip is not JSON: {error}") from None
    if not isinstance(tree, dict):
        raise DescriptionError(f"{where}: the chip is not a JSON object")
    if _deeper(tree, MAX_DEPTH):
        raise DescriptionError(f"{where}: the chip is nested more than {MAX_DEPTH} deep")
    return validate(Chip, Document(where, tree), "chip")


def _known(override: str) -> str:
    key = override.partition("=")[0].strip()
    if nearest(key, [*Chip.model_fields, "slots"]) == "slots" and key != "slots":
        raise DescriptionError(f"--set chip.{override}: unknown key, did you mean slots?")
    return override


def _chip(document: Document, folder: Path) -> Chip:
    return validate(Chip, with_board(with_tables(document, folder), folder), "chip")


def _differences(before: Chip, after: Chip, document: Document) -> tuple[str, ...]:
    old, new = before.model_dump(), after.model_dump()
    shown = [s for s in document.settings if s.path[0] != "defects"]  # a measured board is no other chip
    different = [s for s in shown if down(old, *s.path) != down(new, *s.path)]
    return tuple(f"{dotted(document.tree, s.path)}={s.value}" for s in different)


def _deeper(tree: Any, most: int) -> bool:
    level = [tree]
    for _ in range(most):
        level = [item for part in level if isinstance(part, dict | list) for item in _items(part)]
    return bool(level)


def _items(part: dict | list) -> Iterable[Any]:
    return part.values() if isinstance(part, dict) else part
