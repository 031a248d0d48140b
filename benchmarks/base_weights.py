"""How base weights are best found: by gradient, by least squares on the latents, or fixed at their first suggestion.

All start from the same latents and suggested bases; all snap to what the bias DAC can give after every move. Least squares:
every 10 steps the bases of a core that bring its codes nearest to its latents, Σ (latent − Σ_k b_k D_k)² least, D_k the
weight with b_k = 1 and the others 0. Judged on the validation part only.

Expected before measuring: gradient and least squares within a point of each other and ahead of fixed at few slots, where
the grid of weights is coarse; no difference at 64.

    python benchmarks/base_weights.py [--seeds 0 1 2 3 4]
"""

from __future__ import annotations

import argparse
import statistics

import torch
from comparison import train
from machine import circumstances, save
from rivals import QRewiring
from scipy.optimize import lsq_linear

import neuro
from neuro.data import load_dataset
from neuro.training.recipe import batches

CHIPS, SLOTS, EVERY, NEVER = ("dynapse1", "dynapse2"), (4, 8, 16, 64), 10, 10**9


class Fixed(QRewiring):
    """Bases stay what the first latents suggested."""

    def wrap(self):
        groups = self.network.parameter_groups(self.setting["lr"])
        return neuro.QRewiring(torch.optim.Adam(groups), self.network, base_every=NEVER)


class LeastSquares(Fixed):
    """Every few steps the bases that bring the codes nearest to the latents."""

    def step(self) -> None:
        super().step()
        if self.step_number % EVERY == 0:
            self.network.bases.set(fitted(self.network))
            self.network.project()


@torch.no_grad()
def fitted(network) -> torch.Tensor:
    """Give the bases [cores, K], at least a step of the grid each, of least Σ (latent − weight)²; unused ones stay."""
    have = network.bases.values().double()
    squares, products = have.new_zeros(*have.shape, have.shape[1]), torch.zeros_like(have)
    for _, latent, memory in network.synapses():
        products.index_add_(0, memory.cores, memory.scheme.base_gradient(memory.code, latent).double())
        for k in range(have.shape[1]):
            alone = torch.full((have.shape[1],), 1e-30, dtype=torch.float64)
            alone[k] = 1.0
            weight = memory.scheme.with_bases(alone).decode(memory.code).view_as(latent)
            squares[:, k].index_add_(0, memory.cores, memory.scheme.base_gradient(memory.code, weight).double())
    for core, least in enumerate(network.bases.grid().tolist()):
        used = squares[core].diagonal() > 0
        scale, turn = torch.linalg.eigh(squares[core][used][:, used])
        kept = scale > 1e-9 * scale.max()
        root = turn[:, kept] * scale[kept].sqrt()  # squares = root rootᵀ
        wanted = (turn[:, kept] / scale[kept].sqrt()).T @ products[core][used]
        have[core, used] = torch.from_numpy(lsq_linear(root.T.numpy(), wanted.numpy(), (least, torch.inf)).x)
    return have


METHODS = {"gradient": QRewiring, "least squares": LeastSquares, "fixed": Fixed}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--epochs", type=int, default=None, help="absent = the task's")
    arguments = parser.parse_args()
    facts, rows, seeds = circumstances("numba"), [], arguments.seeds
    task = neuro.load_task("digits")
    data, epochs = load_dataset(task.data), arguments.epochs or task.training.epochs
    steps = epochs * len(batches(len(data.train), task.training.batch, 0, 0))
    for chip in CHIPS:
        for slots in SLOTS:
            found = {}
            for name, method in METHODS.items():
                made = [method(task, chip, slots, seed, {"lr": task.training.lr}, steps) for seed in seeds]
                found[name] = [train(task, m, data, epochs, seed)[1] for m, seed in zip(made, seeds, strict=True)]
            row = {"chip": chip, "slots": slots, **{name: summary(found, name) for name in METHODS}}
            print(row, flush=True)
            rows.append(row)
    save("base_weights", {"task": "digits", "epochs": epochs, "seeds": seeds, "rows": rows, "circumstances": facts})


def summary(found: dict[str, list[float]], name: str) -> dict:
    """Accuracies of a method, and how far it is from the gradient's, paired by seed."""
    away = [a - b for a, b in zip(found[name], found["gradient"], strict=True)]
    error = statistics.stdev(away) / len(away) ** 0.5 if len(away) > 1 else 0.0
    return {
        "validation_accuracy": [round(a, 4) for a in found[name]],
        "mean": round(statistics.mean(found[name]), 4),
        "minus_gradient": round(statistics.mean(away), 4),
        "standard_error": round(error, 4),
    }


if __name__ == "__main__":
    main()
