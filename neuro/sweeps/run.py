"""A sweep from its command to its table."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path

import neuro
from neuro.errors import RunError
from neuro.runs import write_atomically
from neuro.runs.files import read_object
from neuro.sweeps.definition import Definition, check_same, define, definition_from_json, definition_to_json
from neuro.sweeps.space import make_space
from neuro.sweeps.storage import open_study, storage_url, without_password
from neuro.sweeps.table import load_sweep


def sweep(
    task: str | Path,
    chip: str | Path | Iterable[str | Path],
    over: Mapping[str, Iterable] | Iterable[str] = (),
    *,
    out: str | Path,
    seeds: int = 1,
    settings: Iterable[str] = (),
    optimize: Iterable[str] = (),
    trials: int | None = None,
    prune: bool | None = None,
    workers: int = 1,
    storage: str | None = None,
    sure: bool = False,
    progress: str = "auto",
):
    """Train a task over a grid of chips, keys and seeds, or look for the best trade-offs; gives the table of runs.

    over: key -> values, such as {"chip.slots": [8, 16], "task.populations.hidden.size": [64, 128]}. settings: key=value
    texts that hold for all runs. optimize: names of objectives in place of the whole grid, with the number of `trials`.
    prune: stop hopeless runs (default: when optimizing). storage: a postgresql:// address in place of a file in `out`;
    whoever gives the same call joins in. A call that was stopped goes on where it was. progress: auto, plain or quiet.
    Raises DescriptionError for unknown keys, and for more than 1,000 runs unless `sure`; RunError for a folder or a
    database of another sweep.
    """
    chips = [str(chip)] if isinstance(chip, str | Path) else [str(c) for c in chip]
    space = make_space(chips, over, seeds)
    definition = define(str(task), space, tuple(settings), tuple(optimize), trials, prune, lambda total: sure)
    return run_sweep(definition, Path(out), workers, storage, progress)


def run_sweep(definition: Definition, out: Path, workers: int, storage: str | None, progress: str):
    """Run what is left of a sweep; gives its table."""
    if not isinstance(workers, int) or workers < 1:
        raise RunError(f"--workers is {workers!r}, allowed: a whole number from 1")
    url = storage_url(out, storage)
    _check_folder(out, definition)
    _begin(out, definition, without_password(url) if storage else None)
    return _run(definition, out, workers, url, progress)


def _run(definition: Definition, out: Path, workers: int, url: str, progress: str):
    from neuro.sweeps.progress import progress_of
    from neuro.sweeps.work import save_table, work, work_in_processes
    from neuro.training.loop import Interrupted

    try:
        with open_study(out, definition, url) as (study, locks), progress_of(progress, definition, study) as tell:
            if workers == 1:
                work(out, definition, study, locks, tell)
            else:
                work_in_processes(out, definition, study, url, workers, tell)
            save_table(out, definition, study, locks)
    except (KeyboardInterrupt, Interrupted):
        raise Interrupted(f"stopped; saved in {out}; go on with the same command") from None
    return load_sweep(out)


def _check_folder(out: Path, definition: Definition) -> None:
    """Raise RunError where a folder holds something else, or another sweep."""
    path = out / "sweep.json"
    if path.exists():
        tree = read_object(path, f"{out} is no sweep")
        check_same(definition_from_json(tree, str(path)), definition, str(out))
    elif out.exists() and (not out.is_dir() or any(p.name[0] != "." for p in out.iterdir())):
        raise RunError(f"{out} is there already and holds no sweep; give another --out (nothing was changed)")


def _begin(out: Path, definition: Definition, storage: str | None) -> None:
    try:
        (out / "runs").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{out} cannot be made: {error.strerror}") from None
    made = {"neuro": neuro.__version__, **{name: version(name) for name in ("torch", "optuna")}}
    tree = json.loads(definition_to_json(definition)) | {"storage": storage, "made": made}
    write_atomically(out / "sweep.json", json.dumps(tree, indent=1))
