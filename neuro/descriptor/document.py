"""A YAML description of a chip or a task: values that know where they were written, checked against a model.

Reading, overriding and checking are three pure steps: `read_document`, `apply_overrides`, `validate`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError

from neuro.descriptor import allowed, problems
from neuro.descriptor.paths import KeyPath, down, put
from neuro.descriptor.textfile import decode, read_text
from neuro.descriptor.yamltext import Spot, file_place, parse
from neuro.errors import DescriptionError

Model = TypeVar("Model", bound=BaseModel)


MARKS = {"chip": {"cores", "weights"}, "task": {"data", "populations"}}
"""Keys that only a chip's or a task's description has."""


class Setting(NamedTuple):
    """One override as it was applied: its value as given, and how messages name it."""

    path: KeyPath
    value: str
    told: str


@dataclass(frozen=True)
class Document:
    """Plain values (`tree`) of one description, and the spot each was written at, by path.

    A path is a tuple of keys and indices: `("weights", "bases", 0, "name")`.
    """

    where: str
    tree: Any
    spots: Mapping[KeyPath, Spot] = field(default_factory=dict)
    settings: tuple[Setting, ...] = ()

    def spot(self, path: KeyPath) -> Spot:
        """Return the spot of a value, or of the nearest one around it."""
        while path and path not in self.spots:
            path = path[:-1]
        return self.spots.get(path, Spot(self.where, 0))

    def line(self, path: KeyPath) -> int:
        """Return the line a value stands on; 0 where it stands in no file."""
        return self.spot(path).line

    def place(self, path: KeyPath) -> str:
        """Return `file:line` of a value, or the overrides that made it, or what it must agree with, what it is."""
        below = [setting.told for setting in self.settings if setting.path[: len(path)] == path]
        if below:
            return ", ".join(below)
        told = [setting.told for setting in self.settings]
        place = self.spot(path).place
        return place if place in told or not told else f"{place} with {', '.join(told)}"

    def put(self, path: KeyPath, value: Any, spots: Mapping[KeyPath, Spot]) -> Document:
        """Return the document with another value at a path; `spots` are relative to that path."""
        kept = {key: spot for key, spot in self.spots.items() if key[: len(path)] != path}
        kept |= {(*path, *key): spot for key, spot in spots.items()}
        return replace(self, tree=put(self.tree, path, value), spots=kept)


def read_document(path: str | Path, text: str | None = None) -> Document:
    """Read a YAML file (or `text`, which `path` then only names) whose top level is a mapping.

    Raises DescriptionError, with file, line and column, for anything else.
    """
    where = str(path)
    text = read_text(Path(path)) if text is None else decode(text.encode("utf-8", "surrogatepass"), where)
    tree, spots = parse(text, file_place(where))
    if not isinstance(tree, dict):
        have = "is empty" if tree is None else "holds a list" if isinstance(tree, list) else f"holds only {tree!r:.60}"
        raise DescriptionError(f"{where}:1: {have}, allowed: a mapping of keys to values")
    return Document(where, tree, spots)


def refuse_other_kind(document: Document, kind: str) -> Document:
    """Give the document back; DescriptionError where a task stands in a chip's place, or a chip in a task's."""
    other = "task" if kind == "chip" else "chip"
    if MARKS[other] <= document.tree.keys() and not MARKS[kind] & document.tree.keys():
        raise DescriptionError(
            f"{document.where}: describes a {other}, allowed here: a {kind} (`neuro {kind}s` lists them)"
        )
    return document


def validate(model: type[Model], document: Document, what: str) -> Model:
    """Return the model a document describes; raise one DescriptionError that names every mistake in it.

    `what` is the word for the thing described ("chip", "task").
    """
    found = problems.before(model, document)
    text = json.dumps(document.tree, ensure_ascii=False).encode("utf-8", "replace")
    try:
        result = model.model_validate_json(text)
    except ValidationError as failure:
        found += problems.after(model, document, failure)
    if found:
        raise problems.error(found, document, what)
    return result


def apply_overrides(
    document: Document,
    model: type[BaseModel],
    overrides: Iterable[str],
    within: str = "",
    example: str = "",
    short: Mapping[str, str] = MappingProxyType({}),
) -> Document:
    """Apply `key=value` texts in turn; `within` (such as "chip.") stands before keys where messages name them.

    short: what users may write -> the key it stands for; messages name what was written. example: a key and a value that
    could be given. The result is unchecked: `validate` it, and its messages name the override in place of a line.
    """
    for text in overrides:
        key, equals, value = (part.strip() for part in text.partition("="))
        before = "" if key in short else within
        if not equals or not key:
            raise DescriptionError(
                f"--set {before}{text}: allowed: key=value, such as {f'{key}=16' if key in short else within + example}"
            )
        document = override(document, model, short.get(key, key), value, f"--set {before}{key}={value:.80}")
    return document


def override(document: Document, model: type[BaseModel], key: str, value: str, told: str) -> Document:
    """Put a value, given as YAML text, at a dotted key; list items go by index or by their `name`."""
    path = _resolve(document.tree, allowed.schema_of(model), key, told)
    if not value:
        raise DescriptionError(f"{told}: the value is empty; write null to leave {key} out")
    new, spots = parse(value, lambda *_: told)
    spots = {at: Spot(told, 0, spot.text) for at, spot in spots.items()}
    earlier = [setting for setting in document.settings if setting.path[: len(path)] != path]
    return replace(document.put(path, new, spots), settings=(*earlier, Setting(path, value, told)))


def _resolve(tree: Any, root: allowed.Schema, key: str, told: str) -> KeyPath:
    path: KeyPath = ()
    schemas = allowed.choices(root, root)
    for part in key.split("."):
        parts = _parts(tree, root, schemas)
        if part not in parts:
            where = ".".join([*map(str, path), part])
            below = allowed.keys_below(root, schemas)
            raise DescriptionError(f"{told}: {where}: {problems.unknown_key(part, list(parts), below)}")
        step = parts[part]
        tree = down(tree, step)
        schemas = allowed.inside(root, schemas, step)
        path = (*path, step)
    return path


def _parts(tree: Any, root: allowed.Schema, schemas: list[allowed.Schema]) -> dict[str, str | int]:
    """Name what stands, or may stand, inside a value: name as written in a key -> key or index."""
    if isinstance(tree, list):
        named = {str(item.get("name", i)): i for i, item in enumerate(tree) if isinstance(item, dict)}
        return named | {str(i): i for i in range(len(tree))}
    present = tree if isinstance(tree, dict) else {}
    return {name: name for name in dict.fromkeys([*allowed.keys(root, schemas), *present])}
