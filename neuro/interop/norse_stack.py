"""norse 1.1: explicit Euler, the input before the voltage step, reset to a value.

norse computes, with a = dt/τ_mem and b = dt/τ_syn,

    i⁺ = i + x;   v⁺ = v + a·((v_leak − v) + i⁺);   i = i⁺ − b·i⁺;   z = v⁺ > v_th;   v = v_reset where z, else v⁺

so i⁺ of a step is (1 − b) times that of the step before, plus x: with v_leak = 0 and every weight times a, this is our
step with decay_mem = 1 − a and decay_syn = 1 − b, without any delay of the input. A recurrent cell hears its own spikes
of the step before: delay 1. LIFBoxCell has no current: decay_syn = 0.
"""

from __future__ import annotations

import math

import torch
from torch import nn

from neuro.interop.found import Found
from neuro.interop.spec import Latents, build_spec
from neuro.interop.stack import Cell, Layer, Library, read_stack
from neuro.task import NetworkSpec


def from_norse(model: nn.Module, dt_s: float) -> tuple[NetworkSpec, Latents]:
    """Convert a stack of norse layers: (spec, latents {target: {source: float32 [n_target, n_source]}}).

    model: SequentialState, Sequential, Lift, or a module whose children stand in the order they run, of Linear (no
    bias), LIFCell, LIF, LIFBoxCell, LIFRecurrentCell, LIFRecurrent; v_leak 0, constants uniform in a layer; Flatten,
    Identity and, in evaluation mode, Dropout are passed over. dt_s: the cells' own dt, in seconds.

    Layer l spikes l − 1 steps later than in norse (`shift_of`). The chip's neuron must leak exponentially, have no
    floor, and follow `chip_overrides(model)`. From rest, spikes are equal unless rounding decides a threshold: never
    while all sums are exact, as they are with dyadic constants until 24 bits are full. One exception, LIFBoxCell with
    reset_subtract: a spike takes our threshold, the float32 next above v_th, so a v⁺ above v_th by less than 1/a times
    their difference may miss its spike. Raises DescriptionError. Source: norse.torch.functional.lif and lif_box.
    """
    library = _library()
    layers = read_stack(model, library)
    _check_dt(model, dt_s, library)
    return build_spec(layers, dt_s)


def norse_layers(model: nn.Module) -> list[Layer]:
    """Read a norse model's layers."""
    return read_stack(model, _library())


def _library() -> Library:
    import norse.torch as snn

    cells = {
        snn.LIFCell: _lif,
        snn.LIF: _lif,
        snn.LIFBoxCell: _box,
        snn.LIFRecurrentCell: _recurrent,
        snn.LIFRecurrent: _recurrent,
    }
    return Library((snn.Lift,), cells)


def _check_dt(model: nn.Module, dt_s: float, library: Library) -> None:
    for name, module in model.named_modules():
        if type(module) in library.cells and not math.isclose(module.dt, dt_s):
            todo = f"pass dt_s={module.dt}, or build the cell with dt={dt_s}"
            Found(name, module).refuse(f"dt = {module.dt} s", f"dt_s = {dt_s} s in every cell", todo)


def _lif(found: Found, **weights) -> Cell:
    _check_leak(found)
    p, a = found.module.p, _rate(found, "tau_mem_inv")
    return Cell(
        decay_mem=1 - a,
        decay_syn=1 - _rate(found, "tau_syn_inv"),
        threshold=found.threshold("v_th", p.v_th),
        reset="to_value",
        v_reset=found.uniform("v_reset", p.v_reset),
        gain=a,
        **weights,
    )


def _recurrent(found: Found) -> Cell:
    module = found.module
    inputs, recurrent = module.input_weights.detach().cpu(), module.recurrent_weights.detach().cpu()
    autapses = bool(module.autapses) or bool(recurrent.diagonal().any())
    return _lif(found, inputs=inputs, recurrent=recurrent, autapses=autapses)


def _box(found: Found) -> Cell:
    from norse.torch.functional.reset import reset_subtract, reset_value

    _check_leak(found)
    p, a = found.module.p, _rate(found, "tau_mem_inv")
    if p.reset_method not in (reset_value, reset_subtract):
        name = getattr(p.reset_method, "__name__", p.reset_method)
        found.refuse(f"reset_method {name}", "reset_value, reset_subtract", "build it with one of these")
    to_value = p.reset_method is reset_value
    return Cell(
        decay_mem=1 - a,
        decay_syn=0.0,
        threshold=found.threshold("v_th", p.v_th),
        reset="to_value" if to_value else "subtract",
        v_reset=found.uniform("v_reset", p.v_reset) if to_value else 0.0,
        gain=a,
    )


def _rate(found: Found, field: str) -> float:
    """Compute dt/τ with norse's own product."""
    rate = found.uniform(field, found.module.dt * torch.as_tensor(getattr(found.module.p, field)))
    if not 0 <= rate <= 1:
        found.refuse(f"dt · {field} = {rate:g}", "0 to 1", "take a smaller dt or a longer time constant")
    return rate


def _check_leak(found: Found) -> None:
    if leak := found.uniform("v_leak", found.module.p.v_leak):
        todo = f"take {leak:g} from v_leak, v_th and v_reset: the neuron stays the same"
        found.refuse(f"v_leak = {leak:g}", "v_leak = 0", todo)
