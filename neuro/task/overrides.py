"""Which of a user's keys are for the task and which for the chip."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from neuro.errors import DescriptionError


def split_overrides(overrides: Iterable[str] | None, option: str = "--set") -> tuple[list[str], list[str]]:
    """Part `key=value` texts into those for the task and those for the chip; `slots` is short for `chip.slots`."""
    task, chip = [], []
    for text in overrides or ():
        room, _, rest = text.partition(".")
        if room == "task" and rest:
            task.append(rest)
        elif room == "chip" and rest:
            chip.append(rest)
        elif text.partition("=")[0].strip() == "slots":
            chip.append(text)
        else:
            raise DescriptionError(f"{option} {text}: keys begin with task. or chip. (or are `slots`){_meant(text)}")
    return task, chip


def _meant(text: str) -> str:
    """Suggest what a key without a room was meant to be."""
    key, _, value = text.partition("=")
    near = difflib.get_close_matches(key.split(".")[0].strip(), ["slots", "task", "chip"], 1)
    if not near:
        return f"; did you mean task.{text} or chip.{text}?"
    return f"; did you mean {near[0]}{key[key.index('.') :] if '.' in key else ''}={value}?"
