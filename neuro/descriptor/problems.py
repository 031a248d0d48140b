"""Mistakes in a description, each told as: where, which key, what stands there, what may stand there."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

from pydantic import BaseModel, ValidationError

from neuro.descriptor import allowed
from neuro.descriptor.paths import KeyPath, dotted, down, has
from neuro.descriptor.yamltext import Spot
from neuro.errors import DescriptionError

MOST_SHOWN = 20


class Problem(NamedTuple):
    path: KeyPath
    text: str


class Described(Protocol):
    """What is needed of a document to tell its mistakes."""

    tree: Any
    spots: dict[KeyPath, Spot]

    def line(self, path: KeyPath) -> int: ...
    def place(self, path: KeyPath) -> str: ...


def unknown_key(name: str, names: list[str], below: dict[str, str]) -> str:
    """Say that a key is unknown, which one was probably meant, there or `below`, and all that are allowed there."""
    if not names:
        return "unknown key; a single value stands here, it has no keys"
    deeper = allowed.nearest(name, below)
    near = (None if name in below else allowed.nearest(name, names)) or (below[deeper] if deeper else None)
    return f"unknown key{f', did you mean {near}?' if near else ','} allowed: {', '.join(names)}"


def before(model: type[BaseModel], document: Described) -> list[Problem]:
    """Find what JSON cannot carry or pydantic lets pass: infinite numbers, broken text, truth values as numbers."""
    root = allowed.schema_of(model)
    return list(_misfits(document, root, (), document.tree, allowed.choices(root, root)))


def after(model: type[BaseModel], document: Described, failure: ValidationError) -> list[Problem]:
    """Turn the errors of a model into problems, without those that only follow from a deeper one."""
    root = allowed.schema_of(model)
    found = [_problem(root, document, error) for error in failure.errors(include_url=False, include_input=False)]
    around = {problem.path[:i] for problem in found for i in range(len(problem.path))}
    return [problem for problem in found if problem.path not in around]


def error(found: list[Problem], document: Described, what: str) -> DescriptionError:
    """Return one error with a line for every problem, in the order of the file."""
    by_path: dict[KeyPath, str] = {}
    for path, text in found:
        by_path.setdefault(path, text)
    paths = sorted(by_path, key=document.line)
    lines = [_line(document, path, by_path[path]) for path in paths[:MOST_SHOWN]]
    if len(paths) == 1:
        return DescriptionError(lines[0])
    rest = [f"... and {len(paths) - MOST_SHOWN} more"] if len(paths) > MOST_SHOWN else []
    return DescriptionError("\n".join([f"{len(paths)} mistakes in this {what}:", *lines, *rest]))


def _line(document: Described, path: KeyPath, text: str) -> str:
    key = dotted(document.tree, path)
    return f"{document.place(path)}: {f'{key}: ' if key else ''}{text}"


def _misfits(
    document: Described, root: allowed.Schema, path: KeyPath, value: Any, schemas: list[allowed.Schema]
) -> Iterator[Problem]:
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for step, item in items:
            if not _is_text(str(step)):
                yield Problem(path, f"the key {step!r} is no valid text")
            below = allowed.inside(root, allowed.fitting(root, schemas, value), step)
            yield from _misfits(document, root, (*path, step), item, below)
        return
    infinite = isinstance(value, float) and not math.isfinite(value)
    broken = isinstance(value, str) and not _is_text(value)
    lost = isinstance(value, bool) and schemas and not any(allowed.takes_truth(schema) for schema in schemas)
    if infinite or broken or lost:
        why = ", which is not finite" if infinite else ", which is no valid text" if broken else ""
        yield Problem(path, f"have {_have(document, path)}{why}, allowed: {allowed.words(root, schemas)}")


def _problem(root: allowed.Schema, document: Described, error: dict[str, Any]) -> Problem:
    kind, loc, context = error["type"], error["loc"], error.get("ctx", {})
    if kind.startswith("union_tag"):
        loc, kind = (*loc, context["discriminator"].strip("'")), kind.replace("union_tag_not_found", "missing")
    path = _path(document.tree, loc, kind == "missing")
    if kind in ("value_error", "assertion_error"):
        told = context["error"]
        return Problem((*path, *getattr(told, "path", ())), getattr(told, "text", str(told)))
    if kind == "extra_forbidden" or loc[-1:] == ("[key]",):
        around = allowed.at(root, path[:-1], document.tree)
        names, below = allowed.keys(root, around), allowed.keys_below(root, around)
        free = f"no such key may stand here: {error['msg']}"
        return Problem(path, unknown_key(str(path[-1]), names, below) if names else free)
    schemas = allowed.at(root, path, document.tree)
    may = allowed.words(root, schemas) if schemas else error["msg"]
    have = "is missing, needed" if kind == "missing" else f"have {_have(document, path)}, allowed"
    return Problem(path, f"{have}: {may}")


def _path(tree: Any, loc: tuple[str | int, ...], missing: bool) -> KeyPath:
    """Leave out of a pydantic location what stands for a branch of a union, not for a key."""
    path: KeyPath = ()
    for i, step in enumerate(loc):
        if has(tree, step):
            tree, path = tree[step], (*path, step)
        elif missing and i == len(loc) - 1:
            path = (*path, step)
    return path


def _have(document: Described, path: KeyPath) -> str:
    value = down(document.tree, *path)
    if isinstance(value, dict):
        return f"a mapping with the keys {', '.join(value)}"[:80] if value else "an empty mapping"
    spot = document.spots.get(path)
    text = spot.text if spot and spot.text else "nothing" if value is None else json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _is_text(text: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in text)
