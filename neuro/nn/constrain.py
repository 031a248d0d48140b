"""Constrain any torch module: named weights become codes of a scheme, whatever the module computes with them."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import nn
from torch.nn.utils import parametrize

from neuro.errors import FeasibilityError, NeuroError
from neuro.nn.checksum import checksum
from neuro.nn.memory import NOT_ITS_CODE, SynapseMemory, codes_that_differ


def constrain(module: nn.Module, schemes: Mapping[str, object]) -> Constrained:
    """Give a copy of a module whose named weights are held to schemes; the module itself stays as it is.

    schemes: parameter name (such as "fc1.weight") -> scheme; a weight [out, in, …] is one row an output. The scheme's
    base weights stay as given. Raises NeuroError for names that are no parameters.
    """
    names = dict(module.named_parameters())
    for name in schemes:
        if name not in names:
            raise NeuroError(f"{name!r} is no parameter of {type(module).__name__}, allowed: {', '.join(names)}")
        if names[name].dim() < 2:
            raise NeuroError(f"{name!r} has shape {list(names[name].shape)}, allowed: at least [out, in]")
        tied = [n for n, p in module.named_parameters(remove_duplicate=False) if p is names[name]]
        owner = module.get_submodule(name.rpartition(".")[0])
        tied = [n for n in tied if module.get_submodule(n.rpartition(".")[0]) is not owner]
        if tied:
            raise NeuroError(
                f"{name!r} is also {tied[0]!r} (tied weights); untie them, one code cannot stand in two places"
            )
    return Constrained(copy.deepcopy(module), schemes)


class Constrained(nn.Module):
    """A module under constraints; `QRewiring` takes it like a `Network`. The module itself is `.module`."""

    def __init__(self, module: nn.Module, schemes: Mapping[str, object]):
        super().__init__()
        self.module = module
        self.bases = None
        self._parts = {}
        for name, scheme in schemes.items():
            owner = module.get_submodule(name.rpartition(".")[0])
            weight = name.rpartition(".")[2]
            memory = _RowMemory(scheme)
            memory.project(getattr(owner, weight))
            parametrize.register_parametrization(owner, weight, memory, unsafe=True)
            self._parts[name] = (owner, weight)
        self.project()

    def forward(self, *args, **kwargs):
        return self.module(*args, **kwargs)

    def synapses(self):
        """Every latent with its memory, by name."""
        for name, (owner, weight) in self._parts.items():
            held = owner.parametrizations[weight]
            yield name, held.original, held[0]

    def parameter_groups(self, lr: float, base_lr: float | None = None) -> list[dict]:
        """Parameters for an optimizer; base weights are fixed, so there is one group."""
        return [{"params": list(self.parameters()), "lr": lr}]

    def project(self) -> None:
        """Bring every code to the nearest point its scheme can hold."""
        self.project_codes()

    def project_bases(self) -> None:
        """Do nothing: the base weights of schemes stay as given."""

    def project_codes(self) -> None:
        """Bring every code to the nearest point its scheme can hold."""
        for _, latent, memory in self.synapses():
            memory.project(latent)

    def violations(self) -> list[str]:
        """Every limit the present codes break, as text; empty after every step."""
        return [f"{name}, {v}" for name, latent, memory in self.synapses() for v in memory.violations(latent)]

    def load_state_dict(self, state: Mapping[str, torch.Tensor], strict: bool = True, assign: bool = False):
        """Load a constrained module's tensors and project again; refuses codes that are not what the latents give."""
        result = super().load_state_dict(state, strict, assign)
        self.project()
        wrong = codes_that_differ(self.state_dict(), state)
        if wrong:
            raise FeasibilityError(f"{wrong[0]} {NOT_ITS_CODE}")
        return result


class _RowMemory(SynapseMemory):
    """A memory over the rows of a weight of any shape."""

    def project(self, latent: torch.Tensor) -> None:
        super().project(latent.flatten(1))
        self.weight = self.weight.view(latent.shape)
        if self.drawn_weight is not None:
            self.drawn_weight = self.drawn_weight.view(latent.shape)
        self.stamp = checksum(latent)

    def hull(self, latent: torch.Tensor) -> torch.Tensor:
        return super().hull(latent.flatten(1)).view(latent.shape)

    def rounded(self, latent: torch.Tensor, rule, step: int, number: int) -> torch.Tensor:
        return super().rounded(latent.flatten(1), rule, step, number).view(latent.shape)

    def word_values(self, latent: torch.Tensor) -> torch.Tensor:
        return super().word_values(latent.flatten(1)).view(*latent.shape, -1)
