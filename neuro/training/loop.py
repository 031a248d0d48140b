"""The training loop: same seed, same result, bit for bit, whether it was interrupted or not."""

from __future__ import annotations

import json
import signal
import threading
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from neuro.data import Dataset, make_batch
from neuro.data.parts import Part, chosen
from neuro.descriptor import Chip, load_chip
from neuro.dynamics.tile import forward_tile
from neuro.errors import DescriptionError, RunError
from neuro.evaluation import measure
from neuro.jit import is_kept
from neuro.losses import judged, regularisers, task_loss, together
from neuro.nn import Network, build
from neuro.rewiring import QRewiring
from neuro.runs import (
    Run,
    create_run,
    load_checkpoint,
    pack_optimizer,
    plot_curves,
    save_checkpoint,
    unpack_optimizer,
    write_atomically,
)
from neuro.task import Task, load_task, with_epochs
from neuro.training.devices import OneDevice, Redrawn, forward_on
from neuro.training.progress import Progress, progress_for
from neuro.training.ranks import Ranks, joined_ranks
from neuro.training.recipe import batches, make_optimizer, set_learning_rate
from neuro.training.start import checked_data, checked_device, resumed, versions

EXPLODED = 1e6  # norm of a first gradient from which on clipping leaves hardly more than its direction farthest back
EXPLODES = (
    "the first step's gradient has the norm {norm:.0e}: it grows on its way back through time; lower surrogate.scale "
    "(now {scale:g}), by a third to begin with"
)


@dataclass
class Position:
    """Where training stands: sums run over the batches of the present epoch."""

    epoch: int = 0
    batch: int = 0
    loss: float = 0.0
    correct: int = 0
    seen: int = 0
    rate: float = 0.0
    best_accuracy: float = -1.0
    best_loss: float = 0.0
    seconds: float = 0.0


class Interrupted(RunError):
    """Training was stopped by the user and saved."""

    status = 130


def train(
    task: Task | str,
    chip: Chip | str,
    out: str | Path,
    *,
    seed: int = 0,
    resume: bool = False,
    epochs: int | None = None,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Run:
    """Train a task on a chip in a run folder, feasible after every step; gives the run.

    task, chip: values, names or paths. resume: go on where the folder's last checkpoint stands, to the bit. Started by
    torchrun, every process trains on its part of each batch and the first one writes. device: cpu, or cuda for a GPU
    (cuda:K for the K-th). Raises RunError where the folder is taken or another process ended, DescriptionError for a
    device that is not there, Interrupted after Ctrl-C (everything saved).
    """
    task = load_task(task) if isinstance(task, str) else task
    chip = load_chip(chip) if isinstance(chip, str) else chip
    if not isinstance(seed, int) or not 0 <= seed < 2**31:
        raise DescriptionError(f"seed is {seed!r}, allowed: a whole number from 0 to {2**31 - 1}")
    if epochs is not None:
        task = with_epochs(task, epochs)
    where = checked_device(device, task)
    if where.type == "cuda":
        torch.cuda.set_device(where)
    data, network, recipe = checked_data(task), build(task, chip, seed).to(where), task.training.mismatch
    devices = None if recipe is None else Redrawn(network, recipe, seed)
    return train_network(network, data, Run(Path(out), task, chip, seed), devices, resume=resume, progress=progress)


def train_network(
    network: Network,
    data: Dataset,
    run: Run,
    devices: Redrawn | OneDevice | None = None,
    *,
    begun: bool = False,
    facts: dict | None = None,
    resume: bool = False,
    progress: Progress | None = None,
) -> Run:
    """Train a network in the folder a run names; devices: None is the chip as described.

    begun: the network was trained before, and is the best one until another is better. facts: more for run.json.
    """
    folder, task, chip, seed = run.folder, run.task, run.chip, run.seed
    optimizer = make_optimizer(network, task.training, seed)  # before anything is written
    with joined_ranks(network.device) as ranks:
        if resume:
            run = resumed(folder, task, chip, seed)
        elif ranks.first:
            run = create_run(folder, task, chip, seed, {**versions(), **(facts or {})})
        ranks.wait()
        with (progress or progress_for("auto")) if ranks.first else progress_for("quiet") as shown:
            return _Trainer(run, data, optimizer, shown, ranks, devices).run_to_end(resume, begun)


class _Trainer:
    def __init__(self, run: Run, data: Dataset, optimizer: QRewiring, progress: Progress, ranks: Ranks, devices):
        self.run, self.data, self.progress, self.ranks, self.devices = run, data, progress, ranks, devices
        self.task, self.recipe = run.task, run.task.training
        self.optimizer, self.network = optimizer, optimizer.network
        self.at = Position()
        self.per_epoch = len(batches(len(self.data.train), self.recipe.batch, run.seed, 0))
        self.thresholds = {name: p.threshold for name, p in self.task.populations.items()}
        self.stopped = self.all_stop = False

    def run_to_end(self, resume: bool, begun: bool = False) -> Run:
        if resume and (self.run.folder / "last.json").exists():
            self._restore()
        else:
            if begun:
                _, loss, accuracy = self._validate()
                self._keep_if_best(0, loss, accuracy)
            self._save_last()
        if self.at.epoch >= self.recipe.epochs:
            if not (self.run.folder / "curves.png").exists():
                self._plot_if_any()
            return self.run
        on_gpu = self.network.device.type != "cpu"
        if on_gpu or not is_kept(forward_tile):
            where = "this GPU" if on_gpu else "this machine, once: 10 to 20 seconds"
            self.progress.note(f"compiling the loops for {where}")
            self._compile()
        self.progress.start(self.run, self.network, self.at.epoch * self.per_epoch + self.at.batch, self.per_epoch)
        with _stop_on_interrupt(self):
            while self.at.epoch < self.recipe.epochs:
                self._epoch()
        self._plot_if_any()
        self.progress.end(self.run)
        return self.run

    def _compile(self) -> None:
        """Run a little silence forward and back, a full tile and a part of one: the first epoch's time is its own."""
        device = self.network.device
        silence = {name: torch.zeros(2, 17, size, device=device) for name, size in self.task.inputs.items()}
        outputs, _ = self.network(silence)
        together(outputs).sum().backward()
        self.network.zero_grad()

    def _epoch(self) -> None:
        begun, before = time.monotonic(), self.at.seconds
        order = batches(len(self.data.train), self.recipe.batch, self.run.seed, self.at.epoch)
        self.network.train()
        for ids in order[self.at.batch :]:
            self._batch(ids)
            self.at.seconds = before + time.monotonic() - begun
            if self.all_stop if self.ranks.world > 1 else self.stopped:
                self._save_last()
                self._plot_if_any()
                raise Interrupted(f"stopped; saved in {self.run.folder}; go on with the same command and --resume")
        self._close_epoch()

    def _batch(self, ids) -> None:
        at, part = self.at, self.data.train
        steps = self.recipe.epochs * self.per_epoch
        set_learning_rate(self.optimizer, self.recipe, at.epoch * self.per_epoch + at.batch, steps)
        own, share = self.ranks.share(ids)
        x, labels = make_batch(self.task, part, own, self._noise_seed(), augment=True, device=self.network.device)
        outputs, record = self._forward(x, labels)
        outputs = together(outputs)
        loss = task_loss(self.task.loss, outputs, labels)
        correct, asked = judged(self.task.loss, outputs.detach(), labels) if share else (0, 0)
        sums = [float(loss.detach()) * asked, correct, float(_mean_rate(record)) * asked, asked, self.stopped]
        *told, asked_of_all, stopped = self.ranks.total(sums)
        self._step(loss * (asked / max(asked_of_all, 1)), record, share)
        self.all_stop = bool(stopped)
        at.loss += told[0]
        at.correct += int(told[1])
        at.rate += told[2]
        at.seen += int(asked_of_all)
        at.batch += 1
        self.progress.step(at, self.network)

    def _forward(self, x, labels: torch.Tensor):
        """Run a batch, on the devices drawn for it if there are any."""
        shown = {"record": tuple(self.task.populations), "membranes": self._membranes}
        options = {**shown, "truncate_steps": self.recipe.truncate_steps}
        if self.devices is None:
            return self.network(x, **options)

        def loss_on(deviations):
            outputs, _ = forward_on(self.network, x, deviations, truncate_steps=self.recipe.truncate_steps)
            return task_loss(self.task.loss, together(outputs), labels)

        step = self.at.epoch * self.per_epoch + self.at.batch
        drawn = self.devices.of_batch(step, self.at.epoch, step / (self.recipe.epochs * self.per_epoch))
        return forward_on(self.network, x, self.devices.attacked(drawn, loss_on), **options)

    @property
    def _membranes(self) -> bool | str:
        """Which membranes the loss looks at."""
        loss = self.task.loss
        return "last" if loss.voltage_weight and loss.voltage_at == "last" else loss.voltage_weight > 0

    def _step(self, loss: torch.Tensor, record, share: float) -> None:
        """Move the network along a loss, which is this process's part of the whole, and what regularises it."""
        recipe = self.task.loss
        weights = [memory(latent) for _, latent, memory in self.network.synapses()] if recipe.weight_l1 else ()
        constants = self.network.constants
        thresholds = self.thresholds if constants is None else constants.thresholds()
        extra = regularisers(recipe, record, thresholds, weights, share, self.ranks.whole)
        self.optimizer.zero_grad()
        (loss + extra).backward()
        self.ranks.sum_gradients(self.network)
        if self.recipe.clip:
            norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.clip)
            if norm > EXPLODED and self.at.epoch == self.at.batch == 0:
                self.progress.note(EXPLODES.format(norm=float(norm), scale=self.task.network.surrogate.scale))
        self.optimizer.step()
        self.ranks.agree(self.network)

    def _noise_seed(self) -> int:
        return self.run.seed * 1_000_003 + self.at.epoch + 1

    def _close_epoch(self) -> None:
        at = self.at
        validation, loss, accuracy = self._validate()
        line = {
            "epoch": at.epoch + 1,
            "train_loss": at.loss / at.seen,
            "train_accuracy": at.correct / at.seen,
            "validation_loss": loss,
            "validation_accuracy": accuracy,
            "rate": at.rate / at.seen,
            "slots_mean": validation.slots_mean,
            "violations": len(self.network.violations()),
            "seconds": round(at.seconds, 3),
        }
        better = self._keep_if_best(at.epoch + 1, loss, accuracy)
        self._log(line)
        self.at = Position(at.epoch + 1, best_accuracy=at.best_accuracy, best_loss=at.best_loss, seconds=at.seconds)
        self._save_last()
        self.progress.epoch(line, better)

    def _keep_if_best(self, epoch: int, loss: float, accuracy: float) -> bool:
        at = self.at
        better = (accuracy, -loss) > (at.best_accuracy, -at.best_loss)
        if better:
            at.best_accuracy, at.best_loss = accuracy, loss
            facts = {"epoch": epoch, "validation_loss": loss, "validation_accuracy": accuracy}
            if self.ranks.first:
                save_checkpoint(self.run.folder, "best", self.network.state_dict(), facts)
        return better

    def _validate(self):
        """Measure this process's part of the validation samples; loss and accuracy are those of all of them.

        On devices, those for validation: the means over them.
        """
        part = self.data.validation
        own, share = self.ranks.share(np.arange(len(part)))
        samples, sums = Part(chosen(part.x, own), part.y[own], part.ids[own]), np.zeros(3)
        for deviation in [None] if self.devices is None else self.devices.validation:
            found = measure(self.network, self.task, samples, deviation=deviation)
            answers = found.answers if share else 0
            sums += [found.loss * answers, round(found.accuracy * answers), answers]
        loss, right, asked = self.ranks.total(sums.tolist())
        return found, loss / asked, right / asked

    def _log(self, line: dict) -> None:
        """Append a line to the metrics, after those of the epochs that were finished before."""
        if not self.ranks.first:
            return
        kept = [m for m in self.run.metrics if m["epoch"] < line["epoch"]]
        text = "".join(json.dumps(m) + "\n" for m in [*kept, line])
        write_atomically(self.run.folder / "metrics.jsonl", text)

    def _plot_if_any(self) -> None:
        if self.ranks.first and self.run.metrics:
            plot_curves(self.run, self.run.folder / "curves.png")

    def _save_last(self) -> None:
        if not self.ranks.first:
            return
        tensors, facts = pack_optimizer(self.optimizer.state_dict())
        tensors |= {f"network.{k}": v for k, v in self.network.state_dict().items()}
        facts = {"position": asdict(self.at), "optimizer": facts}
        save_checkpoint(self.run.folder, "last", tensors, facts)

    def _restore(self) -> None:
        tensors, facts = load_checkpoint(self.run.folder, "last")
        try:
            self.network.load_state_dict(_below(tensors, "network."))
            self.optimizer.load_state_dict(unpack_optimizer(tensors, facts["optimizer"]))
            self.at = Position(**facts["position"])
            _ = self.run.metrics
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise RunError(f"{self.run.folder}: the last checkpoint does not fit this run ({error})") from None


def _below(tensors: dict, prefix: str) -> dict:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _mean_rate(record) -> torch.Tensor:
    """Spikes per neuron and step over all populations."""
    return torch.cat([rates.detach() for rates in record.rates.values()]).mean()


@contextmanager
def _stop_on_interrupt(trainer: _Trainer):
    """Let the first Ctrl-C end training after the present batch; a second one ends it at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_):
        trainer.stopped = True
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
