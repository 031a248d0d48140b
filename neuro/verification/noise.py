"""Statistics of noise: what draws of programmed devices have in common, on the network's side and on that of its tables."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.stats import t as student_t

from neuro.data import load_dataset, make_batch
from neuro.emulator import Emulator
from neuro.errors import DescriptionError
from neuro.evaluation import NOISE_SEED
from neuro.losses import judged, together
from neuro.nn import Deviation, Network
from neuro.runs import Run
from neuro.silicon import VirtualChip, deviation_of
from neuro.silicon.programming import programmed_deviation
from neuro.tables import Tables

CHANCE = 1e-6  # that noise alone makes means of draws differ so much that they count as different
LEAST_DRAWS = 10  # with fewer, numbers of spikes may be the same in all draws of a side by chance
SAMPLES, BATCH = 512, 128  # samples of the test part that meet devices programmed with noise, and how many at once


@dataclass(frozen=True)
class Noise:
    """Devices programmed with noise, so many draws on either side, as a statistical statement.

    largest_z: the largest difference of two means over draws, in standard errors; allowed_z: what chance alone exceeds in
    about one of a million such comparisons of all means. accuracies: of each draw, trained and replayed, where there are
    answers.
    """

    draws: int
    samples: int
    largest_z: float
    allowed_z: float
    accuracies: tuple[tuple[float, ...], tuple[float, ...]] | None = None

    @property
    def agrees(self) -> bool:
        return self.largest_z < self.allowed_z

    def __str__(self) -> str:
        found = f"with noise, {self.draws} draws each of {self.samples} samples: means differ by at most "
        found += f"{self.largest_z:.2f} standard errors, allowed: below {self.allowed_z:.2f}"
        if self.accuracies is None:
            return found
        trained, replayed = (f"{np.mean(each):.2%} ± {np.std(each, ddof=1):.2%}" for each in self.accuracies)
        return f"{found}; accuracy {trained} trained, {replayed} replayed"


def compare_noise(run: Run, tables: Tables, draws: int, progress=None, virtual: VirtualChip | None = None) -> Noise:
    """Hold networks programmed with noise against replays that are.

    Of every neuron are compared, as means over draws, its number of spikes a sample and Σ (w − w as described)², which
    tells how large the noise is. Samples lie evenly over the test part.
    """
    part, task, network = load_dataset(run.task.data).test, run.task, run.network
    ids = np.linspace(0, len(part), min(len(part), SAMPLES), endpoint=False).astype(np.int64)
    batches = [make_batch(task, part, some, NOISE_SEED) for some in np.array_split(ids, -(-len(ids) // BATCH))]
    names, exact = tuple(task.populations), Emulator(tables, virtual)

    def outcome(forward) -> tuple[np.ndarray, float]:
        counts, right, asked = 0.0, 0, 0
        for x, labels in batches:
            outputs, record = forward(x)
            found = judged(task.loss, together(outputs), labels)
            right, asked = right + found[0], asked + found[1]
            counts = counts + np.concatenate(
                [record.spikes[name].sum((0, 1), dtype=torch.float64).numpy() for name in names]
            )
        return counts / len(ids), right / asked

    def trained(seed: int) -> tuple[np.ndarray, float]:
        deviation = programmed_deviation(network, seed)
        power = _power_of_network(network, deviation)
        if virtual is not None:
            deviation = replace(deviation, constants=deviation_of(network.plan, virtual).constants)
        with torch.inference_mode():
            counts, accuracy = outcome(lambda x: network(x, record=names, membranes=False, deviation=deviation))
        return np.concatenate([counts, power]), accuracy

    def replayed(seed: int) -> tuple[np.ndarray, float]:
        emulator = Emulator(tables, virtual, seed)
        counts, accuracy = outcome(lambda x: emulator.run(x, record=names))
        return np.concatenate([counts, _power_of_tables(emulator, exact, names)]), accuracy

    sides = ([], [])
    for seed in range(draws):
        sides[0].append(trained(seed))
        sides[1].append(replayed(draws + seed))
        if progress:
            progress((seed + 1) * len(ids), draws * len(ids))
    means, accuracies = zip(*(zip(*side, strict=True) for side in sides), strict=True)
    return Noise(draws, len(ids), *largest_z(*map(np.array, means)), accuracies)


def _power_of_network(network: Network, deviation: Deviation) -> np.ndarray:
    """Σ (w − w as described)² of every neuron, by population."""
    off = {n: deviation.memories[n].programmed.double() - memory.weight for n, memory in network.memories.items()}
    return np.concatenate([off[name].square().flatten(1).sum(1).numpy() for name in network.plan.spec.populations])


def _power_of_tables(emulator: Emulator, exact: Emulator, names: tuple[str, ...]) -> np.ndarray:
    """The same of configurations; pairs of conductances have one current."""
    wiring = emulator.wiring
    off = sum((wiring.weights[delay] - weights).power(2).sum(1) for delay, weights in exact.wiring.weights.items())
    power = off * wiring.grid**2
    return np.concatenate([power[emulator.places[name]] for name in names])


def largest_z(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """The largest difference of means over draws [D, K], in standard errors, and what chance alone hardly exceeds."""
    draws = len(first)
    error = np.sqrt((first.var(0, ddof=1) + second.var(0, ddof=1)) / draws)
    off = np.abs(first.mean(0) - second.mean(0))
    z = np.divide(off, error, out=np.where(off > 0, np.inf, 0.0), where=error > 0)
    return float(z.max(initial=0.0)), float(student_t.isf(CHANCE / 2 / max(1, z.size), draws - 1))


def refuse_draws(draws: int) -> None:
    """Raise DescriptionError for fewer draws than tell anything; 0 is none."""
    if draws < 0 or 0 < draws < LEAST_DRAWS:
        raise DescriptionError(
            f"draws is {draws}, allowed: 0 for none, or at least {LEAST_DRAWS}, as spreads are compared"
        )
