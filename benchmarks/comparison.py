"""Accuracy of every method at every number of slots: one table, equal tuning for all, resumable row by row.

Every method gets the same budget: so many short trials at one number of slots, drawn from its own space, judged on the
validation part; the best setting is carried to the other limits. Then one training a seed and limit: the epoch is chosen on
the validation part, the test part measured once. All methods of a seed share split, batches, first weights and encoder
noise; post-hoc rounding shares one float twin a seed. Trials and rows are files of their own in
results/comparison/TASK-CHIP, so that a run that stopped goes on; what was not run reads "not run".

Expected before measuring: at 64 slots all but the four values are within a point of the float twin; at 16 and below ours is
ahead, post-hoc rounding last, and the published parts between.

    python benchmarks/comparison.py                      # the whole table: about half a day
    python benchmarks/comparison.py --tiny --out runs/x  # proves that it works, in a minute or two; figures mean nothing
    python benchmarks/comparison.py --show --readme      # table and figure from the rows there are

Found on OptDigits (`--task digits --set data.dataset=optdigits`, 5 seeds): ahead of every rival at 4 and 8 slots, though
at 4 by less than 2 standard errors over four values; alike with straight-through pruning and four values at 16; behind both
by 0.8 to 1.0 points at 64, a loss. On the validation part it is not behind there (96.3 to 96.9 of 96.6): the test part has
other writers. A slower rate than the one tuned at 16 slots brings back 0.3 of it; where the rest goes is not known. Pruning
and rounding a float twin at once is last at few slots, as expected.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import statistics
from pathlib import Path

import machine
import numpy as np
import torch
from rivals import METHODS
from rows import write_between
from safetensors.torch import load, save

import neuro
from neuro.data import load_dataset, make_batch
from neuro.evaluation import measure
from neuro.losses import regularisers, task_loss
from neuro.runs import write_atomically
from neuro.training.recipe import batches

TWIN = "float twin"
COLOURS = (
    "#666666",
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#CC79A7",
    "#000000",
    "#56B4E9",
    "#8C6D00",
)  # Wong 2011
UNLIMITED = 64  # the slots written beside what has no limit


def train(task, method, data, epochs: int, seed: int):
    """Train by a method; the finished network that was best on validation, its accuracy there, limits exceeded in all."""
    best, kept, exceeded = -1.0, None, 0
    thresholds = {name: p.threshold for name, p in task.populations.items()}
    for epoch in range(epochs):
        method.network.train()
        for ids in batches(len(data.train), task.training.batch, seed, epoch):
            x, labels = make_batch(task, data.train, ids, seed * 1_000_003 + epoch + 1)
            outputs, record = method.network(x, record=tuple(task.populations))
            loss = task_loss(task.loss, outputs, labels) + regularisers(task.loss, record, thresholds)
            method.before_backward()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(method.network.parameters(), task.training.clip or math.inf)
            method.step()
        if epoch < epochs - 1 and not method.judged_every_epoch:
            continue
        found = method.finished()
        exceeded += len(found.violations())
        accuracy = measure(found, task, data.validation).accuracy
        if accuracy > best:
            best, kept = accuracy, copy.deepcopy(found)
    return kept, best, exceeded


class Table:
    """Trials, twins and rows of one task, each a file that is written once."""

    def __init__(self, arguments):
        self.at = arguments
        self.task = neuro.load_task(arguments.task, arguments.set)
        self.data = load_dataset(self.task.data)
        self.folder = Path(arguments.out) / f"{self.task.name}-{arguments.chip}"
        self.folder.mkdir(parents=True, exist_ok=True)

    def make(self, name: str, slots: int, seed: int, setting: dict, epochs: int, twin=None):
        steps = epochs * len(batches(len(self.data.train), self.task.training.batch, seed, 0))
        return METHODS[name](self.task, self.at.chip, slots, seed, setting, steps, twin)

    def _kept(self, name: str, make) -> dict:
        """Read a file, or make what belongs into it and write it."""
        path = self.folder / f"{name.replace(' ', '-').replace('+', 'and')}.json"
        if not path.exists():
            write_atomically(path, json.dumps(make(), indent=1) + "\n")
        return json.loads(path.read_text())

    def setting(self, name: str) -> dict:
        """The best of a method's trials on validation; every method has as many."""
        return self._kept(f"tuning-{name}", lambda: self._tuned(name))["setting"]

    def _tuned(self, name: str) -> dict:
        rng, trials = np.random.default_rng([7, *name.encode()]), []
        for _ in range(self.at.trials):
            drawn = {key: float(np.exp(rng.uniform(*np.log(ends)))) for key, ends in METHODS[name].space.items()}
            accuracy = self._trained(name, self.at.tuned_at, 0, drawn, self.at.trial_epochs)[1]
            trials.append({"setting": drawn, "validation_accuracy": accuracy})
            print(name, trials[-1], flush=True)
        best = max(trials, key=lambda trial: trial["validation_accuracy"])
        return {"method": name, "setting": best["setting"], "trials": trials, "slots": self.at.tuned_at}

    def _trained(self, name: str, slots: int, seed: int, setting: dict, epochs: int):
        if name == "post-hoc":  # nothing is trained: the twin is pruned and rounded
            method = self.make(name, slots, seed, setting, epochs, self._twin(seed))
            found = method.finished()
            return found, measure(found, self.task, self.data.validation).accuracy, len(found.violations())
        return train(self.task, self.make(name, slots, seed, setting, epochs), self.data, epochs, seed)

    def _twin(self, seed: int) -> dict:
        self.row(TWIN, UNLIMITED, seed)
        return load((self.folder / f"twin-{seed}.safetensors").read_bytes())

    def row(self, name: str, slots: int, seed: int) -> dict:
        """One training, tested once."""

        def make() -> dict:
            found, validation, exceeded = self._trained(name, slots, seed, self.setting(name), self.at.epochs)
            if name == TWIN:
                write_atomically(self.folder / f"twin-{seed}.safetensors", save(found.state_dict()))
            test = measure(found, self.task, self.data.test, "test")
            return {
                "method": name,
                "slots": None if name == TWIN else slots,
                "seed": seed,
                "test_accuracy": test.accuracy,
                "validation_accuracy": validation,
                "sources_mean": test.sources_mean,
                "slots_most": test.slots_most,
                "limits_exceeded": exceeded,
                "circumstances": machine.circumstances("numba"),
            }

        return self._kept(f"row-{name}-{slots}-{seed}", make)

    def figure(self) -> None:
        """Draw accuracy against slots and against distinct sources a neuron, with the spread over seeds."""
        import matplotlib.pyplot as plt

        figure, axes = plt.subplots(1, 2, figsize=(10, 4), sharey=True, layout="constrained")
        for name, colour, marker in zip(METHODS, COLOURS, "osv^D<P*X", strict=True):
            points = [found for slots in self.at.slots if (found := self._rows(name, slots))]
            if name == TWIN or not points:
                continue
            heights = [[100 * row["test_accuracy"] for row in rows] for rows in points]
            means = [statistics.mean(h) for h in heights]
            spreads = [statistics.stdev(h) if len(h) > 1 else 0.0 for h in heights]
            sources = [statistics.mean(row["sources_mean"] for row in rows) for rows in points]
            style = {"color": colour, "marker": marker, "capsize": 3, "linewidth": 3 if name == "Q-rewiring" else 1.2}
            axes[0].errorbar([rows[0]["slots"] for rows in points], means, spreads, label=name, **style)
            axes[1].errorbar(sources, means, spreads, **style)
        if twin := self._rows(TWIN, UNLIMITED):
            for ax in axes:
                mean = statistics.mean(100 * row["test_accuracy"] for row in twin)
                ax.axhline(mean, color="#666666", linestyle=":", label=TWIN)
        for ax, what in zip(axes, ("slots a neuron", "distinct sources a neuron"), strict=True):
            ax.set(xscale="log", xlabel=what, xticks=self.at.slots)
            ax.set_xticklabels(self.at.slots)
            ax.minorticks_off()
        axes[0].set_ylabel("test accuracy, %")
        axes[0].legend(frameon=False, fontsize=8)
        figure.savefig(self.folder / "figure.png", dpi=150)
        plt.close(figure)

    def show(self) -> str:
        """The table from the rows there are, as text; written beside them."""
        heads = [f"{slots} slots" for slots in self.at.slots]
        lines = ["| " + " | ".join(["method", *heads]) + " |", "|---" * (len(heads) + 1) + "|"]
        for name in self.at.methods:
            lines.append("| " + " | ".join([name, *(self._cell(name, slots) for slots in self.at.slots)]) + " |")
        text = "\n".join(lines)
        write_atomically(self.folder / "table.md", text + "\n")
        return text

    def _cell(self, name: str, slots: int) -> str:
        rows = self._rows(name, slots)
        if not rows:
            return "not run"
        found = [100 * row["test_accuracy"] for row in rows]
        spread = f" ± {statistics.stdev(found) / len(found) ** 0.5:.2f}" if len(found) > 1 else ""
        over = sum(row["limits_exceeded"] for row in rows)
        return f"{statistics.mean(found):.2f}{spread} ({len(found)}){f', {over} limits exceeded' if over else ''}"

    def _rows(self, name: str, slots: int) -> list[dict]:
        """The rows there are of a method and limit, by seed; the twin has no limit."""
        slots = UNLIMITED if name == TWIN else slots
        pattern = f"row-{name}-{slots}-*".replace(" ", "-").replace("+", "and")
        return [json.loads(path.read_text()) for path in sorted(self.folder.glob(f"{pattern}.json"))]


def parsed():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--task", default="mnist")
    parser.add_argument("--chip", default="generic")
    parser.add_argument("--set", nargs="*", default=[], help="overrides of the task")
    parser.add_argument("--slots", type=int, nargs="+", default=[4, 8, 16, 64])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--methods", nargs="+", choices=METHODS, help="absent = all there are for the chip's weights")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--trial-epochs", type=int, default=2)
    parser.add_argument("--tuned-at", type=int, default=16, help="slots of the trials")
    parser.add_argument("--out", default=str(machine.RESULTS / "comparison"))
    parser.add_argument("--tiny", action="store_true", help="digits, 16 hidden neurons, 2 trials, 1 seed, 1 epoch")
    parser.add_argument(
        "--show", action="store_true", help="print table and figure from the rows there are; train nothing"
    )
    parser.add_argument("--readme", action="store_true", help="put the table into benchmarks/README.md")
    arguments = parser.parse_args()
    kind = neuro.load_chip(arguments.chip).weights.kind
    arguments.methods = arguments.methods or [name for name, method in METHODS.items() if kind in method.kinds]
    if arguments.tiny:
        arguments.task, arguments.set = "digits", [*arguments.set, "populations.hidden.size=16"]
        arguments.slots, arguments.seeds, arguments.tuned_at = [8, 16], [0], 8
        arguments.trials, arguments.trial_epochs, arguments.epochs = 2, 1, 1
    return arguments


def main() -> None:
    arguments = parsed()
    table = Table(arguments)
    for seed in [] if arguments.show else arguments.seeds:
        for slots in arguments.slots:
            for name in arguments.methods:
                print(table.row(name, UNLIMITED if name == TWIN else slots, seed), flush=True)
    print(table.show())
    table.figure()
    if arguments.readme:
        write_between(f"comparison on {table.folder.name}", "comparison.py --show --readme", table.show(), fenced=False)


if __name__ == "__main__":
    main()
