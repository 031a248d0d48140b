"""The 2,886-parameter MNIST network of arXiv 2310.00337 on tiles, its data, its float training and its accuracy.

Conv(1→8, 3x3) - ReLU - MaxPool(3, 3, 1) - Conv(8→12, 3x3) - ReLU - MaxPool(2, 2, 1) - Linear(192→10), every bias a row of
its tile. Trained as published: SGD, learning rate 0.1 falling to 0.3 of it after 10 epochs, batches of 64, a penalty on
weights nearer to 0 than 0.1; fewer epochs than the published 20.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from pathlib import Path

import torch
from pictures import pictures
from torch import nn
from torch.nn import functional

from neuro.silicon import TileConv2d, TileLinear

WEIGHTS = ("conv1.weight", "conv2.weight", "full.weight")
BATCH, LR, SMALLEST = 64, 0.1, 0.1


def network(seed: int) -> nn.Sequential:
    """Make the network with its first weights."""
    torch.manual_seed(seed)
    return nn.Sequential(
        OrderedDict(
            conv1=TileConv2d(1, 8, 3),
            relu1=nn.ReLU(),
            pool1=nn.MaxPool2d(3, 3, 1),
            conv2=TileConv2d(8, 12, 3),
            relu2=nn.ReLU(),
            pool2=nn.MaxPool2d(2, 2, 1),
            flat=nn.Flatten(),
            full=TileLinear(192, 10),
        )
    )


def mnist() -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Give training, validation (a twelfth of the training files) and test pictures [N, 1, 28, 28] in 0..1."""
    return {name: (x.view(-1, 1, 28, 28), y) for name, (x, y) in pictures("mnist", 1 / 12).items()}


def batches(part, seed: int, epoch: int, size: int = BATCH):
    """Give the batches of one epoch, in an order that follows from seed and epoch."""
    x, y = part
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed * 1009 + epoch))
    for ids in order.split(size):
        yield x[ids], y[ids]


@torch.no_grad()
def accuracy(model: nn.Module, part) -> float:
    """Give the share of a part that a model gets right."""
    x, y = part
    model.eval()
    right = sum(int((model(a).argmax(1) == b).sum()) for a, b in zip(x.split(500), y.split(500), strict=True))
    return right / len(x)


def small(model: nn.Module) -> torch.Tensor:
    """Give the published penalty on weights near 0."""
    return sum(functional.relu(SMALLEST - p.abs()).sum() for p in model.parameters())


def trained_float(data, seed: int, epochs: int, folder: Path) -> nn.Sequential:
    """Train, or take what was trained before; the state after the last epoch."""
    model, path = network(seed), folder / f"float-{seed}-{epochs}.pt"
    if path.exists():
        model.load_state_dict(torch.load(path, weights_only=True))
        return model
    optimizer = torch.optim.SGD(model.parameters(), LR)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 10, 0.3)
    for epoch in range(epochs):
        model.train()
        for x, y in batches(data["train"], seed, epoch):
            optimizer.zero_grad()
            (functional.cross_entropy(model(x), y) + small(model)).backward()
            optimizer.step()
        schedule.step()
        print(f"float seed {seed} epoch {epoch}: validation {accuracy(model, data['validation']):.4f}", flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(model.state_dict(), path.with_suffix(".new"))
    os.replace(path.with_suffix(".new"), path)
    return model
