"""The noise of programming: weights trained as if they were programmed anew at every pass, and networks programmed once."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn
from torch.nn.utils import parametrize

from neuro.descriptor import refuse_exact_programming
from neuro.errors import DescriptionError
from neuro.nn import Deviation, Network
from neuro.nn.constrain import Constrained
from neuro.nn.memory import SynapseMemory
from neuro.silicon.arrays import PairArray
from neuro.silicon.deviations import alike
from neuro.silicon.pcm import programming_alone


class ProgrammingNoise(nn.Module):
    """Add to a weight what programming its pairs would: normal, of the variance its scheme has for the levels in use."""

    def __init__(self, memory: SynapseMemory, generator: torch.Generator, scale: float):
        super().__init__()
        self._memory, self._generator, self.scale = (memory,), generator, scale  # in a tuple: owned by the weight

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        """Give the weight with noise in training, as it is in evaluation."""
        if not self.training:
            return weight
        spread = pair_spread(self._memory[0].scheme, self._memory[0].code).view_as(weight)
        noise = torch.randn(weight.shape, generator=self._generator)
        return weight + self.scale * spread.to(weight.dtype) * noise


def pair_spread(scheme, code: torch.Tensor) -> torch.Tensor:
    """Return the standard deviation of a pair's weight after programming, float64 in the code's shape."""
    variance = torch.tensor(scheme.variance, dtype=torch.float64)
    bases = scheme.bases if scheme.bases.dim() == 2 else scheme.bases[None]
    plus, minus = (variance[level] for level in scheme.levels_of(code.flatten(1)))
    of_plus, of_minus = bases[:, :1], bases[:, 1:] if bases.shape[1] == 2 else scheme.gain * bases
    return (of_plus.square() * plus + of_minus.square() * minus).sqrt().view(code.shape)


def add_programming_noise(constrained: Constrained, seed: int, scale: float = 1.0) -> None:
    """Train a constrained module with the noise of programming from now on, `scale` times as much as its schemes say.

    Raises DescriptionError where a weight's scheme has no variance.
    """
    generator = torch.Generator().manual_seed(seed)
    for name, _, memory in constrained.synapses():
        if getattr(memory.scheme, "variance", None) is None:
            raise DescriptionError(f"{name}: its scheme has no variance; give ConductanceScheme(variance=…)")
        owner = constrained.module.get_submodule(name.rpartition(".")[0])
        noise = ProgrammingNoise(memory, generator, scale)
        parametrize.register_parametrization(owner, name.rpartition(".")[2], noise, unsafe=True)


@torch.no_grad()
def programmed_deviation(network: Network, seed: int) -> Deviation:
    """Program every pair of a network once, with noise, and say what it comes out with; pass it to the forward pass.

    As read a moment later: without drift, and without the noise of reading. Pairs that hold no word are not programmed, and
    conduct as described. Weights are rounded to the grid of their core, so that sums stay exact.
    Raises DescriptionError for a chip that states no noise of programming.
    """
    chip = network.plan.chip
    refuse_exact_programming(chip)
    generator, found = torch.Generator().manual_seed(seed), alike(network.plan)
    devices, grids = programming_alone(chip.devices), network.bases.grid().double()
    for name, memory in network.memories.items():
        array = PairArray.of(memory.code, memory.scheme, devices, generator)
        grid = grids[memory.cores].view(-1, 1, 1, 1)
        noisy = torch.round(array.weights(0.0, generator).view(memory.code.shape) / grid) * grid
        weight = torch.where(memory.code != memory.scheme.empty, noisy.float(), memory.weight)
        found.memories[name] = replace(found.memories[name], programmed=weight)
    return found
