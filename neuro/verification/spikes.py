"""Proof that a configuration computes what was trained: every limit kept, every spike of every population equal."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from neuro.data import load_dataset, make_batch
from neuro.descriptor import refuse_exact_programming
from neuro.emit import export
from neuro.emulator import Emulator
from neuro.errors import FeasibilityError
from neuro.evaluation import NOISE_SEED
from neuro.formats import load_configuration
from neuro.losses import judged, together
from neuro.runs import Run, load_run
from neuro.silicon import VirtualChip, deviation_of
from neuro.tables import Tables, check, load_tables
from neuro.verification.noise import Noise, compare_noise, refuse_draws

BATCH = 128
READ_OUT_TOLERANCE = 1e-4  # of a linear read-out, the one thing that stands outside the exact step


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
    so many draws on either side, and compare every neuron's mean number of spikes and what noise did to its weights;
    0 = not, at least 10.
    Raises DescriptionError for draws of a chip that states no noise of programming.
    """
    run = load_run(run) if isinstance(run, str | Path) else run
    refuse_draws(draws)
    if draws:
        refuse_exact_programming(run.network.plan.chip)
    if tables is not None:
        return _verified(run, load_configuration(tables), progress, virtual, draws)
    with tempfile.TemporaryDirectory() as folder:
        export(run).save(Path(folder) / "tables")
        return _verified(run, load_tables(Path(folder) / "tables"), progress, virtual, draws)


def _verified(run: Run, tables: Tables, progress, virtual: VirtualChip | None, draws: int) -> Verification:
    found = _compare(run, tables, progress, virtual)
    return (
        replace(found, noise=compare_noise(run, tables, draws, progress, virtual)) if draws and found.passed else found
    )


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
