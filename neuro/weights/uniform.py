"""Uniform levels: every entry holds one of L evenly spaced weights; one bit is two of them, and none of them is 0.

weight = (2 · code − (L − 1)) · largest / (L − 1),   code 0 .. L − 1, from −largest to +largest.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from neuro.errors import DescriptionError
from neuro.weights import violation
from neuro.weights.drawing import offsets, settled, take
from neuro.weights.latents import aligned, finite

MOST_LEVELS = 2**32


@dataclass(frozen=True, eq=False)
class UniformScheme:
    """Hold weights at a few bits, without slots: code −1 where no connection may be, else the number of a level.

    levels: 2 to 2^32, 2^b for b bits, 3 for ternary weights; largest: the last level's weight. Code and weight have the
    latent's shape. Raises DescriptionError for parameters that cannot be. Source: weights of a given number of bits as in
    Muller & Indiveri 2015, arXiv 1504.05767; two levels: Courbariaux, Bengio & David 2015, arXiv 1511.00363.
    """

    levels: int
    largest: float = 1.0
    empty = -1
    slots = None

    def __post_init__(self) -> None:
        if not isinstance(self.levels, int) or not 2 <= self.levels <= MOST_LEVELS:
            raise DescriptionError(
                f"levels is {self.levels!r}, allowed: 2 to {MOST_LEVELS}; give 2 to the number of bits"
            )
        if not 0 < self.largest < torch.finfo(torch.float32).max:
            raise DescriptionError(f"largest is {self.largest!r}, allowed: a finite number above 0")

    def to(self, device) -> UniformScheme:
        """Return the scheme: it holds no tensors."""
        return self

    def project(self, latent: torch.Tensor, allowed: torch.Tensor | None = None) -> torch.Tensor:
        """Return the nearest code, int64; at equal distance the level nearer to 0, + at 0. Raises FeasibilityError."""
        place = self._places(finite(latent))
        lower = place.floor()
        rest = place - lower
        up = (rest > 0.5) | ((rest == 0.5) & (latent.detach() <= 0))
        return self._masked(lower.long() + up, aligned(allowed, latent))

    def hold(self, latent: torch.Tensor, allowed: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the nearest code that fits and its weight."""
        code = self.project(latent, allowed)
        return code, self.decode(code)

    def draw(
        self, latent: torch.Tensor, allowed: torch.Tensor | None = None, generator: torch.Generator | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return a random neighbouring level of each entry, right on average, and its weight.

        Entries are rounded independently; without a generator with error feedback along every row.
        """
        place = settled(self._places(finite(latent))).flatten(1)
        lower = place.floor()
        if generator is None:
            rest = (place - lower) if allowed is None else (place - lower) * aligned(allowed, latent).flatten(1)
            up = take(rest, torch.zeros_like(rest, dtype=torch.bool), offsets(len(rest), None, rest.device))
        else:
            coin = torch.rand(place.shape, generator=generator, dtype=torch.float64).to(place.device)
            up = coin < place - lower
        code = self._masked((lower.long() + up).view(latent.shape), aligned(allowed, latent))
        return code, self.decode(code)

    def decode(self, code: torch.Tensor) -> torch.Tensor:
        """Return the float32 weight of a code, in its shape."""
        value = (2 * code.double() - (self.levels - 1)) * (self.largest / (self.levels - 1))
        return value.masked_fill(code < 0, 0.0).to(torch.float32)

    def slots_used(self, code: torch.Tensor) -> torch.Tensor:
        """Return the number of entries that hold a level, [N] long."""
        return (code >= 0).flatten(1).sum(1)

    def violations(self, code: torch.Tensor, allowed: torch.Tensor | None = None) -> list[violation.Violation]:
        """Find codes that are no level, and levels where none may be; [] means it can be held."""
        indices = violation.as_array(code)
        if found := violation.malformed(indices, (2, 3, 4)):
            return found
        least = 0 if allowed is None else -1
        return violation.out_of_range(indices, least, self.levels - 1) + violation.not_allowed(indices >= 0, allowed)

    def hull(self, latent: torch.Tensor, allowed: torch.Tensor | None = None) -> torch.Tensor:
        """Return the latent within ± largest, 0 where no connection may be."""
        inside, allowed = finite(latent).clamp(-self.largest, self.largest), aligned(allowed, latent)
        return inside if allowed is None else inside.masked_fill(~allowed, 0.0)

    def word_values(self, latent: torch.Tensor) -> torch.Tensor:
        """Return the largest level, float64 in the latent's shape and 1."""
        return torch.full((*latent.shape, 1), self.largest, dtype=torch.float64, device=latent.device)

    def _places(self, latent: torch.Tensor) -> torch.Tensor:
        """Where each latent lies among the levels, float64 from 0 to L − 1."""
        share = latent.double().clamp(-self.largest, self.largest) / self.largest
        return ((share + 1) * ((self.levels - 1) / 2)).clamp_(0, self.levels - 1)

    def _masked(self, code: torch.Tensor, allowed: torch.Tensor | None) -> torch.Tensor:
        code = code.clamp(0, self.levels - 1)
        return code if allowed is None else code.masked_fill(~allowed, -1)
