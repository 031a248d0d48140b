"""What a sweep tells while it runs: a bar in a terminal or notebook and a line for each run that ends."""

from __future__ import annotations

import sys
import time

from neuro.sweeps.definition import Definition
from neuro.sweeps.storage import point_of
from neuro.sweeps.trial import COMPLETE
from neuro.training.notebook import Place, in_notebook

MOST_LINES = 12


class Told:
    """Say nothing, but know which runs have been told of."""

    def __init__(self, definition: Definition, done: set[int]):
        self.definition, self.begun, self.before, self.seen = definition, time.monotonic(), len(done), set(done)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def __call__(self, study) -> None:
        """Tell of every run that has ended since the last call."""
        for trial in study.get_trials(deepcopy=False):
            if trial.state.is_finished() and trial.number not in self.seen:
                self.seen.add(trial.number)
                self.say(len(self.seen), f"{point_of(trial.params, self.definition)}: {_words(trial)}")

    def say(self, done: int, line: str) -> None:
        pass

    def left(self, done: int) -> str:
        """Time left at the present speed, as h:mm:ss."""
        made = done - self.before
        seconds = (time.monotonic() - self.begun) / made * (self.definition.total - done) if made else 0
        return f"{int(seconds // 3600)}:{int(seconds % 3600 // 60):02d}:{int(seconds % 60):02d}"


class Lines(Told):
    """One line a run, on standard error."""

    def say(self, done: int, line: str) -> None:
        total = self.definition.total
        print(f"{done:{len(str(total))}}/{total}  {line}  left {self.left(done)}", file=sys.stderr, flush=True)


class Bar(Told):
    """A bar that moves, and a line for each run that ends."""

    def __init__(self, definition: Definition, done: set[int], console):
        from rich.progress import BarColumn, Progress, TextColumn

        super().__init__(definition, done)
        columns = (
            TextColumn("{task.completed:.0f} of {task.total:.0f} runs"),
            BarColumn(),
            TextColumn("{task.fields[left]}"),
        )
        self.bar = Progress(*columns, console=console)
        self.line = self.bar.add_task("", total=definition.total, completed=len(done), left="")

    def __enter__(self):
        self.bar.__enter__()
        return self

    def __exit__(self, *error):
        self.bar.__exit__(*error)

    def say(self, done: int, line: str) -> None:
        self.bar.console.print(line, highlight=False, markup=False)
        self.bar.update(self.line, completed=done, left=f"left {self.left(done)}")


class Notebook(Told):
    """The same in a notebook, in one place that is written over."""

    def __init__(self, definition: Definition, done: set[int]):
        super().__init__(definition, done)
        self.place, self.lines = Place(), []

    def say(self, done: int, line: str) -> None:
        self.lines = [*self.lines, line][-MOST_LINES:]
        self.place.show(self.lines, done, self.definition.total, f"runs, left {self.left(done)}")


def progress_of(kind: str, definition: Definition, study) -> Told:
    """Choose a display: quiet, plain, live, or auto (live in a terminal or notebook)."""
    done = {t.number for t in study.get_trials(deepcopy=False) if t.state.is_finished()}
    if kind == "quiet":
        return Told(definition, done)
    if in_notebook() and kind != "plain":
        return Notebook(definition, done)
    from rich.console import Console

    console = Console(stderr=True)
    live = kind == "live" or (kind == "auto" and console.is_terminal)
    return Bar(definition, done, console) if live else Lines(definition, done)


def _words(trial) -> str:
    outcome = trial.user_attrs["outcome"]
    if outcome["state"] != COMPLETE:
        return f"{outcome['state']}: {outcome['reason'].splitlines()[0]}"
    m = outcome["measures"]
    return f"validation {m['validation_accuracy']:.1%}, slots {m['slots_mean']:.1f}, {m['seconds']:.1f} s"
