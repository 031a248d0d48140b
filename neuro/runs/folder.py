"""A run folder: the resolved task and chip, metrics, checkpoints, pictures; everything needed to go on or look back.

run.json            format, seed, versions
task.json chip.json as resolved, overrides included
metrics.jsonl       one line an epoch
last.json last-*.safetensors    where training stands
best.json best-*.safetensors    the network that was best on validation
curves.png
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from neuro.descriptor import Chip, chip_from_json, chip_to_json
from neuro.errors import FeasibilityError, RunError
from neuro.runs.checkpoint import load_checkpoint
from neuro.runs.files import read_object, read_text, write_atomically
from neuro.task import Task, task_from_json, task_to_json

FORMAT, VERSION = "neuro-run", 1
METRICS = {
    "epoch": int,
    "train_loss": float,
    "train_accuracy": float,
    "validation_loss": float,
    "validation_accuracy": float,
    "rate": float,
    "slots_mean": float,
    "violations": int,
    "seconds": float,
}


@dataclass(frozen=True, eq=False)
class Run:
    """A training that was done, or is under way, in a folder."""

    folder: Path
    task: Task
    chip: Chip
    seed: int

    @cached_property
    def network(self):
        """The network that was best on the validation part."""
        from neuro.nn import build

        tensors, _ = load_checkpoint(self.folder, "best")
        network = build(self.task, self.chip, self.seed)
        try:
            network.load_state_dict(tensors)
        except (RuntimeError, FeasibilityError) as error:
            raise RunError(f"{self.folder}: the best checkpoint is not of this task and chip ({error})") from None
        return network.eval()

    @cached_property
    def facts(self) -> dict:
        """What is known of the best checkpoint: epoch, validation loss and accuracy."""
        return load_checkpoint(self.folder, "best")[1]

    @property
    def metrics(self) -> list[dict]:
        """One entry an epoch."""
        path = self.folder / "metrics.jsonl"
        if not path.exists():
            return []
        return [
            _metrics_line(path, n, line) for n, line in enumerate(read_text(path, "there are none").splitlines(), 1)
        ]


def _metrics_line(path: Path, number: int, text: str) -> dict:
    try:
        line = json.loads(text)
        if line.keys() == METRICS.keys() and all(isinstance(line[key], kind) for key, kind in METRICS.items()):
            return line
    except (ValueError, RecursionError, AttributeError):
        pass
    raise RunError(f"{path}:{number} is no line of metrics ({text[:40]!r}); restore the file, or train again")


def create_run(folder: Path, task: Task, chip: Chip, seed: int, facts: dict) -> Run:
    """Start a run in a new or empty folder."""
    if folder.exists() and not _is_free(folder):
        raise RunError(
            f"{folder} is there already; give another --out, go on with --resume, or remove it (nothing was changed)"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{folder} cannot be made: {error.strerror}") from None
    write_atomically(folder / "task.json", task_to_json(task))
    write_atomically(folder / "chip.json", chip_to_json(chip))
    about = {"format": FORMAT, "version": VERSION, "seed": seed, **facts}
    write_atomically(folder / "run.json", json.dumps(about, indent=1))
    return Run(folder, task, chip, seed)


def _no_run(folder: Path) -> str:
    """Say what a folder is that is no run, and which run was probably meant."""
    above = f", {folder.parent}," if (folder.parent / "run.json").is_file() else ""
    if folder.is_file():
        return f"{folder} is a file, no run folder; name the folder that `neuro train … --out RUN` wrote"
    if (folder / "sweep.json").is_file():
        return f"{folder} is a sweep, no run folder; its runs lie below it, such as {folder / 'runs' / '0000'}"
    if (folder / "manifest.json").is_file():
        return f"{folder} holds tables and is no run folder; name the run{above or ''} that they are of"
    if above:
        return f"{folder} is no run folder, but lies in one; name {folder.parent}"
    return f"{folder} is no run folder; make one with `neuro train … --out {folder}`"


def _is_free(folder: Path) -> bool:
    """Whether a run may begin here: an empty folder, or one where a run ended before it had begun."""
    begun = {"task.json", "chip.json"}
    return folder.is_dir() and all(p.name in begun or p.name.startswith(".") for p in folder.iterdir())


def load_run(folder: str | Path) -> Run:
    """Read a run folder; RunError where it is none or damaged."""
    folder = Path(folder)
    path = folder / "run.json"
    if not path.is_file():
        raise RunError(_no_run(folder))
    about = read_object(path, f"{folder} is no run folder")
    kind, version, seed = (about.get(key) for key in ("format", "version", "seed"))
    if not isinstance(seed, int) or seed < 0:
        raise RunError(f"{path} says seed {seed!r}, allowed: a whole number from 0")
    if (kind, version) != (FORMAT, VERSION):
        raise RunError(f"{folder / 'run.json'} says {kind} {version}, allowed: {FORMAT} {VERSION}")
    task = task_from_json(read_text(folder / "task.json", "the task is unknown"), str(folder / "task.json"))
    chip = chip_from_json(read_text(folder / "chip.json", "the chip is unknown"), str(folder / "chip.json"))
    return Run(folder, task, chip, seed)
