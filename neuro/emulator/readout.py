"""Outputs: spikes summed by class on the chip, or traces weighted beside it, in float32."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from neuro.tables import Tables


@dataclass(frozen=True, eq=False)
class Spikes:
    """Neuron `index` speaks for class index // (size / classes)."""

    population: str
    classes: int

    def __call__(self, z: torch.Tensor, trace: None) -> tuple[torch.Tensor, None]:
        """Give [T, B, classes] from the population's spikes [T, B, n]."""
        return z.unflatten(-1, (self.classes, -1)).sum(-1), None


@dataclass(frozen=True, eq=False)
class Traces:
    """r = decay · r + z, y = W · r + b."""

    population: str
    decay: torch.Tensor
    weight: torch.Tensor
    bias: torch.Tensor

    def __call__(self, z: torch.Tensor, trace: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
        """Give y [T, B, classes] from spikes [T, B, n] and the trace [B, n] before them; and the trace after them."""
        outputs = []
        for spikes in z:
            trace = spikes.clone() if trace is None else self.decay * trace + spikes
            outputs.append(torch.nn.functional.linear(trace, self.weight, self.bias))
        return torch.stack(outputs), trace


def places_of(tables: Tables) -> dict[str, slice]:
    """Where each population stands among all neurons side by side."""
    result, start = {}, 0
    for name, size in tables.population_sizes.items():
        result[name] = slice(start, start + size)
        start += size
    return result


def readouts_of(tables: Tables) -> dict[str, Spikes | Traces]:
    """Make every output of a well-formed configuration."""
    sizes, result = tables.population_sizes, {}
    for number, output in enumerate(tables.manifest.outputs):
        size = sizes[output.population]
        if output.kind == "spikes":
            result[output.name] = Spikes(output.population, output.classes or size)
        else:
            weight, bias = _matrix(tables, number, output.classes, size)
            result[output.name] = Traces(output.population, torch.tensor(output.decay), weight, bias)
    return result


def _matrix(tables: Tables, number: int, classes: int, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    rows = tables.frames["readout"]
    rows = rows[rows["output"] == number]
    table = torch.zeros(classes, size + 1)
    row, column = rows["row"].tolist(), (rows["index"] + 1).tolist()
    table[row, column] = torch.tensor(rows["weight"].tolist())
    return table[:, 1:].contiguous(), table[:, 0].contiguous()
