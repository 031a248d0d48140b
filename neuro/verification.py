"""Proof that a configuration computes what was trained: every limit kept, every spike of every population equal."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from neuro.data import load_dataset, make_batch
from neuro.emit import export
from neuro.emit.layers import export_layers
from neuro.emulator import Emulator
from neuro.emulator.layers import replay_layers
from neuro.errors import FeasibilityError
from neuro.evaluation import NOISE_SEED
from neuro.formats import load_configuration
from neuro.losses import judged, together
from neuro.runs import Run, load_run
from neuro.silicon import VirtualChip, deviation_of
from neuro.silicon.layers import noisy_outputs
from neuro.tables import Tables, check, load_tables
from neuro.tables.check_layers import check_layers
from neuro.tables.layers import load_layer_tables

BATCH = 128
LARGEST_Z = 5.0  # of many outputs compared, by chance about one in a million comes so far
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

    @property
    def passed(self) -> bool:
        return not self.differ and not self.findings

    def __str__(self) -> str:
        text = f"{difference(self.differ, self.compared, self.spikes)}; {len(self.findings)} limits exceeded"
        return "\n".join([text, *([self.first] if self.first else []), *self.findings])


def difference(differ: int, compared: int, spikes: int) -> str:
    """How many places, one for every neuron, step and sample, are not the same, and how many spikes there were."""
    return f"{differ:,} of {compared:,} neuron steps differ ({spikes:,} spikes)"


def verify(
    run: Run | str | Path,
    tables: str | Path | None = None,
    progress: Callable[[int, int], None] | None = None,
    virtual: VirtualChip | None = None,
):
    """Compare a run's network with the replay of its tables, read from disk, on the whole test part.

    tables: a folder, of tables or of a vendor's format, to hold against the run; without one the run is exported to a
    temporary folder first. `compared` counts one place for every neuron, step and sample. progress is called with
    (samples done, samples). virtual: both run on this one device.
    """
    run = load_run(run) if isinstance(run, str | Path) else run
    if tables is not None:
        return _compare(run, load_configuration(tables), progress, virtual)
    with tempfile.TemporaryDirectory() as folder:
        export(run).save(Path(folder) / "tables")
        return _compare(run, load_tables(Path(folder) / "tables"), progress, virtual)


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


@dataclass(frozen=True)
class LayerVerification:
    """What a comparison of a model on tiles with the replay of its tables found.

    differ: outputs that are not equal to the bit, without noise. draws: how often devices were programmed with noise on
    either side, 0 = not at all; largest_z: the largest difference of an output's means over draws, in standard errors.
    """

    compared: int
    differ: int
    findings: tuple[str, ...]
    draws: int = 0
    largest_z: float = 0.0

    @property
    def passed(self) -> bool:
        return not self.differ and not self.findings and self.largest_z < LARGEST_Z

    def __str__(self) -> str:
        text = f"{self.differ} of {self.compared:,} outputs differ; {len(self.findings)} limits exceeded"
        if self.draws:
            text += (
                f"; with noise, {self.draws} draws each: means differ by at most {self.largest_z:.2f} standard errors"
            )
        return "\n".join([text, *self.findings])


def verify_layers(held, x: torch.Tensor, tables: str | Path | None = None, draws: int = 0) -> LayerVerification:
    """Compare a model that `neuro.silicon.on_tiles` made with the replay of its tables, for samples x [B, …].

    tables: a folder to hold against it; without one the model is exported to a temporary folder first. draws: compare
    outputs of devices programmed with noise, too, in so many draws on either side, which is a statistical statement.
    """
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
    sides = [
        torch.stack([noisy_outputs(held, x, seed) for seed in range(draws)]).double(),
        torch.stack([replay_layers(read, x, draws + seed) for seed in range(draws)]).double(),
    ]
    error = torch.sqrt(sum(side.var(0) for side in sides) / draws)
    z = ((sides[0].mean(0) - sides[1].mean(0)).abs() / error)[error > 0]
    return LayerVerification(wanted.numel(), differ, findings, draws, float(z.max()) if z.numel() else 0.0)
