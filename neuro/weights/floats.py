"""Floats: the weight is the latent itself; for float twins only, export and verify refuse it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from neuro.weights import violation
from neuro.weights.latents import aligned, finite
from neuro.weights.parameters import moved


@dataclass(frozen=True, eq=False)
class FloatScheme:
    """Hold weights as floats; the code is the latent, with zeros where no connection may be.

    bases are carried along so that a twin has the parameters of its chip; they change no weight.
    """

    bases: torch.Tensor | None = None
    slots = None

    def __post_init__(self) -> None:
        bases = torch.empty(0) if self.bases is None else self.bases
        object.__setattr__(self, "bases", torch.as_tensor(bases, dtype=torch.float64).detach())

    def with_bases(self, bases: torch.Tensor) -> FloatScheme:
        """Return the same scheme carrying other bases."""
        return replace(self, bases=bases)

    def to(self, device) -> FloatScheme:
        """Return a copy whose tensors are on the device."""
        return moved(self, device)

    def project(self, latent: torch.Tensor, allowed: torch.Tensor | None = None) -> torch.Tensor:
        """Return a copy of the latent [N, M(, C(, D))], zero where not allowed. Raises FeasibilityError."""
        latent, allowed = finite(latent), aligned(allowed, latent)
        return latent.clone() if allowed is None else latent.masked_fill(~allowed, 0.0)

    def hold(self, latent: torch.Tensor, allowed: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the nearest code that fits and its weight."""
        code = self.project(latent, allowed)
        return code, self.decode(code)

    def draw(
        self, latent: torch.Tensor, allowed: torch.Tensor | None = None, generator: torch.Generator | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return what `hold` does: floats have nothing to round."""
        return self.hold(latent, allowed)

    def decode(self, code: torch.Tensor) -> torch.Tensor:
        """Return the code as float32."""
        return code.to(torch.float32)

    def slots_used(self, code: torch.Tensor) -> torch.Tensor:
        """Return the number of non-zero weights of each row, [N] long."""
        return (code != 0).flatten(1).sum(1)

    def violations(self, code: torch.Tensor, allowed: torch.Tensor | None = None) -> list[violation.Violation]:
        """Find non-zero weights that are not allowed; floats have no other limit."""
        return violation.not_allowed(violation.as_array(code != 0), allowed)

    def base_gradient(self, code: torch.Tensor, grad_weight: torch.Tensor) -> torch.Tensor:
        """Return zeros [N, K]: no weight depends on the bases."""
        return grad_weight.new_zeros(len(code), self.bases.shape[-1])

    def initial_bases(self, latent: torch.Tensor) -> torch.Tensor:
        """Return the bases as they are: floats need none."""
        return self.bases

    def word_values(self, latent: torch.Tensor) -> torch.Tensor:
        """Return ones in the latent's shape and 1, float64: floats have no words."""
        return torch.ones_like(latent, dtype=torch.float64)[..., None]

    def hull(self, latent: torch.Tensor, allowed: torch.Tensor | None = None) -> torch.Tensor:
        """Return the latent, zero where not allowed: floats have no bound."""
        return self.project(latent, allowed)
