"""What a sweep is: everything its command says, as one frozen value that its folder and its database keep."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

from neuro.descriptor import Chip, chip_to_json, differing, load_chip
from neuro.errors import DescriptionError, RunError
from neuro.sweeps.objectives import check_objectives, may_prune
from neuro.sweeps.space import Axis, Point, Space
from neuro.task import Task, load_task, split_overrides, task_to_json

FORMAT, VERSION = "neuro-sweep", 1
MOST_UNASKED = 1000
MAY_GROW = ("seeds", "trials")


@dataclass(frozen=True)
class Definition:
    """A sweep: `settings` hold for every run; `objectives` empty = a grid; `trials`: how many runs, of an optimization.

    content, hashes: the task, and each chip's hash, before anything is varied, so that two sweeps are never mixed up.
    """

    task: str
    space: Space
    settings: tuple[str, ...] = ()
    objectives: tuple[str, ...] = ()
    trials: int | None = None
    prune: bool = False
    content: str = ""
    hashes: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        """How many runs there will be."""
        return self.space.size if self.trials is None else min(self.trials, self.space.size)

    def overrides(self, point: Point) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """What a point changes of the task, and of the chip."""
        for_task, for_chip = split_overrides([*self.settings, *(f"{key}={value}" for key, value in point.settings)])
        return tuple(for_task), tuple(for_chip)

    def resolve(self, point: Point) -> tuple[Task, Chip]:
        """Load the task and the chip of one point."""
        for_task, for_chip = self.overrides(point)
        return load_task(self.task, for_task), load_chip(point.chip, for_chip)


def define(
    task: str,
    space: Space,
    settings: tuple[str, ...],
    objectives: tuple[str, ...],
    trials: int | None,
    prune: bool | None,
    agreed: Callable[[int], bool],
) -> Definition:
    """Check all of a sweep that can be checked before its first run; DescriptionError on any mistake.

    agreed: asked with the number of runs where it is above 1,000.
    """
    check_objectives(objectives)
    if objectives and (not isinstance(trials, int) or trials < 1):
        raise DescriptionError(f"--trials is {trials!r}, allowed with --optimize: a whole number from 1")
    if trials is not None and not objectives:
        raise DescriptionError("--trials goes with --optimize: a grid has as many runs as it has points")
    total = Definition(task, space, trials=trials).total
    if total > MOST_UNASKED and not agreed(total):
        raise DescriptionError(
            f"this sweep has {total:,} runs, allowed without asking: {MOST_UNASKED:,}; say --yes (in Python sure=True) if "
            "you mean it, or give fewer values or seeds"
        )
    for_task, for_chip = split_overrides(settings)
    content = task_to_json(load_task(task, for_task))
    hashes = tuple(_digest(load_chip(name, for_chip)) for name in space.chips)
    definition = Definition(task, space, settings, objectives, trials, may_prune(objectives, prune), content, hashes)
    _check_values(definition)
    return definition


def _digest(chip: Chip) -> str:
    return hashlib.sha256(chip_to_json(chip).encode()).hexdigest()


def _check_values(definition: Definition) -> None:
    """Load every chip, and every value with the first of all others, so that mistakes are told before the first run."""
    space = definition.space
    first = tuple((axis.key, axis.values[0]) for axis in space.axes)
    points = [Point(chip, first, 0) for chip in space.chips]
    for number, axis in enumerate(space.axes):
        for value in axis.values[1:]:
            points.append(Point(space.chips[0], (*first[:number], (axis.key, value), *first[number + 1 :]), 0))
    try:
        for overrides in dict.fromkeys(definition.overrides(point)[0] for point in points):
            load_task(definition.task, overrides)
        for name, overrides in dict.fromkeys((point.chip, definition.overrides(point)[1]) for point in points):
            chip = load_chip(name, overrides)
            if "energy" in definition.objectives and chip.energy is None:
                raise DescriptionError(f"--optimize energy: {chip.label} states no energies; take another objective")
    except DescriptionError as error:
        raise DescriptionError(_as_over(str(error), space)) from None


def _as_over(message: str, space: Space) -> str:
    """Name the option and the key the user gave: what varies came from --over."""
    for axis in space.axes:
        for key in (axis.key.replace("chip.slots", "slots"), axis.key):
            message = message.replace(f"--set {key}=", f"--over {axis.key}=")
    return message


def definition_to_json(definition: Definition) -> str:
    """Write a definition as one JSON object."""
    return json.dumps({"format": FORMAT, "version": VERSION, **asdict(definition)}, indent=1)


def definition_from_json(tree: dict, where: str) -> Definition:
    """Read a definition that `definition_to_json` wrote; `where` names it in errors."""
    if (tree.get("format"), tree.get("version")) != (FORMAT, VERSION):
        raise RunError(f"{where} says {tree.get('format')} {tree.get('version')}, allowed: {FORMAT} {VERSION}")
    try:
        space = tree["space"]
        axes = tuple(Axis(axis["key"], tuple(axis["values"])) for axis in space["axes"])
        rest = {key: tree[key] for key in ("task", "trials", "prune", "content")}
        lists = {key: tuple(tree[key]) for key in ("settings", "objectives", "hashes")}
        return Definition(space=Space(tuple(space["chips"]), axes, space["seeds"]), **rest, **lists)
    except (KeyError, TypeError) as error:
        raise RunError(f"{where} is damaged ({error!r}); begin another sweep in another --out") from None


def check_same(begun: Definition, now: Definition, where: str) -> None:
    """Raise RunError where a sweep would go on as another one; seeds and trials alone may grow."""
    if begun.content != now.content:
        old, new = json.loads(begun.content), json.loads(now.content)
        if old["name"] != new["name"]:
            raise RunError(f"{where} is a sweep of another task, {old['name']}, not {new['name']}; take another --out")
        key, was, would_be = next(differing(old, new))
        raise RunError(
            f"{where} was begun when the task had another {key} ({was!r}, not {would_be!r}); take another --out"
        )
    changed = [c for c, old, new in zip(now.space.chips, begun.hashes, now.hashes, strict=False) if old != new]
    if begun.space.chips == now.space.chips and changed:
        raise RunError(f"{where} was begun when chip {changed[0]} was described otherwise; take another --out")
    one, other = (_comparable(d) for d in (begun, now))
    for key, was, would_be in differing(one, other):
        raise RunError(
            f"{where} was begun with another {key} ({was!r}, not {would_be!r}); go on with the same command (only "
            "seeds and trials may grow), or take another --out"
        )


def _comparable(definition: Definition) -> dict:
    tree = asdict(replace(definition, task="", content="", hashes=()))
    tree["over"] = {axis["key"]: axis["values"] for axis in tree["space"]["axes"]}
    return {"chips": tree["space"]["chips"], **{k: v for k, v in tree.items() if k not in (*MAY_GROW, "space")}}
