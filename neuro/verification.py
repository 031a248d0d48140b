"""Proof that a configuration computes what was trained: every limit kept, every spike of every population equal."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from scipy.stats import t as student_t

from neuro.data import load_dataset, make_batch
from neuro.descriptor import refuse_exact_programming
from neuro.emit import export
from neuro.emit.layers import export_layers
from neuro.emulator import Emulator
from neuro.emulator.layers import replay_layers
from neuro.errors import DescriptionError, FeasibilityError
from neuro.evaluation import NOISE_SEED
from neuro.formats import load_configuration
from neuro.losses import judged, together
from neuro.runs import Run, load_run
from neuro.silicon import VirtualChip, deviation_of
from neuro.silicon.layers import noisy_outputs
from neuro.silicon.programming import programmed_deviation
from neuro.tables import Tables, check, load_tables
from neuro.tables.check_layers import check_layers
from neuro.tables.layers import load_layer_tables

BATCH = 128
CHANCE = 1e-6  # that noise alone makes means of draws differ so much that they count as different
NOISY_SAMPLES = 512  # of the test part, the first so many meet devices programmed with noise
READ_OUT_TOLERANCE = 1e-4  # of a linear read-out, the one thing that stands outside the exact step


@dataclass(frozen=True)
class Noise:
    """Devices programmed with noise, so many draws on either side, as a statistical statement.

    largest_z: the largest difference of two means over draws, in standard errors; allowed_z: what chance alone exceeds once
    in a million such comparisons of all means. accuracies: of each draw, trained and replayed, where there are answers.
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


@dataclass(frozen=True)
class Verification:
    """What a comparison found; `first` describes the first spike that differs, `findings` the limits exceeded."""

    samples: int
    compared: int
    spikes: int
    differ: int
    first: str | None
    findings: tuple[str, ...]
    accuracy: float
    replay_accuracy: float
    noise: Noise | None = None

    @property
    def passed(self) -> bool:
        return not self.differ and not self.findings and (self.noise is None or self.noise.agrees)

    def __str__(self) -> str:
        text = f"{difference(self.differ, self.compared, self.spikes)}; {len(self.findings)} limits exceeded"
        noise = [] if self.noise is None else [str(self.noise)]
        return "\n".join([text, *([self.first] if self.first else []), *self.findings, *noise])


def difference(differ: int, compared: int, spikes: int) -> str:
    """How many places, one for every neuron, step and sample, are not the same, and how many spikes there were."""
    return f"{differ:,} of {compared:,} neuron steps differ ({spikes:,} spikes)"


def verify(
    run: Run | str | Path,
    tables: str | Path | None = None,
    progress: Callable[[int, int], None] | None = None,
    virtual: VirtualChip | None = None,
    draws: int = 0,
) -> Verification:
    """Compare a run's network with the replay of its tables, read from disk, on the whole test part.

    tables: a folder, of tables or of a vendor's format, to hold against the run; without one the run is exported to a
    temporary folder first. `compared` counts one place for every neuron, step and sample. progress is called with
    (samples done, samples). virtual: both run on this one device. draws: program pairs of conductances with noise, too, in
    so many draws on either side, and compare every neuron's mean number of spikes; 0 = not, at least 2.
    Raises DescriptionError for draws of a chip that states no noise of programming.
    """
    run = load_run(run) if isinstance(run, str | Path) else run
    _refuse_draws(draws)
    if draws:
        refuse_exact_programming(run.network.plan.chip)
    if tables is not None:
        return _verified(run, load_configuration(tables), progress, virtual, draws)
    with tempfile.TemporaryDirectory() as folder:
        export(run).save(Path(folder) / "tables")
        return _verified(run, load_tables(Path(folder) / "tables"), progress, virtual, draws)


def _verified(run: Run, tables: Tables, progress, virtual: VirtualChip | None, draws: int) -> Verification:
    found = _compare(run, tables, progress, virtual)
    return replace(found, noise=_noisy(run, tables, progress, virtual, draws)) if draws and found.passed else found


def _compare(run: Run, tables: Tables, progress, virtual: VirtualChip | None) -> Verification:
    other = _other_network(run, tables)
    if other:
        return Verification(0, 0, 0, 0, None, (f"not this run's network: {other}",), 0.0, 0.0)
    findings = [str(finding) for finding in check(tables)]
    emulator = Emulator(tables, virtual)
    deviation = None if virtual is None else deviation_of(run.network.plan, virtual)
    part, task, network = load_dataset(run.task.data).test, run.task, run.network
    names = tuple(task.populations)
    compared = differ = spikes = correct = replayed = answers = 0
    first = None
    for ids in np.array_split(np.arange(len(part)), -(-len(part) // BATCH)):
        x, labels = make_batch(task, part, ids, NOISE_SEED)
        with torch.inference_mode():
            outputs, trained = network(x, record=names, deviation=deviation)
        again, emulated = emulator.run(x, record=names)
        outputs, again = together(outputs), together(again)
        for name in names:
            a, b = trained.spikes[name], emulated.spikes[name]
            compared += a.numel()
            spikes += int(a.sum())
            unequal = a != b
            differ += int(unequal.sum())
            first = first or _first_difference(name, a, b, ids)
        if not torch.allclose(outputs, again, rtol=READ_OUT_TOLERANCE, atol=READ_OUT_TOLERANCE):
            findings.append(f"the read-out differs by {float((outputs - again).abs().max()):g} (samples from {ids[0]})")
        right, asked = judged(task.loss, outputs, labels)
        correct, answers = correct + right, answers + asked
        replayed += judged(task.loss, again, labels)[0]
        if progress:
            progress(int(ids[-1]) + 1, len(part))
    return Verification(
        len(part), compared, spikes, differ, first, tuple(findings), correct / answers, replayed / answers
    )


def _noisy(run: Run, tables: Tables, progress, virtual: VirtualChip | None, draws: int) -> Noise:
    """Hold networks programmed with noise against replays that are, by the mean number of each neuron's spikes."""
    part, task, network = load_dataset(run.task.data).test, run.task, run.network
    names, ids = tuple(task.populations), np.arange(min(len(part), NOISY_SAMPLES))
    x, labels = make_batch(task, part, ids, NOISE_SEED)

    def outcome(outputs, record) -> tuple[np.ndarray, float]:
        right, asked = judged(task.loss, together(outputs), labels)
        counts = [record.spikes[name].sum((0, 1), dtype=torch.float64).numpy() / len(ids) for name in names]
        return np.concatenate(counts), right / asked

    def trained(seed: int):
        deviation = programmed_deviation(network, seed)
        if virtual is not None:
            deviation = replace(deviation, constants=deviation_of(network.plan, virtual).constants)
        with torch.inference_mode():
            return outcome(*network(x, record=names, membranes=False, deviation=deviation))

    def replayed(seed: int):
        return outcome(*Emulator(tables, virtual, seed).run(x, record=names))

    sides = ([], [])
    for seed in range(draws):
        sides[0].append(trained(seed))
        sides[1].append(replayed(draws + seed))
        if progress:
            progress((seed + 1) * len(ids), draws * len(ids))
    means, accuracies = zip(*(zip(*side, strict=True) for side in sides), strict=True)
    return Noise(draws, len(ids), *_largest_z(*map(np.array, means)), accuracies)


def _largest_z(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """The largest difference of means over draws [D, K], in standard errors, and what chance alone hardly exceeds."""
    draws = len(first)
    error = np.sqrt((first.var(0, ddof=1) + second.var(0, ddof=1)) / draws)
    off = np.abs(first.mean(0) - second.mean(0))
    z = np.divide(off, error, out=np.where(off > 0, np.inf, 0.0), where=error > 0)
    return float(z.max(initial=0.0)), float(student_t.isf(CHANCE / 2 / max(1, z.size), draws - 1))


def _refuse_draws(draws: int) -> None:
    if draws < 0 or draws == 1:
        raise DescriptionError(f"draws is {draws}, allowed: 0 for none, or at least 2, as a spread takes two")


def refuse_other_spikes(tables: Tables, other: Tables, x) -> tuple[int, int]:
    """Replay two configurations of one network on the same events [T, B, n], or {input: [T, B, n]}: (places, spikes).

    Raises FeasibilityError where a neuron's spikes differ in any step of any sample.
    """
    names = tuple(tables.population_sizes)
    (_, first), (_, second) = (Emulator(t).run(x, record=names) for t in (tables, other))
    for name in names:
        a, b = first.spikes[name], second.spikes[name]
        if not torch.equal(a, b):
            raise FeasibilityError(
                f"placed anew, spikes differ: {_first_difference(name, a, b, np.arange(a.shape[1]))}"
            )
    spikes = [first.spikes[name] for name in names]
    return sum(z.numel() for z in spikes), int(sum(z.sum() for z in spikes))


def _other_network(run: Run, tables: Tables) -> str | None:
    """Say how tables are not even of the run's network and chip, or None."""
    wanted, have = export(run).manifest, tables.manifest
    for what in ("chip", "dt_s", "inputs", "populations", "outputs", "currents", "delay_lines"):
        if getattr(wanted, what) != getattr(have, what):
            return f"{what} in the tables' manifest are not those of {run.folder}"
    return None


def _first_difference(name: str, trained: torch.Tensor, emulated: torch.Tensor, ids) -> str | None:
    places = (trained != emulated).nonzero()
    if not len(places):
        return None
    t, b, n = places[0].tolist()
    return (
        f"first difference: population {name}, neuron {n}, step {t}, test sample {int(ids[b])}: "
        f"trained {int(trained[t, b, n])}, replayed {int(emulated[t, b, n])}"
    )


@dataclass(frozen=True)
class LayerVerification:
    """What a comparison of a model on tiles with the replay of its tables found.

    differ: outputs that are not equal to the bit, without noise; noise: what noise on either side made of their means.
    """

    compared: int
    differ: int
    findings: tuple[str, ...]
    noise: Noise | None = None

    @property
    def passed(self) -> bool:
        return not self.differ and not self.findings and (self.noise is None or self.noise.agrees)

    def __str__(self) -> str:
        text = f"{self.differ} of {self.compared:,} outputs differ; {len(self.findings)} limits exceeded"
        return "\n".join([text, *self.findings, *([] if self.noise is None else [str(self.noise)])])


def verify_layers(held, x: torch.Tensor, tables: str | Path | None = None, draws: int = 0) -> LayerVerification:
    """Compare a model that `neuro.silicon.on_tiles` made with the replay of its tables, for samples x [B, …].

    tables: a folder to hold against it; without one the model is exported to a temporary folder first. draws: compare
    outputs of devices programmed with noise, too, in so many draws on either side, which is a statistical statement; 0 =
    not, at least 2.
    """
    _refuse_draws(draws)
    if tables is None:
        with tempfile.TemporaryDirectory() as folder:
            export_layers(held).save(Path(folder) / "tables")
            return verify_layers(held, x, Path(folder) / "tables", draws)
    read = load_layer_tables(tables)
    findings = tuple(str(finding) for finding in check_layers(read))
    if findings:
        return LayerVerification(0, 0, findings)
    held.eval()
    with torch.no_grad():
        wanted, found = held(x), replay_layers(read, x)
    differ = int((wanted != found).sum()) if wanted.shape == found.shape else wanted.numel()
    if not draws:
        return LayerVerification(wanted.numel(), differ, findings)
    sides = (
        [noisy_outputs(held, x, seed) for seed in range(draws)],
        [replay_layers(read, x, draws + seed) for seed in range(draws)],
    )
    largest = _largest_z(*(torch.stack(side).flatten(1).double().numpy() for side in sides))
    return LayerVerification(wanted.numel(), differ, findings, Noise(draws, len(x), *largest))
