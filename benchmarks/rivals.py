"""Other ways to a network of few slots, each beside ours on the same task, plan and first weights.

All are written anew from their publications' rules, in the smallest form that is still whole; their figures were not
available or are of other tasks. A method trains `network` and gives by `finished()` one whose codes fit the chip: floats
are brought there by the exact projection, the best prune-and-round there is, so that no rival loses for clumsy rounding.
`space` is what its tuning draws from: least, largest (drawn evenly in logarithm).
"""

from __future__ import annotations

import copy
import math
import os
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import torch

import neuro
from neuro.rewiring import CountSpace, RandomShares, Stochastic, ToConnectivity
from neuro.rewiring.chance import generator
from neuro.weights import LevelScheme

RATE = (3e-3, 3e-2)
PLENTY = 4096  # slots that never bind


class Method:
    """What all share: a network, Adam, and learning rates that a schedule scales."""

    space = {"lr": RATE}
    kinds = ("counts", "masks", "levels")  # of weights that it can be had for
    judged_every_epoch = True  # so that the best epoch can be kept

    def __init__(self, task, chip: str, slots: int, seed: int, setting: dict, steps: int, twin=None):
        self.task, self.chip, self.slots, self.seed, self.setting = task, chip, slots, seed, setting
        self.steps, self.step_number, self.twin = steps, 0, twin
        self.network = self.build()
        self.optimizer = self.wrap()
        for group in self.optimizer.param_groups:
            group["full_lr"] = group["lr"]

    def load_chip(self, *overrides: str):
        return neuro.load_chip(self.chip, [f"slots={self.slots}", *overrides])

    def build(self) -> neuro.Network:
        return neuro.build(self.task, self.load_chip(), self.seed)

    def wrap(self):
        return neuro.QRewiring(torch.optim.Adam(self.network.parameter_groups(self.setting["lr"])), self.network)

    def before_backward(self) -> None:
        """Clear gradients and set the rates of this step."""
        share = 0.5 * (1 + math.cos(math.pi * self.step_number / self.steps))
        for group in self.optimizer.param_groups:
            group["lr"] = group["full_lr"] * share
        self.optimizer.zero_grad()

    def step(self) -> None:
        """Move the parameters by the gradients there are."""
        self.optimizer.step()
        self.step_number += 1

    def finished(self) -> neuro.Network:
        """Give a network whose codes fit the chip."""
        return self.network


class QRewiring(Method):
    """Ours: nearest codes within the budget after every step."""


class Published(Method):
    """The published set of parts (Petschenig & Legenstein 2023), kept within the budget, with SGD and momentum."""

    space = {"lr": (3e-3, 3e-1), "connectivity": (0.1, 1.0)}

    def wrap(self):
        groups = self.network.parameter_groups(self.setting["lr"])
        parts = {"rounding": Stochastic(self.seed), "gradient": CountSpace()}
        parts["removal"] = (ToConnectivity(min(self.setting["connectivity"], 1.0)), RandomShares(self.seed))
        return neuro.QRewiring(torch.optim.SGD(groups, momentum=0.9), self.network, **parts)


class Float(Method):
    """What float rivals share: the same plan with float weights, and the way from there into counts."""

    def build(self) -> neuro.Network:
        return neuro.build(self.task, self.load_chip("weights.kind=float"), self.seed)

    def finished(self) -> neuro.Network:
        return into_counts(self.network, self.task, self.load_chip(), self.seed)


class FloatTwin(Float):
    """Floats without any limit: what the rest is measured against."""

    def build(self) -> neuro.Network:
        return unlimited(self.task, self.chip, self.seed)

    def finished(self) -> neuro.Network:
        return self.network


class PostHoc(Float):
    """The float twin, pruned and rounded once; tuned is how large a base is beside the suggested one. Trains nothing."""

    space = {"scale": (0.5, 2.0)}

    def build(self) -> neuro.Network:
        network = unlimited(self.task, self.chip, self.seed)
        network.load_state_dict(self.twin)
        return network

    def wrap(self):
        return neuro.QRewiring(torch.optim.SGD(self.network.parameters(), lr=0.0), self.network)

    def finished(self) -> neuro.Network:
        return into_counts(self.network, self.task, self.load_chip(), self.seed, self.setting["scale"])


class DeepR(Float):
    """DEEP R (Bellec, Kappel, Maass & Legenstein 2018, arXiv 1711.05136), `slots` active sources a neuron on average.

    Active weights keep their sign, feel an L1 pull and noise, and go dormant when they would cross zero; as many dormant
    ones are re-activated at random at 10^-12. Rounded into counts at the end.
    """

    space = {"lr": RATE, "pull": (1e-6, 1e-3), "temperature": (1e-9, 1e-5)}

    def wrap(self):
        self.signs = {}
        for number, (name, latent, memory) in enumerate(self.network.synapses()):
            allowed = memory.allowed_for(latent)
            key = torch.rand(latent.shape, generator=self._chance("first", number)).masked_fill(~allowed, -1.0)
            count = min(self.slots * len(latent), int(allowed.sum()))
            active = torch.zeros(latent.numel(), dtype=torch.bool)
            active[key.flatten().argsort(descending=True)[:count]] = True
            with torch.no_grad():
                latent.mul_(active.view(latent.shape))
            self.signs[name] = torch.where(latent >= 0, 1.0, -1.0) * active.view(latent.shape)
        self.network.project()
        return super().wrap()

    def _chance(self, purpose: str, number: int) -> torch.Generator:
        return generator(f"deep r {purpose}", self.seed, self.step_number, number)

    def step(self) -> None:
        for name, latent, _ in self.network.synapses():
            latent.grad.mul_(self.signs[name] != 0)
        super().step()
        with torch.no_grad():
            for number, (name, latent, memory) in enumerate(self.network.synapses()):
                self._rewire(number, name, latent, memory)
        self.network.project()

    def _rewire(self, number: int, name: str, latent, memory) -> None:
        g, lr, sign = self._chance("step", number), self.optimizer.param_groups[0]["lr"], self.signs[name]
        size = latent * sign - lr * self.setting["pull"]
        size += math.sqrt(2 * lr * self.setting["temperature"]) * torch.randn(latent.shape, generator=g)
        died = (sign != 0) & (size < 0)
        sign = sign.masked_fill(died, 0.0)
        free = memory.allowed_for(latent) & (sign == 0)
        key = torch.rand(latent.shape, generator=g).masked_fill(~free, -1.0).flatten()
        born = torch.zeros(latent.numel(), dtype=torch.bool)
        born[key.argsort(descending=True)[: int(died.sum())]] = True
        born = born.view(latent.shape)
        fresh = (torch.randint(2, latent.shape, generator=g) * 2 - 1).float()
        self.signs[name] = torch.where(born, fresh, sign)
        size = torch.where(born, 1e-12, size.clamp(min=0.0))
        latent.copy_(size * self.signs[name])


class ConstantFanIn(Float):
    """RigL with the same fan-in for every neuron (Evci et al. 2020, arXiv 1911.11134; Lasby et al. 2023, arXiv 2305.02299).

    Every few steps each neuron drops its smallest weights and takes the sources with the largest gradients; the share falls
    as a cosine and is 0 in the last quarter. Rounded into counts at the end.
    """

    space = {"lr": RATE, "share": (0.05, 0.5)}
    every = 20

    def wrap(self):
        self.active = {}
        for number, (name, latent, memory) in enumerate(self.network.synapses()):
            g = generator("fan-in", self.seed, 0, number)
            key = torch.rand(latent.shape, generator=g).masked_fill(~memory.allowed_for(latent), -1.0).flatten(1)
            self.active[name] = _top(key, min(self.slots, key.shape[1]), key > 0).view(latent.shape)
        self._mask()
        return super().wrap()

    @torch.no_grad()
    def _mask(self) -> None:
        for name, latent, _ in self.network.synapses():
            latent.mul_(self.active[name])
        self.network.project()

    def step(self) -> None:
        gradients = {name: latent.grad.clone() for name, latent, _ in self.network.synapses()}
        for name, latent, _ in self.network.synapses():
            latent.grad.mul_(self.active[name])
        super().step()
        last = 0.75 * self.steps
        if self.step_number % self.every == 0 and self.step_number < last:
            share = self.setting["share"] / 2 * (1 + math.cos(math.pi * self.step_number / last))
            for name, latent, memory in self.network.synapses():
                self.active[name] = self._rewired(self.active[name], latent.detach(), gradients[name], memory, share)
        self._mask()

    def _rewired(self, active, latent, gradient, memory, share: float):
        held = active.flatten(1)
        drops = int(share * min(self.slots, held.shape[1]))
        size = latent.abs().flatten(1).masked_fill(~held, torch.inf)
        dropped = _top(-size, drops, held)
        free = memory.allowed_for(latent).flatten(1) & ~held
        grown = _top(gradient.abs().flatten(1), drops, free)
        short = dropped.sum(1) - grown.sum(1)  # fewer are free than were dropped: those stay
        kept = dropped & (dropped.cumsum(1) <= short[:, None])
        return ((held & ~dropped) | kept | grown).view(active.shape)


class StraightThrough(Method):
    """Straight-through quantisation-aware training with gradual magnitude pruning, projected into the slots at the end.

    Every weight is rounded to its nearest count on its own, without a budget; the smallest weights of a neuron whose words
    go beyond the present limit are set to 0, and the limit falls to the slots by a cubic schedule (Zhu & Gupta 2017, arXiv
    1710.01878) over the first three quarters of training. Bases start as with the slots.
    """

    kinds = ("counts",)
    space = {"lr": RATE, "begin": (0.01, 0.5)}

    def build(self) -> neuro.Network:
        network = neuro.build(self.task, neuro.load_chip(self.chip, [f"slots={PLENTY}"]), self.seed)
        network.bases.set(super().build().bases.values())
        network.project()
        return network

    def step(self) -> None:
        super().step()
        begin, end = self.setting["begin"] * self.steps, 0.75 * self.steps
        left = 1 - min(max((self.step_number - begin) / (end - begin), 0.0), 1.0)
        with torch.no_grad():
            for _, latent, memory in self.network.synapses():
                size, order = latent.abs().flatten(1).sort(dim=1, descending=True, stable=True)
                words = (size / memory.word_values(latent)[..., 0].flatten(1).gather(1, order)).round().cumsum(1)
                limit = self.slots + (words[:, -1:] - self.slots).clamp(min=0) * left**3
                kept = torch.zeros_like(size).scatter_(1, order, (words <= limit).to(size))
                latent.mul_(kept.view(latent.shape))
        self.network.project_codes()

    def finished(self) -> neuro.Network:
        return into_counts(self.network, self.task, self.load_chip(), self.seed, bases=self.network.bases.values())


class FourValues(Float):
    """A learned set of four weight values a population, and no more than `slots` sources a neuron (after SpikeFit, 2025).

    Re-implemented from the abstract of arXiv 2510.15542: only that four distinct weights are learned is known; pruning here
    is by gain in place of Fisher's information. The values move with the sum of their weights' gradients.
    """

    space = {"lr": RATE, "value_rate": (1e-3, 1e-1)}

    def wrap(self):
        self.values = {}
        for name, latent, memory in self.network.synapses():
            size = latent.detach().abs().flatten(1)
            top = size.topk(min(self.slots, size.shape[1]), 1).values
            low, high = float(top.quantile(0.3)), float(top.quantile(0.8))
            self.values[name] = torch.tensor([-high, -low, low, high], dtype=torch.float64)
            self._set(name, memory)
        self.network.project()
        return super().wrap()

    def _set(self, name: str, memory) -> None:
        values = self.values[name]
        values = torch.where(values.abs() < 1e-6, 1e-6, values)
        while len(values.unique()) < len(values):  # two that met part again
            values = values + 1e-6 * torch.arange(len(values))
        self.values[name] = values.sort().values
        memory.scheme = LevelScheme(self.values[name].tolist(), self.slots)

    def step(self) -> None:
        lr = self.setting["value_rate"] * self.optimizer.param_groups[0]["lr"]
        for name, latent, memory in self.network.synapses():
            code, grad = memory.code.flatten().long(), latent.grad.flatten().double()
            used = code >= 0
            total = torch.zeros(4, dtype=torch.float64).index_add_(0, code[used], grad[used])
            self.values[name] = self.values[name] - lr * total
            self._set(name, memory)
        super().step()

    def finished(self) -> neuro.Network:
        return self.network


class AutoEncoder(ConstantFanIn):
    """Floats of `slots` sources a neuron, trained by RigL; then Rockpool's auto-encoder for masks: 4 currents, a mask each.

    The real package, in the Python that NEURO_ROCKPOOL names (synsense/rockpool, devices/dynapse/quantization, with its own
    settings); it takes up to a minute, so only what the last epoch left goes through it. `size`: of a core's largest
    weight when it is handed over, as the package stops by an absolute rule.
    """

    kinds = ("masks",)
    space = {"lr": RATE, "share": (0.05, 0.5), "size": (1.0, 100.0)}
    judged_every_epoch = False

    @torch.no_grad()
    def finished(self) -> neuro.Network:
        held = into_counts(self.network, self.task, self.load_chip(), self.seed)
        latents, cores = {name: latent for name, latent, _ in held.synapses()}, held.bases.values()
        weights = {name: memory.weight.flatten(1) for name, _, memory in self.network.synapses()}
        memories = {name: memory for name, _, memory in held.synapses()}
        given, scale = {}, {}
        for core in range(len(cores)):
            rows = [weights[name][memories[name].cores == core] for name in weights]
            scale[core] = self.setting["size"] / max(float(part.abs().max()) for part in rows if part.numel())
            widest = max(part.shape[1] for part in rows)
            padded = [torch.nn.functional.pad(part, (0, widest - part.shape[1])) for part in rows]
            given[str(core)] = (torch.cat(padded) * scale[core]).T.numpy()
        found = _autoencoded(given, self.seed)
        bases = torch.stack([torch.from_numpy(found[f"{core}.currents"] / scale[core]) for core in range(len(cores))])
        held.bases.set(bases.clamp(min=held.bases.grid()[:, None]))
        for core in range(len(cores)):
            left = torch.from_numpy(found[str(core)].T / scale[core]).float()
            for name in weights:
                mine = memories[name].cores == core
                rows, left = left[: int(mine.sum())], left[int(mine.sum()) :]
                latents[name][mine] = rows[:, : weights[name].shape[1]].view_as(latents[name][mine])
        held.project()
        return held


METHODS = {
    "float twin": FloatTwin,
    "Q-rewiring": QRewiring,
    "published": Published,
    "post-hoc": PostHoc,
    "DEEP R + rounding": DeepR,
    "constant fan-in RigL + rounding": ConstantFanIn,
    "straight-through + pruning": StraightThrough,
    "four learned values": FourValues,
    "auto-encoder": AutoEncoder,
}


def _autoencoded(weights: dict[str, np.ndarray], seed: int) -> dict[str, np.ndarray]:
    """Hand matrices [sources, neurons] to Rockpool's auto-encoder, and take back what `autoencoder_runs` writes."""
    python = os.environ.get("NEURO_ROCKPOOL")
    if not python:
        raise SystemExit("NEURO_ROCKPOOL names no Python that has rockpool and jax")
    with tempfile.TemporaryDirectory() as name:
        given, found = Path(name, "weights.npz"), Path(name, "found.npz")
        np.savez(given, **weights)
        script = Path(__file__).with_name("autoencoder_runs.py")
        command = [python, "-W", "ignore", script, given, found, str(seed)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=1800)
        if done.returncode:
            raise RuntimeError(f"{python} cannot run the auto-encoder: {done.stderr[-1500:]}")
        return dict(np.load(found))


@torch.no_grad()
def into_counts(network, task, chip, seed: int, scale: float = 1.0, bases: torch.Tensor | None = None):
    """Prune and round a network's latents exactly into what a chip holds; read-outs are taken over.

    scale: of the suggested base weights; bases: [cores, K] in their place.
    """
    plan = neuro.place(task.network, chip, seed)
    latents = {
        name: {source: latent.detach()[:, columns] for source, columns in plan.columns(name).items()}
        for name, latent in network.latents.items()
    }
    held = neuro.Network(plan, latents, seed=seed)
    held.bases.set(bases if bases is not None else held.bases.values() * scale)
    held.project()
    for name, readout in held.readouts.items():
        readout.load_state_dict(copy.deepcopy(network.readouts[name].state_dict()))
    return held


def unlimited(task, chip: str, seed: int) -> neuro.Network:
    """Build the float twin."""
    return neuro.build(task, neuro.load_chip(chip, [f"slots={PLENTY}", "weights.kind=float"]), seed)


def _top(key: torch.Tensor, count: int, among: torch.Tensor) -> torch.Tensor:
    """Mark the `count` largest keys of each row [n, E] among some."""
    key = key.masked_fill(~among, -torch.inf)
    place = key.argsort(dim=1, descending=True, stable=True)[:, :count]
    return torch.zeros_like(among).scatter_(1, place, True) & among
