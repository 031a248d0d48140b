"""A chip as a page to read, and the form of a chip file as a JSON schema."""

from __future__ import annotations

import copy
from typing import Any

from pydantic import BaseModel

from neuro.descriptor.models import Assumption, Chip
from neuro.descriptor.provenance import source_of

Row = tuple[str, str, str]
"""Key, value, and where the value comes from ("" where no source is needed)."""


def describe(chip: Chip) -> list[tuple[str, list[Row]]]:
    """Return the page of a chip as sections of rows (key, value, source), all plain text.

    Assumptions read "assumption: ...", and what an override changed names the override.
    """
    head = [
        ("name", chip.label, ""),
        ("title", chip.title, ""),
        ("real", "no, changed" if chip.changed else _word(chip.real), ""),
    ]
    head += [("formats", ", ".join(["tables", *chip.formats]), "")]
    head += [("note", note, "") for note in chip.notes]
    sections = [("chip", head)]
    for name in Chip.model_fields:
        value = getattr(chip, name)
        if name == "bias_dac":
            sections.append((name, _tables(chip)))
        elif name == "defects":
            sections.append((name, _board(chip)))
        elif isinstance(value, BaseModel):
            sections.append(
                (name, [row for field in type(value).model_fields for row in _field(chip, name, value, field)])
            )
        elif name in ("types", "currents"):
            sections.append((name, _items(chip, name, value)))
    return [(name, rows) for name, rows in sections if rows]


def schema() -> dict[str, Any]:
    """Return the JSON schema of a chip file: bias tables are rows or the name of a CSV file, a board is its file."""
    form = copy.deepcopy(Chip.model_json_schema())
    board = form["$defs"]["Defects"]
    board["properties"] = {name: board["properties"][name] for name in ("file", "tolerance")}
    board["required"] = ["file"]
    tables = form["$defs"]["BiasDac"]["properties"]
    for name in ("N", "P"):
        file = {"type": "string", "description": "CSV file beside the chip file, columns coarse,fine,current_a"}
        tables[name] = {"anyOf": [file, tables[name]], "title": tables[name].pop("title")}
    return form


def _field(chip: Chip, section: str, part: BaseModel, field: str) -> list[Row]:
    value, path = getattr(part, field), f"{section}.{field}"
    if isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
        return _items(chip, path, value)
    if value is None:
        about = type(part).model_fields[field].description or ""
        return [(path, about.partition("absent = ")[2] or "none", _source(chip, path))]
    return [(path, _word(value), _source(chip, path))]


def _items(chip: Chip, path: str, items: tuple[BaseModel, ...]) -> list[Row]:
    rows = []
    for item in items:
        facts = {key: value for key, value in item.model_dump().items() if key != "name" and value not in (None, ())}
        text = "; ".join(f"{key} {_word(value)}" for key, value in facts.items())
        rows.append((f"{path}.{item.name}", text, _source(chip, f"{path}.{item.name}")))
    return rows


def _tables(chip: Chip) -> list[Row]:
    rows = []
    for name in ("N", "P") if chip.bias_dac else ():
        table = getattr(chip.bias_dac, name)
        currents = [current for _, _, current in table]
        text = f"{len(table)} currents, {min(currents):.4g} to {max(currents):.4g} A"
        rows.append((f"bias_dac.{name}", text, _source(chip, f"bias_dac.{name}")))
    return rows


def _board(chip: Chip) -> list[Row]:
    """What works of a measured board, core by core."""
    board = chip.defects
    if board is None:
        return []
    middle = 2 ** (chip.tags.bits - 1)
    heads = ["words"] if board.shape[3] == 1 else [f"words, tags below {middle}", f"words, tags from {middle}"]
    rows = [("defects.file", board.file, f"sha256 {board.sha256}"), ("defects.tolerance", str(board.tolerance), "")]
    for c, k in ((c, k) for c in range(chip.chips) for k in range(chip.cores.per_chip)):
        words, tags = chip.working_words[c, k].sum(1), chip.working_tags[c, k]
        texts = [f"{h}: {n.mean():.1f} a neuron ({n.min()} to {n.max()})" for h, n in zip(heads, words.T, strict=True)]
        rows.append((f"chip {c} core {k}", f"{'; '.join(texts)}; {tags.sum()} of {len(tags)} tags", ""))
    return rows


def _source(chip: Chip, path: str) -> str:
    for change in chip.changed:
        key = change.partition("=")[0]
        if f"{path}.".startswith(f"{key}.") or f"{key}.".startswith(f"{path}."):
            return f"changed: {change}"
    found = source_of(chip, path)
    return f"assumption: {found.assumption}" if isinstance(found, Assumption) else found or ""


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_word(item)}" for key, item in value.items()) or "none"
    if isinstance(value, tuple):
        return ", ".join(f"({_word(item)})" if isinstance(item, tuple) else _word(item) for item in value) or "none"
    return str(value)
