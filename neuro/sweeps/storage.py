"""Where a sweep's trials are kept: an Optuna study in SQLite, in the sweep's folder, or in PostgreSQL."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from neuro.errors import RunError
from neuro.sweeps.definition import Definition, check_same, definition_from_json, definition_to_json
from neuro.sweeps.locks import FileLocks, Locks, SessionLocks
from neuro.sweeps.objectives import OBJECTIVES
from neuro.sweeps.space import Axis, Point

SEED_MAX = 2**31 - 1


def storage_url(out: Path, given: str | None) -> str:
    """Give the address SQLAlchemy needs; RunError for a database we cannot lock."""
    if given is None:
        return f"sqlite:///{out.resolve() / 'sweep.db'}"
    for kind in ("postgresql://", "postgres://", "postgresql+psycopg://"):
        if given.startswith(kind):
            return f"postgresql+psycopg://{given.removeprefix(kind)}"
    raise RunError(f"--storage {without_password(given)}: allowed: postgresql://user:password@host/database")


def without_password(url: str) -> str:
    """The address as it may be shown and kept."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return url.partition("://")[0] + "://…"


@contextmanager
def open_study(out: Path, definition: Definition, url: str) -> Iterator[tuple]:
    """Open a sweep's study, or begin it: (study, locks). RunError where it cannot be, or is another sweep's."""
    local = url.startswith("sqlite:")
    options = {"connect_args": {"timeout": 60}} if local else {"pool_pre_ping": True}
    with told(url), ExitStack() as stack:
        import optuna
        from optuna.storages import RDBStorage

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        locks: Locks = FileLocks(out / ".locks") if local else SessionLocks(url, out.name)
        with closing(locks.take("open", wait=True)):  # two that begin at once would both make the tables
            storage = RDBStorage(url, engine_kwargs=options)
            stack.callback(storage.engine.dispose)
            stack.callback(storage.remove_session)
            more = [OBJECTIVES[name].more for name in definition.objectives or ("accuracy",)]
            study = optuna.create_study(
                storage=storage,
                study_name="sweep" if local else out.name,
                directions=["maximize" if m else "minimize" for m in more],
                load_if_exists=True,
            )
            _same_sweep(study, definition, f"the sweep {out.name!r} of {without_password(url)}")
            if not definition.objectives:
                _enqueue(study, definition)
        yield study, locks


def _same_sweep(study, definition: Definition, where: str) -> None:
    begun = study.user_attrs.get("definition")
    if begun is not None:
        check_same(definition_from_json(json.loads(begun), where), definition, where)
    text = definition_to_json(definition)
    if text != begun:
        study.set_user_attr("definition", text)


def _enqueue(study, definition: Definition) -> None:
    """Put every point of a grid that is not there yet among the waiting trials."""
    there = {point_of(trial.params, definition) for trial in study.get_trials(deepcopy=False)}
    study.add_trials([waiting_trial(p, definition) for p in definition.space.points() if p not in there])


def waiting_trial(point: Point, definition: Definition):
    """A trial that waits for a worker."""
    from optuna.trial import TrialState, create_trial

    params = {"chip": point.chip, **dict(point.settings), "seed": point.seed}
    return create_trial(state=TrialState.WAITING, params=params, distributions=distributions(definition))


def distributions(definition: Definition) -> dict:
    """What every parameter of a trial may be, in Optuna's words."""
    from optuna.distributions import CategoricalDistribution, IntDistribution

    axes = (Axis("chip", definition.space.chips), *definition.space.axes)
    return {a.key: CategoricalDistribution(a.values) for a in axes} | {"seed": IntDistribution(0, SEED_MAX)}


def point_of(params: dict, definition: Definition) -> Point:
    """The point a trial's parameters stand for."""
    return Point(params["chip"], tuple((a.key, params[a.key]) for a in definition.space.axes), params["seed"])


@contextmanager
def told(url: str) -> Iterator[None]:
    """Turn what a database can do wrong into one message."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Optuna warns of what is experimental in it or missing; users can do nothing
        from optuna.exceptions import StorageInternalError
        from sqlalchemy.exc import SQLAlchemyError
    where = without_password(url)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except ModuleNotFoundError as error:
        raise RunError(f"{where} needs {error.name}: pip install 'neuro[postgresql]'") from None
    except (SQLAlchemyError, StorageInternalError) as error:
        cause = str(getattr(error, "orig", None) or error.__cause__ or error).strip().splitlines()
        raise RunError(f"the database {where} does not answer as it should: {cause[0]}; nothing was lost") from None
    except RuntimeError as error:
        if "optuna" not in str(error).lower():
            raise
        raise RunError(f"the database {where} is of another version of Optuna: {error}") from None
