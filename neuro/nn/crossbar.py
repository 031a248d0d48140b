"""Synapse memories of crossbars: every neuron has a weight of its own for each type of axon, fitted to its latents."""

from __future__ import annotations

from dataclasses import replace

import torch

from neuro.nn.memory import SynapseMemory


class CrossbarMemory(SynapseMemory):
    """A synapse memory whose `values` [n, G], the neurons' weights in grid units, are re-fitted at every projection.

    They go on from where they are, so they are part of what is saved.
    """

    def __init__(self, scheme, *args, **kwargs):
        super().__init__(scheme, *args, **kwargs)
        self.register_buffer("values", scheme.values)

    def project(self, latent: torch.Tensor) -> None:
        """Fit the neurons' weights, then set the code to the nearest point the chip can hold with them."""
        with torch.no_grad():
            self.scheme = replace(self.scheme, values=self.values).fitted(
                self.within_limits(latent.detach()), self.allowed
            )
            self.values = self.scheme.values
        super().project(latent)
