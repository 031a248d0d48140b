"""Where training starts: latents drawn or given, and base weights with which neurons use all their words."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch

from neuro.errors import DataError, DescriptionError
from neuro.nn.bases import BaseWeights
from neuro.nn.entries import draw_sources
from neuro.nn.schemes import build_scheme
from neuro.placement import Plan, word_limits


def first_latent(
    plan: Plan, name: str, given: Mapping | None, seed: int, entries: int | None = None
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Make a population's first latent [N, M, C, D]: given by source, or uniform in ± gain · θ · sqrt(3 / fan-in).

    The fan-in is what a neuron may listen to, or its slots or axons where those are fewer: few words must be large
    ones. With a number of entries: latent [N, E, C, D] and the column each entry listens to [N, E], the largest given.
    """
    if given is not None:
        allowed = plan.allowed(name)
        shape = (plan.spec.size_of(name), *plan.usable(name).shape)
        mask = torch.ones(shape) if allowed is None else torch.from_numpy(allowed).float()
        latent = _given(plan, name, given.get(name, {}), mask) * mask
        return (latent, None) if entries is None else _largest(plan, name, latent, entries)
    generator = torch.Generator().manual_seed(seed)
    if entries is None:
        allowed, source = plan.allowed(name), None
        shape = (plan.spec.size_of(name), *plan.usable(name).shape)
        mask = torch.ones(shape) if allowed is None else torch.from_numpy(allowed).float()
    else:
        source = draw_sources(plan, name, entries, torch.Generator().manual_seed(seed + 1))
        mask = torch.from_numpy(plan.usable(name)).float()[source]
    population = plan.spec.populations[name]
    chip = plan.chip
    limits = word_limits(plan, name)
    words = (chip.weights.slots or math.inf) if limits is None else float(limits[:, -1].mean())
    fan_in = min(float(mask.sum() / len(mask)), words, chip.cores.axons or math.inf)
    if name in plan.budgets:
        fan_in = min(fan_in, float(plan.budgets[name].sum()) / len(mask))
    bound = population.init_gain * population.threshold * math.sqrt(3 / max(fan_in, 1.0))
    return (torch.rand(mask.shape, generator=generator) * 2 - 1) * bound * mask, source


def _largest(plan: Plan, name: str, latent: torch.Tensor, entries: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Keep the entries of largest latents of each neuron."""
    size = latent.abs().flatten(2).amax(2)
    if len(itself := plan.itself(name)):
        size[torch.arange(len(size)), torch.from_numpy(itself)] = -1.0
    if (heard := plan.heard(name)) is not None:
        size[~torch.from_numpy(heard)] = -1.0
    source = size.topk(entries, 1).indices.sort(1).values
    return latent.gather(1, source[:, :, None, None].expand(-1, -1, *latent.shape[2:])), source


def _given(plan: Plan, name: str, by_source: Mapping, mask: torch.Tensor) -> torch.Tensor:
    columns = plan.columns(name)
    result = torch.zeros_like(mask)
    for source, values in by_source.items():
        if source not in columns:
            raise DataError(f"latents name {source} → {name}, which is no projection; allowed: {', '.join(columns)}")
        values = torch.as_tensor(values, dtype=torch.float32).detach()
        block = mask[:, columns[source]]
        if values.shape not in (block.shape[:2], block.shape):
            raise DataError(
                f"latents {source} → {name} have shape {list(values.shape)}, allowed: {list(block.shape[:2])} or "
                f"{list(block.shape)}"
            )
        if values.dim() == 2:
            values = _in_first_word(values, block)
        result[:, columns[source]] = values
    return result


def _in_first_word(values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Put a plain matrix [N, M] into the first word each pair may use."""
    first = mask.flatten(2).argmax(-1, keepdim=True)
    return torch.zeros_like(mask).flatten(2).scatter_(2, first, values[..., None]).view_as(mask)


def first_bases(plan: Plan, bases: BaseWeights, latents: Mapping[str, torch.Tensor], given: Mapping | None):
    """Make the first base weights [cores, K]: given by name, or what the schemes suggest for each core's latents."""
    if given is None:
        return _suggested(plan, bases, latents)
    if set(given) != set(bases.names):
        raise DescriptionError(f"bases name {', '.join(given) or 'none'}, allowed: exactly {', '.join(bases.names)}")
    if bases.dac is None:
        for name, value in given.items():
            for grid in set(bases.grid().tolist()):
                if value <= 0 or value % grid or value / grid >= 2**bases.bits:
                    raise DescriptionError(
                        f"base weight {name} is {value}, allowed: a multiple of {grid} (the grid) below "
                        f"{grid * 2**bases.bits:g}; fewer slots or a smaller base_max make the grid finer"
                    )
    return torch.tensor([[given[name] for name in bases.names]]).expand(len(plan.cores), -1)


def _suggested(plan: Plan, bases: BaseWeights, latents: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """Mean, over the populations of a core, of the logarithms their schemes suggest."""
    logs = [[] for _ in plan.cores]
    for name, latent in latents.items():
        cores = plan.core_index(name)
        for core in sorted(set(cores.tolist())):
            scheme = build_scheme(plan, name, bases, cores == core)
            logs[core].append(scheme.initial_bases(latent.detach()[torch.from_numpy(cores == core)]).double().log())
    return torch.stack([torch.stack(entries).mean(0).exp() for entries in logs])
