"""One run of a sweep: train, or go on where it broke off, then measure; with a reason where it did not come through."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from neuro.data import load_dataset
from neuro.errors import NeuroError
from neuro.evaluation import count_operations, energy_estimate, measure, resources_of
from neuro.runs import load_run
from neuro.sweeps.definition import Definition
from neuro.sweeps.pruning import Rival, hopeless
from neuro.sweeps.space import Point
from neuro.training import train
from neuro.training.loop import Interrupted
from neuro.training.progress import Quiet

COMPLETE, FAILED, PRUNED = "complete", "failed", "pruned"


@dataclass(frozen=True)
class Outcome:
    """How a run ended. curve: the best validation accuracy up to each epoch."""

    state: str
    reason: str
    measures: dict
    curve: list[float]


class Hopeless(Exception):
    """The rest of a training is not worth its time."""


class Watch(Quiet):
    """Stops a training that is hopeless; tells each epoch."""

    def __init__(self, definition: Definition, rivals: list[Rival], tell: Callable[[dict], None]):
        self.definition, self.rivals, self.tell = definition, rivals, tell

    def start(self, run, network, done: int, per_epoch: int) -> None:
        super().start(run, network, done, per_epoch)
        self.run, self.network = run, network

    def epoch(self, line: dict, better: bool) -> None:
        self.tell(line)
        if not self.definition.prune:
            return
        best, costs = best_so_far(self.run)[-1], resources_of(self.network).__dict__
        epochs = self.run.task.training.epochs
        reason = hopeless(line["epoch"], epochs, best, costs, self.rivals, self.definition.objectives)
        if reason:
            raise Hopeless(reason)


def run_trial(
    point: Point, definition: Definition, folder: Path, rivals: list[Rival], tell=lambda line: None
) -> Outcome:
    """Train and measure one point in its run folder. Interrupted and what a disk does wrong come through."""
    try:
        task, chip = definition.resolve(point)
        resume = (folder / "run.json").exists()
        state, reason = COMPLETE, ""
        try:
            run = train(task, chip, folder, seed=point.seed, resume=resume, progress=Watch(definition, rivals, tell))
        except Hopeless as stop:
            state, reason, run = PRUNED, str(stop), load_run(folder)
        return Outcome(state, reason, measures_of(run), best_so_far(run))
    except Interrupted:
        raise
    except (NeuroError, ValueError, ArithmeticError, RuntimeError, MemoryError) as error:
        if isinstance(error.__context__, OSError):  # the disk, not the run
            raise
        words = str(error) if isinstance(error, NeuroError) else f"{type(error).__name__}: {error}"
        return Outcome(FAILED, words, {}, [])


def best_so_far(run) -> list[float]:
    """The best validation accuracy up to each epoch."""
    curve: list[float] = []
    for line in run.metrics:
        curve.append(max([*curve[-1:], line["validation_accuracy"]]))
    return curve


def measures_of(run) -> dict:
    """Every figure of a run's best network that a table holds."""
    data, network = load_dataset(run.task.data), run.network
    tested, done = measure(network, run.task, data.test), count_operations(network, run.task, data.test)
    return {
        "validation_accuracy": run.facts["validation_accuracy"],
        "test_accuracy": tested.accuracy,
        "validation_loss": run.facts["validation_loss"],
        "test_loss": tested.loss,
        **asdict(resources_of(network)),
        "rate": tested.rate,
        "synaptic_operations": done.acs + done.macs,
        "dense_operations": done.dense,
        "activation_sparsity": done.activation_sparsity,
        "membrane_updates": done.membrane_updates,
        "spikes": done.spikes,
        "events_delivered": done.deliveries,
        "words_met": done.words,
        "energy_estimate_j": energy_estimate(run.chip, done, run.task.steps * run.task.dt_s),
        "violations": tested.violations,
        "epochs": len(run.metrics),
        "seconds": run.metrics[-1]["seconds"],
    }
