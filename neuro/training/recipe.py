"""A task's recipe as torch objects: optimizer, learning rates, and which samples come when."""

from __future__ import annotations

import math

import numpy as np
import torch

from neuro.nn import Network
from neuro.rewiring import (
    AtLeast,
    CountSpace,
    Feedback,
    Langevin,
    Nearest,
    OneCopy,
    QRewiring,
    RandomShares,
    Redraw,
    Refill,
    Stochastic,
    ToConnectivity,
)
from neuro.task import Training

MAKERS = {
    "adam": lambda groups, t: torch.optim.Adam(groups, lr=t.lr, weight_decay=t.weight_decay, fused=True),
    "adamw": lambda groups, t: torch.optim.AdamW(groups, lr=t.lr, weight_decay=t.weight_decay, fused=True),
    "sgd": lambda groups, t: torch.optim.SGD(groups, lr=t.lr, momentum=t.momentum, weight_decay=t.weight_decay),
}
ROUNDINGS = {
    "nearest": lambda seed: Nearest(),
    "stochastic": Stochastic,
    "feedback": lambda seed: Feedback(),
    "one-copy-nearest": lambda seed: OneCopy(Nearest()),
    "one-copy-stochastic": lambda seed: OneCopy(Stochastic(seed)),
}


def make_optimizer(network: Network, recipe: Training, seed: int) -> QRewiring:
    """Wrap the recipe's optimizer so that every step ends inside the chip."""
    groups = network.parameter_groups(recipe.lr, recipe.base_lr, recipe.constant_lr)
    wrapped = MAKERS[recipe.optimizer](groups, recipe)
    for group in wrapped.param_groups:
        group["full_lr"] = group["lr"]
    parts = rewiring_parts(recipe, seed)
    return QRewiring(wrapped, network, latent=recipe.latent, base_every=recipe.base_every, **parts)


def rewiring_parts(recipe: Training, seed: int) -> dict:
    """Give the parts a recipe asks for, as keywords of QRewiring."""
    removal = [ToConnectivity(recipe.connectivity)] if recipe.connectivity is not None else []
    removal += [RandomShares(seed)] if recipe.random_shares else []
    growth = [Refill(recipe.refill, seed=seed)] if recipe.refill is not None else []
    growth += [AtLeast(recipe.least_connections, seed)] if recipe.least_connections else []
    if recipe.storage == "slots" and recipe.growth_share > 0:
        growth.append(Redraw(recipe.growth_every, recipe.growth_share, seed, recipe.growth_candidates))
    return {
        "rounding": ROUNDINGS[recipe.rounding](seed),
        "removal": tuple(removal),
        "growth": tuple(growth),
        "gradient": CountSpace() if recipe.count_space else None,
        "noise": Langevin(recipe.temperature, seed) if recipe.temperature else None,
    }


def set_learning_rate(optimizer: QRewiring, recipe: Training, step: int, steps: int) -> None:
    """Set every group's learning rate for one step; it depends on the step alone."""
    share = 1.0 if recipe.schedule == "constant" else 0.5 * (1 + math.cos(math.pi * step / steps))
    for group in optimizer.param_groups:
        group["lr"] = group["full_lr"] * share


def batches(size: int, batch: int, seed: int, epoch: int) -> list[np.ndarray]:
    """Shuffle sample numbers for one epoch; the same for the same seed and epoch."""
    order = np.random.default_rng([seed, epoch]).permutation(size)
    return [order[i : i + batch] for i in range(0, size, batch)]
