"""Constrain any torch module: named weights become codes of a scheme, whatever the module computes with them."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import nn
from torch.nn.utils import parametrize

from neuro.errors import FeasibilityError, NeuroError
from neuro.nn.checksum import checksum
from neuro.nn.memory import CHANGED, NOT_ITS_CODE, SynapseMemory, codes_that_differ


def constrain(
    module: nn.Module, schemes: Mapping[str, object], bases: str = "fixed", tile: tuple[int, int] | None = None
) -> Constrained:
    """Give a copy of a module whose named weights are held to schemes; the module itself stays as it is.

    schemes: parameter name (such as "fc1.weight") -> scheme; a weight [out, in, …] is one row an output. bases: "fixed",
    the schemes' base weights stay as given; "layer", each weight trains its own; "network", all train the same ones;
    "tile", each tile of a weight does, `tile` its rows (inputs) and columns (outputs): of schemes without a budget, such as
    pairs of conductances. They start from values that fit the module's weights. Raises NeuroError for names that are no
    parameters.
    """
    if bases not in ("fixed", "layer", "network", "tile"):
        raise NeuroError(f"bases is {bases!r}, allowed: fixed, layer, network, tile")
    whole = tile is not None and len(tile) == 2 and all(type(n) is int and n > 0 for n in tile)
    if (bases == "tile") != whole:
        raise NeuroError(f"tile is {tile!r}, allowed: (rows, columns) where bases is 'tile', None elsewhere")
    budget = [name for name, scheme in schemes.items() if bases == "tile" and scheme.slots is not None]
    if budget:
        raise NeuroError(
            f"{budget[0]!r}: its rows share a budget of slots, which tiles cannot; allowed: schemes without"
        )
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
    return Constrained(copy.deepcopy(module), schemes, bases, tile)


class Constrained(nn.Module):
    """A module under constraints; `QRewiring` takes it like a `Network`. The module itself is `.module`."""

    def __init__(self, module: nn.Module, schemes: Mapping[str, object], bases: str = "fixed", tile=None):
        super().__init__()
        self.module = module
        groups, first = _groups(module, schemes, bases, tile)
        self.bases = None if bases == "fixed" else FreeBases(first)
        self._parts = {}
        for name, scheme in schemes.items():
            owner = module.get_submodule(name.rpartition(".")[0])
            weight = name.rpartition(".")[2]
            memory = _RowMemory(scheme, bases=self.bases, cores=groups[name])
            memory.width = tile[0] if tile else None
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


def _groups(module: nn.Module, schemes: Mapping[str, object], bases: str, tile):
    """Which base weights each row of a weight takes, by name, and what fits the weights there are, [groups, K]."""
    latents = {name: module.get_parameter(name).detach().flatten(1) for name in schemes}
    if bases in ("fixed", "network"):
        groups = {name: torch.zeros(len(latent), dtype=torch.long) for name, latent in latents.items()}
        if bases == "fixed":
            return groups, None
        together = torch.cat([latent.flatten() for latent in latents.values()])[None]
        return groups, next(iter(schemes.values())).initial_bases(together)[None]
    groups, first = {}, []
    for name, latent in latents.items():
        height, width = (len(latent), latent.shape[1]) if bases == "layer" else (tile[1], tile[0])
        across = -(-latent.shape[1] // width)
        down = torch.arange(len(latent)) // height
        groups[name] = (len(first) + down[:, None] * across + torch.arange(across)).flatten()
        parts = [part for rows in latent.split(height) for part in rows.split(width, 1)]
        first += [schemes[name].initial_bases(part) for part in parts]
    return groups, torch.stack(first)


class _RowMemory(SynapseMemory):
    """A memory over the rows of a weight of any shape; where tiles have a width, each row in stretches of it."""

    width: int | None = None

    def rows(self, values: torch.Tensor) -> torch.Tensor:
        """What the scheme sees of a latent, code or weight: its rows, or the stretches of each row, filled up with 0."""
        values = values.flatten(1)
        if self.width is None:
            return values
        short = -values.shape[1] % self.width
        return nn.functional.pad(values, (0, short)).view(-1, self.width)

    def _back(self, rows: torch.Tensor, shape: torch.Size) -> torch.Tensor:
        return rows.reshape(shape[0], -1)[:, : shape[1:].numel()].reshape(shape)

    def _code_back(self, code: torch.Tensor, latent: torch.Tensor) -> torch.Tensor:
        return code if self.width is None else self._back(code, latent.flatten(1).shape)

    def project(self, latent: torch.Tensor) -> None:
        super().project(self.rows(latent))
        self.code, self.weight = self._code_back(self.code, latent), self._back(self.weight, latent.shape)
        if self.drawn_weight is not None:
            self.drawn_code = self._code_back(self.drawn_code, latent)
            self.drawn_weight = self._back(self.drawn_weight, latent.shape)
        self.stamp = checksum(latent)

    def _broken(self, code: torch.Tensor, weight: torch.Tensor) -> list[str]:
        if self.width is None:
            return super()._broken(code, weight)
        found = [str(v) for v in self.scheme.violations(self.rows(code))]
        if not found and not torch.equal(self._back(self.scheme.decode(self.rows(code)), weight.shape), weight):
            return [CHANGED]
        return found

    def base_gradient(self, code: torch.Tensor, grad_weight: torch.Tensor, factors=None) -> torch.Tensor:
        both = (code, grad_weight) if self.width is None else (self.rows(code), self.rows(grad_weight))
        return super().base_gradient(*both, factors)

    def hull(self, latent: torch.Tensor) -> torch.Tensor:
        return self._back(super().hull(self.rows(latent)), latent.shape)

    def rounded(self, latent: torch.Tensor, rule, step: int, number: int) -> torch.Tensor:
        return self._back(super().rounded(self.rows(latent), rule, step, number), latent.shape)

    def word_values(self, latent: torch.Tensor) -> torch.Tensor:
        found = super().word_values(self.rows(latent))
        if self.width is None:
            return found.view(*latent.shape, -1)
        return torch.stack([self._back(part, latent.shape) for part in found.unbind(-1)], -1)
