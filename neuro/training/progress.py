"""What training tells while it runs: a live line in a terminal or notebook, plain lines in a pipe, nothing if quiet."""

from __future__ import annotations

import sys
import time
from typing import Protocol

from neuro.training.notebook import Place, in_notebook


class Progress(Protocol):
    def __enter__(self) -> Progress: ...
    def __exit__(self, *_) -> None: ...
    def note(self, text: str) -> None: ...
    def start(self, run, network, done: int, per_epoch: int) -> None: ...
    def step(self, at, network) -> None: ...
    def epoch(self, line: dict, better: bool) -> None: ...
    def end(self, run) -> None: ...


def progress_for(kind: str) -> Progress:
    """Choose a progress display: quiet, plain, live, or auto (live in a terminal or notebook)."""
    if kind == "quiet":
        return Quiet()
    if in_notebook() and kind != "plain":
        return Notebook()
    from rich.console import Console

    console = Console(stderr=True)
    return Live(console) if kind == "live" or (kind == "auto" and console.is_terminal) else Plain()


class Quiet:
    """Say nothing."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def note(self, text: str) -> None:
        pass

    def start(self, run, network, done: int, per_epoch: int) -> None:
        self.total = run.task.training.epochs * per_epoch
        self.done = self.begun_at = done
        self.begun = time.monotonic()
        self.batches = per_epoch

    def step(self, at, network) -> None:
        self.done = at.epoch * self.batches + at.batch

    def epoch(self, line: dict, better: bool) -> None:
        pass

    def end(self, run) -> None:
        pass

    def left(self) -> str:
        """Time left at the present speed, as h:mm:ss."""
        made = self.done - self.begun_at
        if not made:
            return "-:--:--"
        seconds = (time.monotonic() - self.begun) / made * (self.total - self.done)
        return f"{int(seconds // 3600)}:{int(seconds % 3600 // 60):02d}:{int(seconds % 60):02d}"


class Plain(Quiet):
    """One line at the start and one an epoch, on standard error."""

    def note(self, text: str) -> None:
        _say(text)

    def start(self, run, network, done: int, per_epoch: int) -> None:
        super().start(run, network, done, per_epoch)
        _say(heading(run, network))
        if done:
            _say(f"going on from epoch {done // per_epoch + 1}, batch {done % per_epoch + 1}")

    def epoch(self, line: dict, better: bool) -> None:
        _say(f"{epoch_line(line, better)}  left {self.left()}")


class Live(Quiet):
    """A bar that moves, with the figures of the present epoch, and a line for every finished one."""

    def __init__(self, console):
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as Bar

        self.console = console
        columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[left]}")
        self.bar = Bar(*columns, console=console)
        self.shown = 0.0

    def __enter__(self):
        self.bar.__enter__()
        return self

    def __exit__(self, *error):
        self.bar.__exit__(*error)

    def note(self, text: str) -> None:
        self.console.print(text, highlight=False, markup=False)

    def start(self, run, network, done: int, per_epoch: int) -> None:
        super().start(run, network, done, per_epoch)
        self.console.print(heading(run, network), highlight=False, markup=False)
        self.line = self.bar.add_task("starting", total=self.total, completed=done, left="")

    def step(self, at, network) -> None:
        super().step(at, network)
        if time.monotonic() - self.shown < 0.2:
            return
        self.shown = time.monotonic()
        text = (
            f"epoch {at.epoch + 1}  loss {at.loss / at.seen:.3f}  accuracy {at.correct / at.seen:.1%}  "
            f"rate {at.rate / at.seen:.3f}"
        )
        self.bar.update(self.line, completed=self.done, description=text, left=f"left {self.left()}")

    def epoch(self, line: dict, better: bool) -> None:
        self.console.print(epoch_line(line, better), highlight=False, markup=False)

    def end(self, run) -> None:
        self.bar.update(self.line, completed=self.total, left="done")


class Notebook(Quiet):
    """The same in a notebook: one place that is written over, with the heading, each finished epoch, and a bar."""

    def __init__(self):
        self.place, self.lines, self.shown = Place(), [], 0.0

    def note(self, text: str) -> None:
        self.lines.append(text)

    def start(self, run, network, done: int, per_epoch: int) -> None:
        super().start(run, network, done, per_epoch)
        self.lines.append(heading(run, network))

    def step(self, at, network) -> None:
        super().step(at, network)
        if time.monotonic() - self.shown >= 0.5:
            self.shown = time.monotonic()
            self.place.show(self.lines, self.done, self.total, f"batches, left {self.left()}")

    def epoch(self, line: dict, better: bool) -> None:
        self.lines.append(epoch_line(line, better))

    def end(self, run) -> None:
        self.place.show(self.lines, self.total, self.total, "batches")


def heading(run, network) -> str:
    """Say what is being trained on what."""
    sizes = ", ".join(f"{name} {p.size}" for name, p in run.task.populations.items())
    cores = len(network.plan.cores) + len(network.plan.splitter_cores)
    return (
        f"{run.task.name} on {run.chip.label}, seed {run.seed}: {sizes}; {cores} core{'s' * (cores > 1)}\n"
        "(*: the best on validation so far, of equal accuracies the lower loss; rate: spikes a neuron and step; "
        "slots: words used a neuron)"
    )


def epoch_line(line: dict, better: bool) -> str:
    """One epoch in figures."""
    return (
        f"epoch {line['epoch']:3d}  loss {line['train_loss']:.3f}  accuracy {line['train_accuracy']:.1%}  "
        f"validation {line['validation_accuracy']:.1%}{' *' if better else '  '} rate {line['rate']:.3f}  "
        f"slots {line['slots_mean']:.1f}"
    )


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
