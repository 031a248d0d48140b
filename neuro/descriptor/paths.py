"""Paths into plain values: keys and indices from the top down, such as `("weights", "bases", 0, "name")`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

KeyPath = tuple[str | int, ...]


def has(tree: Any, step: str | int) -> bool:
    """Whether a mapping has a key, or a list an index."""
    if isinstance(tree, dict):
        return step in tree
    return isinstance(tree, list | tuple) and isinstance(step, int) and 0 <= step < len(tree)


def down(tree: Any, *path: str | int) -> Any:
    """Return the value at a path; None where nothing is."""
    for step in path:
        tree = tree[step] if has(tree, step) else None
    return tree


def put(tree: Any, path: KeyPath, value: Any) -> Any:
    """Return the tree with another value at a path; mappings are made where none are."""
    if not path:
        return value
    step, rest = path[0], path[1:]
    if isinstance(tree, list):
        return [put(item, rest, value) if i == step else item for i, item in enumerate(tree)]
    old = tree if isinstance(tree, dict) else {}
    return old | {step: put(old.get(step), rest, value)}


def differing(one: Any, other: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Give the dotted keys where two trees of mappings differ, with both values."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in one | other:
            yield from differing(one.get(key), other.get(key), f"{path}.{key}".strip("."))
    elif one != other:
        yield path, one, other


def dotted(tree: Any, path: KeyPath) -> str:
    """Write a path as one key, list items by their name where they have one: `types.AMPA.id`."""
    parts = []
    for step in path:
        tree = down(tree, step)
        name = tree.get("name") if isinstance(step, int) and isinstance(tree, dict) else None
        parts.append(name if isinstance(name, str) else str(step))
    return ".".join(parts)
