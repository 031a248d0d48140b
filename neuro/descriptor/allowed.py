"""What may stand at a place of a description, in words: read from the JSON schema of its model."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel

from neuro.descriptor.paths import KeyPath, down

Schema = dict[str, Any]


@functools.cache
def schema_of(model: type[BaseModel]) -> Schema:
    return model.model_json_schema()


def nearest(name: str, names: Iterable[str]) -> str | None:
    """Return the name that was probably meant, or None."""
    by_lower = {n.lower(): n for n in names}
    close = difflib.get_close_matches(name.lower(), by_lower, 1, 0.6)
    return by_lower[close[0]] if close else None


def choices(root: Schema, schema: Schema) -> list[Schema]:
    """Return the plain alternatives a schema stands for, references and unions opened."""
    if "$ref" in schema:
        return choices(root, root["$defs"][schema["$ref"].rsplit("/", 1)[1]])
    for word in ("anyOf", "oneOf", "allOf"):
        if word in schema:
            return [choice for part in schema[word] for choice in choices(root, part)]
    return [schema]


def inside(root: Schema, schemas: list[Schema], part: str | int) -> list[Schema]:
    """Return the alternatives for the value one key or index further down."""
    found = []
    for schema in schemas:
        if isinstance(part, int):
            row = schema.get("prefixItems", [])
            below = row[part] if part < len(row) else schema.get("items")
        else:
            below = schema.get("properties", {}).get(part) or _any_key(schema)
        if isinstance(below, dict):
            found += choices(root, below)
    return found


def at(root: Schema, path: KeyPath, tree: Any) -> list[Schema]:
    """Return the alternatives for the value at a path of a tree; empty where nothing may stand."""
    schemas = choices(root, root)
    for step in path:
        schemas = inside(root, fitting(root, schemas, tree), step)
        tree = down(tree, step)
    return schemas


def fitting(root: Schema, schemas: list[Schema], value: Any) -> list[Schema]:
    """Keep the alternatives whose distinguishing words (`kind: ...`) are those of the value, if any are."""
    if not isinstance(value, dict) or len(schemas) == 1:
        return schemas
    return [schema for schema in schemas if _agrees(root, schema, value)] or schemas


def _agrees(root: Schema, schema: Schema, value: dict[str, Any]) -> bool:
    for key, below in schema.get("properties", {}).items():
        for choice in choices(root, below):
            if "const" in choice and key in value and value[key] != choice["const"]:
                return False
    return True


def takes_truth(schema: Schema) -> bool:
    """Whether true or false may stand there (pydantic takes `true` for a literal 1)."""
    if schema.get("type", "boolean") != "boolean":
        return False
    return any(isinstance(value, bool) for value in schema.get("enum", [True]))


def keys(root: Schema, schemas: list[Schema]) -> list[str]:
    """Return the keys that are known to be allowed in a mapping."""
    names: dict[str, None] = {}
    for schema in schemas:
        names |= dict.fromkeys(schema.get("properties", {}))
        for choice in choices(root, schema.get("propertyNames", {})):
            names |= dict.fromkeys(choice.get("enum", ()))
    return list(names)


def keys_below(root: Schema, schemas: list[Schema]) -> dict[str, str]:
    """Return keys that are known one mapping further down, by name: `epochs` -> `training.epochs`."""
    return {
        name: f"{key}.{name}"
        for key in reversed(keys(root, schemas))
        for name in keys(root, inside(root, schemas, key))
    }


def words(root: Schema, schemas: list[Schema]) -> str:
    """Say what may stand at a place: `a whole number from 1 to 64, or null`."""
    return ", or ".join(dict.fromkeys(_one(root, schema) for schema in schemas)) or "nothing"


def _one(root: Schema, schema: Schema) -> str:
    if "allowed" in schema:
        return schema["allowed"]
    if "const" in schema or "enum" in schema:
        return _listed([str(value) for value in schema.get("enum", [schema.get("const")])])
    match schema.get("type"):
        case "integer":
            return "a whole number" + _range(schema)
        case "number":
            return "a number" + _range(schema)
        case "string":
            return "text"
        case "boolean":
            return "true or false"
        case "null":
            return "null"
        case "array":
            return _list(root, schema)
        case "object":
            return _mapping(root, schema)
    return "any value"


def _any_key(schema: Schema) -> Schema | bool | None:
    """Return the schema of values under keys that are free, if the mapping has such keys."""
    by_pattern = list(schema.get("patternProperties", {}).values())
    return by_pattern[0] if by_pattern else schema.get("additionalProperties")


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def _range(schema: Schema) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        return f" from {low:.10g} to {high:.10g}"
    signs = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
    limits = [f"{sign} {schema[word]:.10g}" for word, sign in signs.items() if word in schema]
    return f" {' and '.join(limits)}" if limits else ""


def _list(root: Schema, schema: Schema) -> str:
    if row := schema.get("prefixItems"):
        return f"a list of {len(row)}: [{'; '.join(words(root, choices(root, item)) for item in row)}]"
    least = schema.get("minItems")
    return (
        f"a list{f' of at least {least}' if least else ''}, each {words(root, choices(root, schema.get('items', {})))}"
    )


def _mapping(root: Schema, schema: Schema) -> str:
    if names := keys(root, [schema]):
        return f"a mapping with the keys {', '.join(names)}"
    below = _any_key(schema)
    return f"a mapping of names to {words(root, choices(root, below))}" if isinstance(below, dict) else "a mapping"
