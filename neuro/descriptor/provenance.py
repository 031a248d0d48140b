"""Where the numbers of a chip come from: `sources` maps dotted paths, or beginnings of them, to a citation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from neuro.descriptor.models import Assumption, Chip

Dotted = tuple[str, ...]


def number_paths(chip: Chip) -> list[str]:
    """List the dotted paths of all numbers, list items by their `name` or index; a DAC table counts as one number."""
    return [".".join(path) for path, value in _walk(_facts(chip), ()) if type(value) in (int, float)]


def source_of(chip: Chip, path: str) -> str | Assumption | None:
    """Return the source or assumption that covers a path: the one whose key is the longest beginning of it."""
    tree = _facts(chip)
    wanted = _steps(tree, path)
    covering = {_steps(tree, key): source for key, source in chip.sources.items()}
    for length in range(len(wanted), 0, -1):
        if wanted[:length] in covering:
            return covering[wanted[:length]]
    return None


def unsourced(chip: Chip) -> list[str]:
    """List the numbers that no source covers."""
    return [path for path in number_paths(chip) if source_of(chip, path) is None]


def orphans(chip: Chip) -> list[str]:
    """List the keys of `sources` that name nothing in the chip."""
    tree = _facts(chip)
    paths = {path for path, _ in _walk(tree, ())}
    return [key for key in chip.sources if _steps(tree, key) not in paths]


def _facts(chip: Chip) -> dict[str, Any]:
    tree = chip.model_dump(exclude={"sources", "notes", "changed", "bias_dac", "defects"})
    if chip.defects:
        tree["defects"] = {"tolerance": chip.defects.tolerance}
    if chip.bias_dac:
        tree["bias_dac"] = {"N": len(chip.bias_dac.N), "P": len(chip.bias_dac.P)}
    return tree


def _walk(value: Any, path: Dotted) -> Iterator[tuple[Dotted, Any]]:
    for step, item in _items(value).items():
        yield (*path, step), item
        yield from _walk(item, (*path, step))


def _items(value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    if isinstance(value, tuple):
        return {item["name"] if isinstance(item, dict) else str(i): item for i, item in enumerate(value)}
    return {}


def _steps(tree: Any, path: str) -> Dotted:
    """Split a dotted path; an index of an item that has a name becomes the name."""
    steps = []
    for step in path.split("."):
        items = _items(tree)
        if step not in items and step.isascii() and step.isdigit() and int(step) < len(items):
            step = list(items)[int(step)]
        tree = items.get(step)
        steps.append(step)
    return tuple(steps)
