"""How good a network is on many devices: its accuracy on virtual chips, and how many of them are good enough."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from neuro.data import Part, load_dataset, make_batch
from neuro.errors import DescriptionError, RunError
from neuro.evaluation.accuracy import BATCH, NOISE_SEED, measure
from neuro.losses import judged, together
from neuro.nn import Deviation, Network
from neuro.runs.files import read_object, write_atomically
from neuro.silicon import drawn_deviation
from neuro.task import Task

MOST_CHIPS = 100_000
AT_ONCE = 2**22  # spikes of read-out neurons that devices side by side may have: 16 MiB, as more would leave the caches
FILE = "devices.json"


@dataclass(frozen=True)
class DeviceEvaluation:
    """Accuracy on virtual chips `seed` … `seed + chips − 1`; `plain` is that of the chip as described.

    spread: standard deviation over devices; good: how many reach yield_at.
    """

    part: str
    samples: int
    chips: int
    seed: int
    scale: float
    plain: float
    mean: float
    spread: float
    worst: float
    best: float
    yield_at: float
    good: int
    accuracies: tuple[float, ...]

    @property
    def yield_share(self) -> float:
        return self.good / self.chips


def evaluate_devices(
    run,
    chips: int = 100,
    *,
    seed: int = 0,
    scale: float = 1.0,
    yield_at: float = 0.9,
    part: str = "test",
    progress: Callable[[int, int], None] | None = None,
) -> DeviceEvaluation:
    """Measure a run (or a run's path) on virtual chips of its chip; the same seed gives the same result.

    yield_at: accuracy from which on a device counts as good. progress is called with (chips done, chips) for each batch.
    Raises DescriptionError where the run's chip states no mismatch.
    """
    from neuro.runs import load_run

    run = load_run(run) if isinstance(run, str | Path) else run
    if not isinstance(chips, int) or not 1 <= chips <= MOST_CHIPS:
        raise DescriptionError(f"chips is {chips!r}, allowed: a whole number from 1 to {MOST_CHIPS}")
    if not 0 <= yield_at <= 1:
        raise DescriptionError(f"yield_at is {yield_at!r}, allowed: an accuracy from 0 to 1")
    data = getattr(load_dataset(run.task.data), part)
    network = run.network.eval()
    deviations = [drawn_deviation(network.plan, seed + k, scale) for k in range(chips)]
    accuracies = accuracy_on(network, run.task, data, deviations, progress)
    return DeviceEvaluation(
        part=part,
        samples=len(data),
        chips=chips,
        seed=seed,
        scale=scale,
        plain=measure(network, run.task, data, part).accuracy,
        mean=float(accuracies.mean()),
        spread=float(accuracies.std()),
        worst=float(accuracies.min()),
        best=float(accuracies.max()),
        yield_at=yield_at,
        good=int((accuracies >= yield_at).sum()),
        accuracies=tuple(accuracies.tolist()),
    )


def accuracy_on(
    network: Network, task: Task, samples: Part, deviations: Sequence[Deviation], progress=None
) -> np.ndarray:
    """Give the accuracy on each device, [K]; encoder noise is that of a fixed seed."""
    right, asked = np.zeros(len(deviations), np.int64), 0
    network.eval()
    parts = np.array_split(np.arange(len(samples)), -(-len(samples) // BATCH))
    for number, ids in enumerate(parts):
        x, labels = make_batch(task, samples, ids, NOISE_SEED)
        for first, some in _stretches(network, task, deviations, len(ids)):
            for k, own in enumerate(together(network.on_devices(x, some))):
                found, answers = judged(task.loss, own, labels)
                right[first + k] += found
            if progress:
                progress(number * len(deviations) + first + len(some), len(parts) * len(deviations))
        asked += answers
    return right / max(asked, 1)


def _stretches(network: Network, task: Task, deviations: Sequence[Deviation], batch: int) -> Iterator:
    """Devices in stretches whose spikes fit into memory side by side, with the number of the first of each."""
    read = {output.population for output in network.plan.spec.outputs.values()}
    size = task.steps * batch * sum(task.populations[name].size for name in read)
    count = max(1, AT_ONCE // size)
    for first in range(0, len(deviations), count):
        yield first, deviations[first : first + count]


def save_devices(folder: Path, found: DeviceEvaluation) -> Path:
    """Keep an evaluation in its run's folder, where the report looks for it."""
    write_atomically(folder / FILE, json.dumps(asdict(found), indent=1) + "\n")
    return folder / FILE


def load_devices(folder: Path) -> DeviceEvaluation | None:
    """Read what `save_devices` kept, None where there is nothing; RunError where the file is damaged."""
    path = folder / FILE
    if not path.exists():
        return None
    content = read_object(path, "there is no evaluation on virtual chips to read")
    try:
        found = DeviceEvaluation(**{**content, "accuracies": tuple(map(float, content["accuracies"]))})
        if len(found.accuracies) != found.chips or not all(0 <= a <= 1 for a in found.accuracies):
            raise ValueError("accuracies are not one a chip")
    except (TypeError, ValueError, KeyError) as error:
        raise RunError(f"{path} is damaged ({error}); make it again with `neuro evaluate {folder} --chips N`") from None
    return found
