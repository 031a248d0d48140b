"""Proof that tables of a model of layers compute what it does: every output equal, and with noise alike on average."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from neuro.emit.layers import export_layers
from neuro.emulator.layers import replay_layers
from neuro.silicon.layers import noisy_outputs
from neuro.tables.check_layers import check_layers
from neuro.tables.layers import load_layer_tables
from neuro.verification.noise import Noise, largest_z, refuse_draws


@dataclass(frozen=True)
class LayerVerification:
    """What a comparison of a model on tiles with the replay of its tables found.

    differ: outputs that are not equal to the bit, without noise; noise: what noise on either side made of their means.
    """

    compared: int
    differ: int
    findings: tuple[str, ...]
    noise: Noise | None = None

    @property
    def passed(self) -> bool:
        return not self.differ and not self.findings and (self.noise is None or self.noise.agrees)

    def __str__(self) -> str:
        text = f"{self.differ} of {self.compared:,} outputs differ; {len(self.findings)} limits exceeded"
        return "\n".join([text, *self.findings, *([] if self.noise is None else [str(self.noise)])])


def verify_layers(held, x: torch.Tensor, tables: str | Path | None = None, draws: int = 0) -> LayerVerification:
    """Compare a model that `neuro.silicon.on_tiles` made with the replay of its tables, for samples x [B, …].

    tables: a folder to hold against it; without one the model is exported to a temporary folder first. draws: compare
    outputs of devices programmed with noise, too, and how far off they are, in so many draws on either side, which is a
    statistical statement; 0 = not, at least 10.
    """
    refuse_draws(draws)
    if tables is None:
        with tempfile.TemporaryDirectory() as folder:
            export_layers(held).save(Path(folder) / "tables")
            return verify_layers(held, x, Path(folder) / "tables", draws)
    read = load_layer_tables(tables)
    findings = tuple(str(finding) for finding in check_layers(read))
    if findings:
        return LayerVerification(0, 0, findings)
    held.eval()
    with torch.no_grad():
        wanted, found = held(x), replay_layers(read, x)
    differ = int((wanted != found).sum()) if wanted.shape == found.shape else wanted.numel()
    if not draws:
        return LayerVerification(wanted.numel(), differ, findings)
    sides = (
        [noisy_outputs(held, x, seed) for seed in range(draws)],
        [replay_layers(read, x, draws + seed) for seed in range(draws)],
    )
    largest = largest_z(*(_means(torch.stack(side).double(), wanted) for side in sides))
    return LayerVerification(wanted.numel(), differ, findings, Noise(draws, len(x), *largest))


def _means(outputs: torch.Tensor, exact: torch.Tensor) -> np.ndarray:
    """What is compared of each draw: every output, and how far all of them are off, squared."""
    off = (outputs - exact).flatten(1).square().sum(1, keepdim=True)
    return torch.cat([outputs.flatten(1), off], 1).numpy()
