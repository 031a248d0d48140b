"""Which point to try next: Optuna's tree-structured Parzen estimator over the values given, and none twice.

The choice depends on the finished trials and the number of this one alone, not on when a process began.
"""

from __future__ import annotations

import random

from neuro.sweeps.definition import Definition
from neuro.sweeps.space import Point
from neuro.sweeps.storage import distributions, point_of

DRAWS = 1000


def next_point(study, definition: Definition) -> Point | None:
    """Choose a point; a choice made before gets its next seed. None where all points, or trials enough, are there."""
    there = [point_of(t.params, definition) for t in study.get_trials(deepcopy=False)]
    if len(there) >= definition.total:
        return None
    tried: dict[tuple, int] = {}
    for point in there:
        tried[_choice(point)] = tried.get(_choice(point), 0) + 1
    for choice in _choices(study, definition, len(there)):
        if tried.get(choice, 0) < definition.space.seeds:
            return Point(*choice, tried.get(choice, 0))
    return next(p for p in definition.space.points() if p not in set(there))


def _choices(study, definition: Definition, number: int):
    """What the sampler wants, then points drawn at random."""
    yield _wanted(study, definition, number)
    rng = random.Random(number)
    space = definition.space
    for _ in range(DRAWS):
        yield rng.choice(space.chips), tuple((axis.key, rng.choice(axis.values)) for axis in space.axes)


def _wanted(study, definition: Definition, number: int) -> tuple:
    import optuna
    from optuna.trial import TrialState, create_trial

    sampler = optuna.samplers.TPESampler(seed=number, multivariate=False)
    blank = create_trial(state=TrialState.RUNNING)
    blank.number = number
    params = {
        name: sampler.sample_independent(study, blank, name, distribution)
        for name, distribution in distributions(definition).items()
    }
    return _choice(point_of(params, definition))


def _choice(point: Point) -> tuple:
    return point.chip, point.settings
