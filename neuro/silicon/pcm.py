"""What programming, time and reading make of a target conductance (phase-change memory, and kin with fewer figures).

    programmed  g = max(0, target + σ(target) · ξ),   σ a polynomial in target / g_max, microsiemens
    drifted     g · (t / t₀)^(−ν),  ν = |mean + spread · ξ| drawn at programming
    read        drifted · (1 + q · sqrt(ln((t + t_r) / (2 t_r))) · ξ),   q = min(most, factor / r^exponent), cut off at 0

t: seconds since programming + t₀ (0 where nothing drifts), r: programmed / g_max; what is programmed a moment ago is read
with noise, too. Figures come from a descriptor's `devices`; the form, and the figures of phase-change memory, from
IBM/aihwkit, inference/noise/pcm.py.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from neuro.descriptor.analog import Devices
from neuro.errors import DataError

LEAST_SHARE = 1e-7  # of g_max, where logarithms and powers of a conductance would have no value


@dataclass(frozen=True, eq=False)
class Programmed:
    """Devices after programming: conductance in microsiemens, drift exponents, and when that was, all of one shape."""

    g_us: torch.Tensor
    nu: torch.Tensor
    at_s: torch.Tensor

    def where(self, again: torch.Tensor, other: Programmed) -> Programmed:
        """Take over what `other` has at the devices that were programmed again, bool."""
        pairs = ((getattr(other, name), getattr(self, name)) for name in ("g_us", "nu", "at_s"))
        return Programmed(*(torch.where(again, new, old) for new, old in pairs))


def spread_us(devices: Devices, target_us: torch.Tensor) -> torch.Tensor:
    """Return the standard deviation of a programmed conductance, microsiemens, in the targets' shape."""
    share = target_us / devices.g_max_us
    total = torch.zeros_like(share)
    for coefficient in reversed(devices.programming_us):
        total = total * share + coefficient
    return total


def program(devices: Devices, target_us: torch.Tensor, now_s: float, generator: torch.Generator) -> Programmed:
    """Program devices to target conductances at a time; raises DataError for targets they cannot have."""
    if not bool(((target_us >= 0) & (target_us <= devices.g_max_us * (1 + 1e-6))).all()):
        worst = float(target_us.min() if target_us.min() < 0 else target_us.max())
        raise DataError(
            f"a target conductance is {worst:g} µS, allowed: 0 to {devices.g_max_us:g}; give levels of the device"
        )
    noise = torch.randn(target_us.shape, generator=generator, dtype=target_us.dtype)
    g = (target_us + spread_us(devices, target_us) * noise).clamp_(min=0)
    return Programmed(g, _exponents(devices, target_us, generator), torch.full_like(g, now_s))


def drifted_us(devices: Devices, programmed: Programmed, now_s: float) -> torch.Tensor:
    """Return conductances at a time, without the noise of reading; DataError for a time before programming."""
    age = _age(devices, programmed, now_s)
    if devices.drift is None:
        return programmed.g_us
    return programmed.g_us * (age / devices.drift.start_s) ** -programmed.nu


def read_us(devices: Devices, programmed: Programmed, now_s: float, generator: torch.Generator) -> torch.Tensor:
    """Return conductances as one reading finds them at a time; DataError for a time before programming."""
    g = drifted_us(devices, programmed, now_s)
    if devices.read is None:
        return g
    read, age = devices.read, _age(devices, programmed, now_s)
    share = (programmed.g_us / devices.g_max_us).clamp(min=LEAST_SHARE)
    q = (read.factor / share**read.exponent).clamp(max=read.most)
    spread = q * ((age + read.pulse_s) / (2 * read.pulse_s)).clamp(min=1).log().sqrt()
    noise = torch.randn(g.shape, generator=generator, dtype=g.dtype)
    return (g * (1 + spread * noise)).clamp_(min=0)


def without_noise(devices: Devices) -> Devices:
    """Return ideal devices of the same levels."""
    return replace_part(devices, programming_us=(), drift=None, read=None)


def programming_alone(devices: Devices) -> Devices:
    """Return devices as a moment after programming: no drift, read without noise."""
    return replace_part(devices, drift=None, read=None)


def replace_part(devices: Devices, **changes) -> Devices:
    """Return devices with other figures, checked."""
    return Devices.model_validate({**devices.model_dump(), **changes})


def _exponents(devices: Devices, target_us: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    if devices.drift is None:
        return torch.zeros_like(target_us)
    log = (target_us / devices.g_max_us).clamp(min=LEAST_SHARE).log()
    mean, spread = (
        (slope * log + start).clamp(least, most)
        for slope, start, least, most in (devices.drift.mean, devices.drift.spread)
    )
    return (mean + spread * torch.randn(target_us.shape, generator=generator, dtype=target_us.dtype)).abs()


def _age(devices: Devices, programmed: Programmed, now_s: float) -> torch.Tensor:
    """Seconds since programming began, which drift and reading count from: t₀ when a device is first looked at."""
    if not math.isfinite(now_s) or bool((programmed.at_s > now_s).any()):
        raise DataError(
            f"time is {now_s:g} s, but devices were programmed at {float(programmed.at_s.max()):g} s; allowed: that time "
            "or later, counted from one start"
        )
    return now_s - programmed.at_s + (0.0 if devices.drift is None else devices.drift.start_s)
