"""What a sweep varies: chips, keys with their values, and seeds; and the points this makes."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from neuro.errors import DescriptionError
from neuro.task import split_overrides

MOST_SEEDS = 10_000


@dataclass(frozen=True)
class Axis:
    """One key, `chip.…` or `task.…`, and the values it takes, as YAML texts."""

    key: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Point:
    """One run of a sweep: a chip, a value for every key, a seed."""

    chip: str
    settings: tuple[tuple[str, str], ...]
    seed: int

    def __str__(self) -> str:
        words = [
            Path(self.chip).stem,
            *(f"{key.split('.', 1)[1]}={value}" for key, value in self.settings),
            f"seed {self.seed}",
        ]
        return ", ".join(words)


@dataclass(frozen=True)
class Space:
    """All that a sweep may vary. Points come in order: seeds last, so that a broken-off grid has a seed everywhere."""

    chips: tuple[str, ...]
    axes: tuple[Axis, ...]
    seeds: int

    @property
    def size(self) -> int:
        return math.prod((len(self.chips), *(len(axis.values) for axis in self.axes), self.seeds))

    def points(self) -> Iterator[Point]:
        keys = [axis.key for axis in self.axes]
        for seed in range(self.seeds):
            for chip, *values in itertools.product(self.chips, *(axis.values for axis in self.axes)):
                yield Point(chip, tuple(zip(keys, values, strict=True)), seed)


def make_space(chips: Iterable[str], over: Iterable[str] | Mapping[str, Iterable], seeds: int) -> Space:
    """Read chips, `key=value,value` texts (or key -> values) and a number of seeds; DescriptionError on any mistake."""
    if isinstance(over, Mapping):
        axes = tuple(
            _axis(key, [_text(v) for v in _listed(key, values)], f"over: {key}") for key, values in over.items()
        )
    else:
        axes = tuple(_axis(*_parted(text), f"--over {text}") for text in over)
    chips = tuple(chips)
    for what, names in (("--chip", list(chips)), ("--over", [axis.key for axis in axes])):
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise DescriptionError(f"{what} {twice[0]} stands more than once; give it once, with all its values")
    if not chips:
        raise DescriptionError("--chip is missing: a sweep needs at least one chip")
    if not isinstance(seeds, int) or not 1 <= seeds <= MOST_SEEDS:
        raise DescriptionError(f"--seeds is {seeds!r}, allowed: a whole number from 1 to {MOST_SEEDS}")
    return Space(chips, axes, seeds)


def _parted(text: str) -> tuple[str, list[str]]:
    key, equals, values = (part.strip() for part in text.partition("="))
    if not equals or not key:
        raise DescriptionError(f"--over {text}: allowed: key=value,value,… such as chip.slots=8,16,32")
    return key, _at_commas(values)


def _axis(key: str, values: list[str], told: str) -> Axis:
    for_task, for_chip = split_overrides([f"{key}={','.join(values)}"], "--over")
    values = [value.strip() for value in values]
    if not all(values) or not values:
        raise DescriptionError(f"{told}: a value is missing; give values with commas between them, such as 8,16,32")
    if len(set(values)) < len(values):
        raise DescriptionError(f"{told}: a value stands more than once")
    room, below = ("task", for_task[0]) if for_task else ("chip", for_chip[0])
    name = below.partition("=")[0].strip()
    return Axis(f"{room}.{'slots' if (room, name) == ('chip', 'weights.slots') else name}", tuple(values))


def _at_commas(text: str) -> list[str]:
    """Part a text at the commas that stand outside brackets and quotes: `[0],[0,4]` holds two values."""
    parts, depth, quote = [""], 0, ""
    for letter in text:
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter in "[{":
            depth += 1
        elif letter in "]}":
            depth -= 1
        if letter == "," and not depth and not quote:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def _listed(key: str, values) -> list:
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
        raise DescriptionError(f"over: {key} is {values!r}, allowed: a list of values")
    return list(values)


def _text(value) -> str:
    """Write a value as YAML reads it back."""
    return value if isinstance(value, str) else json.dumps(value.item() if hasattr(value, "item") else value)
