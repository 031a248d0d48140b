"""Trained constants: time constants and thresholds as bias currents, one value a core, always one the DAC can give.

The latent is the logarithm of the bias current, the constant what the nearest code makes of it: a decay exp(−dt/τ) with
τ = C · U_T / (κ · I · scale), or θ = I · scale / unit; computed in float64 and rounded once. Where several biases hang on
one time constant (types of one current, gains), the first leads and export gives the others their nearest codes. What
stands for no silicon and has no `circuits` takes any value: there the latent is −log τ, or log θ.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from neuro.descriptor import BiasSetting, codes_of, leading_bias, realised_value, wanted_current
from neuro.dynamics import Constants, ParameterSet
from neuro.errors import FeasibilityError
from neuro.nn.checksum import UNPROJECTED, checksum
from neuro.placement import FASTEST, Plan

LEAK, THETA, SYN = range(3)  # rows of places; one SYN a current
ANY = np.array([1e-6, 1e6])  # thresholds where no bias limits them
ANY_RATE = np.array([1e-6, FASTEST])  # and time constants, as their inverse, a step
KINDS = {LEAK: "tau_mem", THETA: "threshold"}


@dataclass(frozen=True)
class Trained:
    """One constant of one core: its row of places, its bias (None = any value), what it starts from, and its codes.

    codes: [codes, 2] of (bias current, constant), by rising current; None = any. reach: least and largest current.
    """

    core: int
    row: int
    setting: BiasSetting | None
    start: float
    codes: np.ndarray | None
    reach: tuple[float, float]

    @property
    def constant(self) -> str:
        return _kind(self.row)


class TrainedConstants(nn.Module):
    """Trainable constants of all cores in use: `latent` [K], the log of each bias current.

    `values` [K] float32 holds what the network steps with: decays, or thresholds.
    """

    def __init__(self, plan: Plan):
        super().__init__()
        self.plan, self.entries = plan, ()
        for name in plan.spec.populations:
            self.register_buffer(f"places_{name}", self._places(name), persistent=False)
        currents = [self._first_current(entry) for entry in self.entries]
        self.latent = nn.Parameter(torch.tensor(currents, dtype=torch.float64).log().float())
        self.register_buffer("values", torch.zeros(len(self.entries)))
        self.stamp: int | None = None
        self.project()

    def _places(self, name: str) -> torch.Tensor:
        """Say which entry each constant of a population's neurons is, −1 for none: long [2 + C, n]; adds new entries."""
        plan, constants = self.plan, self.plan.parameters[name]
        given = [constants.leak, constants.theta, *constants.decay_syn]
        core = plan.core_index(name)
        places = torch.full((len(given), len(core)), -1)
        latched = {(c, k, n) for c, k, n, latch in plan.latches if latch == plan.chip.neuron.latches.get("tau_mem")}
        second = np.array([tuple(place) in latched for place in plan.locations[name].tolist()])
        for row, value in enumerate(given):
            if _kind(row) not in plan.spec.trainable or (row >= SYN and value == 0.0):
                continue
            for number in np.unique(core):
                members = core == number
                places[row, members] = self._entry(number, row, value, bool(second[members].any() and row == LEAK))
        return places

    def _entry(self, core: int, row: int, start: float, second: bool) -> int:
        """The number of an entry, made if it is new: neurons of a core that start alike share one."""
        for number, entry in enumerate(self.entries):
            if (entry.core, entry.row, entry.start) == (core, row, start):
                return number
        chip, current = self.plan.chip, self.plan.currents[row - SYN] if row >= SYN else None
        setting = leading_bias(chip, _kind(row), current, second)
        codes = None if setting is None else _codes(setting, row, chip, self.plan.spec.dt_s)
        reach = codes[[0, -1], 0] if codes is not None else ANY if row == THETA else ANY_RATE / self._dt_s
        self.entries += (Trained(core, row, setting, start, codes, tuple(reach.tolist())),)
        return len(self.entries) - 1

    def _first_current(self, entry: Trained) -> float:
        value = entry.start if entry.row == THETA else -self.plan.spec.dt_s / math.log(entry.start)
        if entry.setting is not None:
            return wanted_current(entry.setting, value, self.plan.chip)
        return value if entry.row == THETA else 1 / value

    def project(self) -> None:
        """Set every constant to the nearest value its bias can give; latents beyond the last code go back to it."""
        latent = self.latent.detach().double().cpu()
        if not torch.isfinite(latent).all():
            raise FeasibilityError("trained constants: a latent is not finite; lower constant_lr")
        low, high = (
            torch.tensor([entry.reach for entry in self.entries], dtype=torch.float64).view(-1, 2).log().unbind(1)
        )
        latent = latent.clamp(low, high)
        with torch.no_grad():
            self.latent.copy_(latent)
        for number, (entry, wanted) in enumerate(zip(self.entries, latent.exp().tolist(), strict=True)):
            if entry.codes is None:
                value = _constant(entry.row, wanted if entry.row == THETA else 1 / wanted, self._dt_s)
            else:
                value = entry.codes[np.abs(entry.codes[:, 0] - wanted).argmin(), 1]
            self.values[number] = value
        self.stamp = checksum(self.latent)

    @property
    def _dt_s(self) -> float:
        return self.plan.spec.dt_s

    def refuse_moved(self) -> None:
        """Raise FeasibilityError where a latent moved without projection."""
        if self.stamp != checksum(self.latent):
            raise FeasibilityError(f"trained constants: {UNPROJECTED}")

    def violations(self) -> list[str]:
        """Constants that moved without projection, or that no code of their bias gives."""
        found = [] if self.stamp == checksum(self.latent) else [f"trained constants: {UNPROJECTED}"]
        for entry, value in zip(self.entries, self.values.tolist(), strict=True):
            if entry.codes is not None and value not in entry.codes[:, 1]:
                chip, core = self.plan.cores[entry.core]
                found.append(
                    f"chip {chip} core {core}: {entry.constant} is {value:g} a step, which no code of "
                    f"{entry.setting.name} gives"
                )
        return found

    def forward(self) -> torch.Tensor:
        """Give the constants [K], float32; gradients pass straight through to the latents."""
        return _Realised.apply(self.latent, self)

    def slopes(self) -> torch.Tensor:
        """d constant / d latent: θ, and d · ln d for a decay d, as −dt/τ is proportional to the current."""
        values = self.values.double()
        rows = torch.tensor([entry.row for entry in self.entries], device=values.device)
        return torch.where(rows == THETA, values, values * values.log())

    def put_into(self, planned: Mapping[str, Constants]) -> dict[str, Constants]:
        """Put the constants in place of those populations were placed with."""
        values, found = self(), {}
        for name, constants in planned.items():
            places = getattr(self, f"places_{name}")
            rows = torch.stack([constants.leak, constants.theta, *constants.decay_syn]).to(values)
            rows = torch.where(places >= 0, values[places.clamp_min(0)], rows)
            found[name] = constants._replace(leak=rows[LEAK], theta=rows[THETA], decay_syn=rows[SYN:])
        return found

    def thresholds(self) -> dict[str, torch.Tensor]:
        """θ of every neuron, by population: [n]."""
        places = {name: getattr(self, f"places_{name}")[THETA] for name in self.plan.parameters}
        values = {name: self.values[place.clamp_min(0)] for name, place in places.items()}
        return {n: torch.where(places[n] >= 0, values[n], own.theta) for n, own in self.plan.parameters.items()}

    def parameter_sets(self, name: str) -> tuple[list[ParameterSet], np.ndarray]:
        """The different sets of constants in a population, and which of them each neuron has: [n]."""
        different, index = np.unique(getattr(self, f"places_{name}").cpu().numpy(), axis=1, return_inverse=True)
        own, values = self.plan.parameters[name], self.values.tolist()
        sets = []
        for places in different.T.tolist():
            given = [own.leak, own.theta, *own.decay_syn]
            leak, theta, *decay = [old if k < 0 else values[k] for k, old in zip(places, given, strict=True)]
            sets.append(replace(own, leak=leak, theta=theta, decay_syn=tuple(decay)))
        return sets, index.reshape(-1)


class _Realised(torch.autograd.Function):
    @staticmethod
    def forward(ctx, latent, constants: TrainedConstants):
        ctx.slopes = constants.slopes()
        return constants.values.clone()

    @staticmethod
    def backward(ctx, grad):
        return (grad.double() * ctx.slopes).to(grad), None


def build_constants(plan: Plan) -> TrainedConstants | None:
    """Make the constants a task trains, or None where no population has one."""
    constants = TrainedConstants(plan) if plan.spec.trainable else None
    return constants if constants is not None and constants.entries else None


def _kind(row: int) -> str:
    return KINDS.get(row, "tau_syn")


def _constant(row: int, value: float, dt_s: float) -> float:
    """A threshold, or the decay a step of a time constant: float32, made once in float64."""
    return float(np.float32(value if row == THETA else math.exp(-dt_s / value)))


def _codes(setting: BiasSetting, row: int, chip, dt_s: float) -> np.ndarray:
    """Currents and constants a bias can give, by rising current, those that a network can tell apart."""
    found = {}
    for _, _, current in codes_of(setting, chip):
        value = realised_value(setting, current, chip)
        if 0 < value < math.inf and (row == THETA or value * FASTEST >= dt_s):
            constant = _constant(row, value, dt_s)
            if row == THETA or 0 < constant < 1:
                found[current] = constant
    return np.array(sorted(found.items()))
