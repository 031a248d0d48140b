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


def constrain(module: nn.Module, schemes: Mapping[str, object], bases: str = "fixed") -> Constrained:
    """Give a copy of a module whose named weights are held to schemes; the module itself stays as it is.

    schemes: parameter name (such as "fc1.weight") -> scheme; a weight [out, in, …] is one row an output. bases: "fixed",
    the schemes' base weights stay as given; "layer", each weight trains its own; "network", all train the same ones, from
    values that fit the module's weights. Raises NeuroError for names that are no parameters.
    """
    if bases not in ("fixed", "layer", "network"):
        raise NeuroError(f"bases is {bases!r}, allowed: fixed, layer, network")
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
    return Constrained(copy.deepcopy(module), schemes, bases)


class Constrained(nn.Module):
    """A module under constraints; `QRewiring` takes it like a `Network`. The module itself is `.module`."""

    def __init__(self, module: nn.Module, schemes: Mapping[str, object], bases: str = "fixed"):
        super().__init__()
        self.module = module
        self.bases = None if bases == "fixed" else FreeBases(_first_bases(module, schemes, bases == "network"))
        self._parts = {}
        for number, (name, scheme) in enumerate(schemes.items()):
            owner = module.get_submodule(name.rpartition(".")[0])
            weight = name.rpartition(".")[2]
            rows = torch.full((len(getattr(owner, weight)),), number if bases == "layer" else 0)
            memory = _RowMemory(scheme, bases=self.bases, cores=rows)
            memory.refresh_bases()
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
        """Parameters for an optimizer: base weights that train in a group of their own, at `base_lr` (default lr / 10)."""
        rest = [p for name, p in self.named_parameters() if not name.startswith("bases.")]
        groups = [{"params": rest, "lr": lr}]
        if self.bases is not None:
            base_lr = lr / 10 if base_lr is None else base_lr
            groups.append({"params": [self.bases.latent], "lr": base_lr, "weight_decay": 0.0, "base": True})
        return groups

    def project(self) -> None:
        """Take over base weights that moved, then bring every code to the nearest point its scheme can hold."""
        self.project_bases()
        self.project_codes()

    def project_bases(self) -> None:
        """Take over base weights that moved; those that are fixed stay as given."""
        for _, _, memory in self.synapses():
            memory.refresh_bases()

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


class FreeBases(nn.Module):
    """Base weights that may have any value above 0: `latent` [groups, K], their logarithms."""

    def __init__(self, values: torch.Tensor):
        super().__init__()
        self.latent = nn.Parameter(values.log().float())

    def values(self) -> torch.Tensor:
        """Return the base weights, float32 [groups, K]."""
        return self.latent.detach().exp()


def _first_bases(module: nn.Module, schemes: Mapping[str, object], shared: bool) -> torch.Tensor:
    """What fits the weights there are, one row a weight, or one for all of them together: [groups, K]."""
    latents = [module.get_parameter(name).detach() for name in schemes]
    if not shared:
        pairs = zip(schemes.values(), latents, strict=True)
        return torch.stack([scheme.initial_bases(latent.flatten(1)) for scheme, latent in pairs])
    return next(iter(schemes.values())).initial_bases(torch.cat([x.flatten() for x in latents])[None])[None]


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
