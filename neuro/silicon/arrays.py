"""Arrays of real devices: a weight matrix programmed as pairs, read back at some time, programmed again where wanted."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from neuro.descriptor.analog import Devices
from neuro.silicon.pcm import Programmed, program, read_us, spread_us
from neuro.weights import ConductanceScheme


@dataclass(frozen=True, eq=False)
class PairArray:
    """A weight matrix [N, M] on two devices a crosspoint, index 0 for G₊ and 1 for G₋.

    levels, targets_us and programmed are [2, N, M]; worth [2, N or 1, 1] is the weight of one microsiemens, signed.
    """

    devices: Devices
    levels: torch.Tensor
    targets_us: torch.Tensor
    worth: torch.Tensor
    programmed: Programmed

    @classmethod
    def of(
        cls,
        code: torch.Tensor,
        scheme: ConductanceScheme,
        devices: Devices,
        generator: torch.Generator,
        now_s: float = 0.0,
    ) -> PairArray:
        """Program the pairs of a code [N, M] for the first time; the scheme's largest level is g_max."""
        levels = torch.stack(scheme.levels_of(code.flatten(1)))
        table = torch.tensor(scheme.levels, dtype=torch.float64) / scheme.levels[-1] * devices.g_max_us
        targets = table[levels]
        bases = scheme.bases if scheme.bases.dim() == 2 else scheme.bases[None]
        sides = torch.cat([bases, scheme.gain * bases], 1) if bases.shape[1] == 1 else bases
        worth = sides.T[:, :, None] * torch.tensor([1.0, -1.0])[:, None, None] * scheme.levels[-1] / devices.g_max_us
        return cls(devices, levels, targets, worth.double(), program(devices, targets, now_s, generator))

    @property
    def targets(self) -> torch.Tensor:
        """The weight matrix without any noise, float64 [N, M]."""
        return (self.targets_us * self.worth).sum(0)

    def conductances_us(self, now_s: float, generator: torch.Generator) -> torch.Tensor:
        """Read every device once, [2, N, M]."""
        return read_us(self.devices, self.programmed, now_s, generator)

    def weights(self, now_s: float, generator: torch.Generator) -> torch.Tensor:
        """Read every pair once, float64 [N, M]."""
        return (self.conductances_us(now_s, generator) * self.worth).sum(0)

    def again(self, which: torch.Tensor, now_s: float, generator: torch.Generator) -> PairArray:
        """Program devices to their targets again, bool [2, N, M]; their time starts anew, that of the others goes on."""
        return replace(
            self, programmed=self.programmed.where(which, program(self.devices, self.targets_us, now_s, generator))
        )

    def pulses(self, which: torch.Tensor) -> int:
        """Count the pulses of programming devices: one that switches off, then those of their level."""
        return int(((self.levels * self.devices.pulses + 1) * which).sum())


def level_variance(devices: Devices, levels: tuple[float, ...]) -> tuple[float, ...]:
    """Give the variance of a programmed conductance for each level, in the levels' own unit squared."""
    share = torch.tensor(levels, dtype=torch.float64) / levels[-1]
    spread = spread_us(devices, share * devices.g_max_us) / devices.g_max_us * levels[-1]
    return tuple(spread.square().tolist())
