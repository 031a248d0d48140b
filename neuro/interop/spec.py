"""From layers to a network: names, delays, and what the chip's neuron has to be."""

from __future__ import annotations

import torch

from neuro.errors import DescriptionError
from neuro.interop.stack import Layer
from neuro.task import NetworkSpec, Output, Population, Projection

Latents = dict[str, dict[str, torch.Tensor]]


def build_spec(layers: list[Layer], dt_s: float) -> tuple[NetworkSpec, Latents]:
    """Join layers to populations "layer1", "layer2", … from the one input "input" to the one output "output"."""
    if not 0 < dt_s <= 1e6:
        raise DescriptionError(f"dt_s is {dt_s}; allowed: a time step in seconds, above 0")
    chip_needs(layers)
    names = [f"layer{k + 1}" for k in range(len(layers))]
    projections, latents = [], {name: {} for name in names}
    for source, target, layer in zip(["input", *names], names, layers, strict=False):
        projections.append(Projection(source=source, target=target, delay=int(source != "input")))
        latents[target][source] = _latent(layer, layer.weights)
        if layer.cell.recurrent is not None or layer.cell.self_weight:
            projections.append(Projection(source=target, target=target, delay=1, autapses=layer.cell.autapses))
            latents[target][target] = _recurrent(layer)
    spec = NetworkSpec(
        dt_s=dt_s,
        inputs={"input": layers[0].weights.shape[1]},
        populations={name: _population(layer, dt_s) for name, layer in zip(names, layers, strict=True)},
        projections=tuple(projections),
        outputs={"output": Output(population=names[-1])},
    )
    return spec, latents


def chip_needs(layers: list[Layer]) -> list[str]:
    """Write the overrides under which a chip's neuron is the neuron of these layers."""
    kinds = {layer.cell.reset: layer.name for layer in layers}
    if len(kinds) > 1:
        raise DescriptionError(
            f"{kinds['subtract']} resets by subtraction, {kinds['to_value']} to a value; supported: one kind for all "
            "layers, as a chip has; change one of them"
        )
    hold = ["neuron.refractory=hold"] if any(layer.cell.holds for layer in layers) else []
    return [f"neuron.reset={next(iter(kinds))}", *hold]


def shift_of(spec: NetworkSpec, layer: str) -> int:
    """Count the steps by which population `layer` spikes later than in the original: 0 for "layer1", 1 for "layer2".

    Spikes of step t of the original stand at step t + shift, so append as many empty steps to the input. Raises
    DescriptionError for an unknown layer.
    """
    if layer not in spec.populations:
        raise DescriptionError(f"layer is {layer!r}; allowed: {', '.join(spec.populations)}")
    return list(spec.populations).index(layer)


def _latent(layer: Layer, weights: torch.Tensor) -> torch.Tensor:
    return (layer.cell.gain * weights.to(torch.float64)).to(torch.float32)


def _recurrent(layer: Layer) -> torch.Tensor:
    own = torch.eye(len(layer.weights), dtype=torch.float64) * layer.cell.self_weight
    given = layer.cell.recurrent
    return (own if given is None else own + layer.cell.gain * given.to(torch.float64)).to(torch.float32)


def _population(layer: Layer, dt_s: float) -> Population:
    cell = layer.cell
    return Population(
        size=len(layer.weights),
        decay_mem=cell.decay_mem,
        decay_syn=cell.decay_syn,
        threshold=cell.threshold,
        v_reset=cell.v_reset,
        refractory_s=dt_s if cell.holds else 0.0,
    )
