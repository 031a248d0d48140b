"""A torch model read as a stack of layers: the part that norse and snnTorch share.

A layer is a matrix of weights and the neurons behind it, in our constants:

    i = decay_syn · i + gain · W · s;   u = decay_mem · v + i;   z = u ≥ θ;   v = u − θ z  |  v_reset where z
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import nn

from neuro.interop.found import Found


@dataclass(frozen=True)
class Cell:
    """Neurons of one layer; a cell that brings weights of its own has them in `inputs` and `recurrent` [out, in].

    `holds`: silent and at v_reset in the step after a spike. `self_weight`: what a neuron's own spike adds one step
    later, beside `recurrent` and after `gain`.
    """

    decay_mem: float
    decay_syn: float
    threshold: float
    reset: str
    v_reset: float = 0.0
    gain: float = 1.0
    holds: bool = False
    self_weight: float = 0.0
    inputs: torch.Tensor | None = None
    recurrent: torch.Tensor | None = None
    autapses: bool = True


class Layer(NamedTuple):
    """Weights [out, in] and the cell they drive; `name` is the cell's in the model."""

    name: str
    weights: torch.Tensor
    cell: Cell


@dataclass(frozen=True)
class Library:
    """What one simulator has: its wrappers that only pass on, and how each of its cells is read."""

    wrappers: tuple[type, ...]
    cells: dict[type, Callable[[Found], Cell]]

    @property
    def cell_names(self) -> str:
        return ", ".join(cls.__name__ for cls in self.cells)


def read_stack(model: nn.Module, library: Library) -> list[Layer]:
    """Read modules in the order they were registered; raise DescriptionError at the first without a counterpart."""
    layers: list[Layer] = []
    linear: Found | None = None
    for found in _once(_leaves(Found("", model), library.wrappers)):
        if found.is_linear:
            if linear:
                _refuse_two_maps(found, linear)
            linear = found
        elif found.kind in library.cells:
            layers.append(_layer(found, linear, library))
            _check_sizes(found, layers)
            linear = None
        elif not found.passes_on:
            todo = "replace it, pass only the layers, or describe the network as a NetworkSpec"
            found.refuse("no counterpart", f"Linear, {library.cell_names}, Flatten, Dropout, Identity", todo)
    if linear:
        linear.refuse("no neurons behind it", f"Linear, then {library.cell_names}", "end with a spiking layer")
    if not layers:
        Found("", model).refuse("no spiking layer", library.cell_names, "pass the module that holds the layers")
    return layers


def _leaves(found: Found, wrappers: tuple[type, ...]) -> Iterator[Found]:
    if not _opens(found.module, wrappers):
        yield found
        return
    for key, child in found.module.named_modules(remove_duplicate=False):
        if key and "." not in key:
            yield from _leaves(Found(f"{found.name}.{key}".lstrip("."), child), wrappers)


def _opens(module: nn.Module, wrappers: tuple[type, ...]) -> bool:
    """Is this a container: a sequence, a wrapper, or a user's module that holds nothing but other modules?"""
    if isinstance(module, (nn.Sequential, nn.ModuleList, *wrappers)):
        return True
    own = [*module.parameters(recurse=False), *module.buffers(recurse=False)]
    users = type(module).__module__.split(".")[0] not in ("torch", "norse", "snntorch")
    return users and not own and any(True for _ in module.children())


def _once(leaves: Iterator[Found]) -> Iterator[Found]:
    seen: dict[nn.Module, Found] = {}
    for found in leaves:
        first = seen.setdefault(found.module, found)
        if first is not found and not found.passes_on:
            found.refuse(f"weights or state in common with {first.name}", "one module a layer", "copy it")
        yield found


def _layer(found: Found, linear: Found | None, library: Library) -> Layer:
    cell = library.cells[found.kind](found)
    if linear is None and cell.inputs is None:
        found.refuse("no Linear before it", "Linear, then the cell", "put a Linear with bias=False before it")
    if linear and cell.inputs is not None:
        _refuse_two_maps(found, linear)
    return Layer(found.name, linear.linear_weights() if linear else cell.inputs, cell)


def _refuse_two_maps(found: Found, before: Found) -> None:
    found.refuse(f"weights, and so has {before.name} before it", "one linear map a layer", "multiply the two into one")


def _check_sizes(found: Found, layers: list[Layer]) -> None:
    _, weights, cell = layers[-1]
    if len(layers) > 1 and (size := len(layers[-2].weights)) != weights.shape[1]:
        found.refuse(f"{weights.shape[1]} sources", f"{size}, the neurons of {layers[-2].name}", "make them agree")
    if cell.recurrent is not None and (size := len(cell.recurrent)) != len(weights):
        found.refuse(f"{size} recurrent neurons", f"{len(weights)}, the outputs of its Linear", "make them agree")
