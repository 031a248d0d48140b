"""YAML text in, plain values out, and where in the text each of them stands.

A strict part of YAML: one document; mappings with text keys, each once; no anchors, aliases or tags. Plain words are
read by the rules of YAML 1.2 (`1e-3` is a number; `on`, `yes`, `010`, `1:30` and dates stay text).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import yaml

from neuro.descriptor.paths import KeyPath
from neuro.errors import DescriptionError

MAX_DEPTH = 32

_WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}
_WORDS |= {word: _WORDS[word.lower()] for word in ("True", "TRUE", "False", "FALSE", "Null", "NULL")}
_INFINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_NUMBER = re.compile(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+")
_COLON = "a ':' is not allowed here; put text that holds ': ' in quotes"
_INDENTED = "this key is indented further than the line above allows; line it up with the keys beside it"
_HINTS = {
    "cannot start any token": "a tab cannot indent a line, or a character stands here that needs quotes",
    "expected <block end>": "the indentation does not match the lines above",
    "mapping values are not allowed": _COLON,
    "could not find expected ':'": "a line 'key: value' was expected here",
    "but found another document": "a second document starts here, allowed: one",
}

Place = Callable[..., str]
"""(line, column or nothing) -> how messages name that place."""


class Spot(NamedTuple):
    """Where a value was written (`place` as messages show it) and how."""

    place: str
    line: int
    text: str = ""


def file_place(where: str) -> Place:
    """Name places of a file: `file:line` or `file:line:column`."""
    return lambda line, column=None: f"{where}:{line}" if column is None else f"{where}:{line}:{column}"


def parse(text: str, place: Place) -> tuple[Any, dict[KeyPath, Spot]]:
    """Return the value a YAML text stands for and the spot of every value in it, by path."""
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise DescriptionError(f"{place(line)}: holds the control character #x{error.character:02x}") from None
    except yaml.MarkedYAMLError as error:
        raise DescriptionError(_problem(error, text, place)) from None
    except (yaml.YAMLError, ValueError, OverflowError):
        raise DescriptionError(
            f"{place(1)}: is not YAML: an escape or a directive holds a number out of range"
        ) from None
    spots: dict[KeyPath, Spot] = {(): Spot(place(1), 1)}
    if node is None:
        return None, spots
    return _value(node, (), node.start_mark.line + 1, spots, place), spots


def scalar(text: str) -> Any:
    """Return the value a plain word stands for: null, a truth value, a number, or the word itself."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text) if len(text) <= 300 else float(text)
    if _NUMBER.fullmatch(text):
        return float(text)
    if _INFINITE.fullmatch(text):
        return float(text.replace(".", ""))
    return text


class _Loader(yaml.SafeLoader):
    """Composes nodes only, of limited depth, without what lets one text stand for a larger one."""

    depth = 0

    def compose_node(self, parent: Any, index: Any) -> yaml.Node:
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise _refusal("anchors and aliases (& and *) are not allowed; write the value out", event)
        if getattr(event, "tag", None) is not None:
            raise _refusal(f"tags such as {event.tag} are not allowed; put text that starts with ! in quotes", event)
        if self.depth == MAX_DEPTH:
            raise _refusal(f"nested more than {MAX_DEPTH} deep", event)
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def _refusal(problem: str, where: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=where.start_mark)


def _problem(error: yaml.MarkedYAMLError, text: str, place: Place) -> str:
    mark = error.problem_mark or error.context_mark
    said = f"{error.context or ''} {error.problem or ''} {error.note or ''}"
    hint = next((hint for sign, hint in _HINTS.items() if sign in said), (error.problem or said).strip())
    if hint == _COLON and mark.line and ":" not in text.splitlines()[mark.line][: mark.column]:
        hint = _INDENTED
    return f"{place(mark.line + 1, mark.column + 1)}: {hint}"


def _value(node: yaml.Node, path: KeyPath, line: int, spots: dict[KeyPath, Spot], place: Place) -> Any:
    if isinstance(node, yaml.MappingNode):
        spots[path] = Spot(place(line), line)
        return _mapping(node, path, spots, place)
    if isinstance(node, yaml.SequenceNode):
        spots[path] = Spot(place(line), line)
        lines = [item.start_mark.line + 1 for item in node.value]
        return [_value(item, (*path, i), lines[i], spots, place) for i, item in enumerate(node.value)]
    plain = node.style is None
    spots[path] = Spot(place(line), line, node.value if plain else repr(node.value))
    return scalar(node.value) if plain else node.value


def _mapping(node: yaml.MappingNode, path: KeyPath, spots: dict[KeyPath, Spot], place: Place) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for key, item in node.value:
        line = key.start_mark.line + 1
        here = place(line, key.start_mark.column + 1)
        if not isinstance(key, yaml.ScalarNode):
            raise DescriptionError(f"{here}: a list or a mapping stands as a key, allowed: a name")
        if key.style is None and not isinstance(scalar(key.value), str):
            raise DescriptionError(f"{here}: the key {key.value or 'left empty'} is no name; put it in quotes if it is")
        if key.value in tree:
            first = spots[(*path, key.value)].place
            raise DescriptionError(f"{here}: the key {key.value} stands twice, first at {first}")
        tree[key.value] = _value(item, (*path, key.value), line, spots, place)
    return tree
