"""Who runs what: a worker claims one trial at a time, first those whose worker died, and holds its lock to the end."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict, dataclass, replace

from neuro.sweeps.definition import Definition
from neuro.sweeps.locks import Held, Locks
from neuro.sweeps.objectives import OBJECTIVES
from neuro.sweeps.pruning import Rival
from neuro.sweeps.sampler import next_point
from neuro.sweeps.space import Point
from neuro.sweeps.storage import point_of, waiting_trial
from neuro.sweeps.trial import COMPLETE, FAILED, PRUNED, Outcome

MOST_DEATHS = 3


@dataclass(frozen=True)
class Claim:
    """A trial that is ours, with the lock that says so. deaths: epochs done whenever a process of it was killed."""

    number: int
    point: Point
    deaths: list[int]
    held: Held


def claim(study, definition: Definition, locks: Locks) -> Claim | None:
    """Take the next trial, or None where all that are left belong to others."""
    with closing(locks.take("claim", wait=True)):
        return _left_behind(study, definition, locks) or _waiting(study, definition, locks)


def is_done(study, definition: Definition) -> bool:
    """Whether every trial there will ever be has ended."""
    trials = study.get_trials(deepcopy=False)
    return all(t.state.is_finished() for t in trials) and len(trials) >= definition.total


def _left_behind(study, definition: Definition, locks: Locks) -> Claim | None:
    """A running trial nobody holds: its worker was killed. It goes on from its run folder's last checkpoint."""
    for trial in _in_state(study, "RUNNING"):
        held = locks.take(f"trial-{trial.number}")
        if held is not None:
            return Claim(trial.number, point_of(trial.params, definition), trial.user_attrs.get("begun", []), held)
    return None


def _waiting(study, definition: Definition, locks: Locks) -> Claim | None:
    if not _in_state(study, "WAITING") and definition.objectives:
        point = next_point(study, definition)
        if point is not None:
            study.add_trial(waiting_trial(point, definition))
    if not _in_state(study, "WAITING"):
        return None
    trial = study.ask()
    return Claim(trial.number, point_of(trial.params, definition), [], locks.take(f"trial-{trial.number}", wait=True))


def begin(study, claimed: Claim, epochs: int) -> bool:
    """Note at which epoch a trial is begun; False where its processes keep dying without getting any further."""
    note(study, claimed.number, begun=[*claimed.deaths, epochs])
    return claimed.deaths[-MOST_DEATHS:] != [epochs] * MOST_DEATHS


def end_early(study, claimed: Claim) -> None:
    """Note that a trial's process stopped of its own will: that is no death."""
    note(study, claimed.number, begun=claimed.deaths)


def finish(study, definition: Definition, claimed: Claim, outcome: Outcome) -> None:
    """Write down how a trial ended, and let it go."""
    from optuna.trial import TrialState

    names = definition.objectives or ("accuracy",)
    values = [outcome.measures.get(OBJECTIVES[name].column) for name in names]
    if outcome.state == COMPLETE and None in values:
        unknown = names[values.index(None)]
        outcome = replace(outcome, state=FAILED, reason=f"{unknown} is unknown: the chip states no figures for it")
    note(study, claimed.number, outcome=asdict(outcome))
    states = {COMPLETE: TrialState.COMPLETE, FAILED: TrialState.FAIL, PRUNED: TrialState.PRUNED}
    study.tell(claimed.number, values if outcome.state == COMPLETE else None, state=states[outcome.state])
    claimed.held.close()


def rivals_in(study) -> list[Rival]:
    """The finished runs that a new one can be held against."""
    outcomes = [t.user_attrs["outcome"] for t in _in_state(study, "COMPLETE")]
    return [Rival(o["curve"], o["measures"]) for o in outcomes]


def _in_state(study, name: str) -> list:
    from optuna.trial import TrialState

    return study.get_trials(deepcopy=False, states=(TrialState[name],))


def note(study, number: int, **facts) -> None:
    """Write facts beside a trial that runs."""
    import optuna

    trial = study.get_trials(deepcopy=False)[number]
    for key, value in facts.items():
        optuna.trial.Trial(study, trial._trial_id).set_user_attr(key, value)
