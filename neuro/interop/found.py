"""A module where it was found in a model: reading its constants, and refusing it by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

import torch
from torch import nn

from neuro.errors import DescriptionError


@dataclass(frozen=True)
class Found:
    """A module and its qualified name in the model."""

    name: str
    module: nn.Module

    @property
    def kind(self) -> type:
        return type(self.module)

    @property
    def is_linear(self) -> bool:
        return isinstance(self.module, nn.Linear) and self.kind.forward is nn.Linear.forward

    @property
    def passes_on(self) -> bool:
        """Does evaluation leave what runs through as it is, but for its shape?"""
        if self.kind is nn.Dropout and self.module.training and self.module.p > 0:
            self.refuse("training mode", "evaluation mode", "call model.eval() first")
        if self.kind is nn.Flatten and self.module.start_dim == 0:
            self.refuse("start_dim=0", "start_dim of at least 1", "leave the batch as it is")
        return self.kind in (nn.Identity, nn.Dropout, nn.Flatten)

    def refuse(self, has: str, supported: str, todo: str) -> NoReturn:
        """Raise DescriptionError: which module, what it has, what is supported, what to do."""
        where = f"{self.name or 'the model'} ({self.kind.__name__})"
        raise DescriptionError(f"{where} has {has}; supported: {supported}; {todo}")

    def uniform(self, field: str, value) -> float:
        """Read a constant that all neurons of a layer share, as the float32 the simulator computes with."""
        values = torch.as_tensor(value).detach().cpu().to(torch.float32).unique()
        if len(values) != 1:
            self.refuse(f"{len(values)} values of {field}", "one a layer", "make it uniform, or split the layer")
        if not bool(values.isfinite()):
            self.refuse(f"{field} = {values.item()}", "a finite number", "change it")
        return values.item()

    def threshold(self, field: str, value) -> float:
        """Read θ as the smallest float32 above it: the simulators fire where v > θ, we do where u ≥ threshold."""
        theta = torch.tensor(self.uniform(field, value))
        if theta <= 0:
            self.refuse(f"{field} = {theta.item():g}", "a threshold above 0", "raise it")
        return torch.nextafter(theta, torch.tensor(float("inf"))).item()

    def linear_weights(self) -> torch.Tensor:
        """Read the weights [out, in] of a Linear without bias."""
        bias = self.module.bias
        if bias is not None and (count := int((bias != 0).sum())):
            todo = f"build it with bias=False, or set {self.name}.bias = None before training"
            self.refuse(f"a bias with {count} non-zero values", "no bias", todo)
        return self.module.weight.detach().cpu()
