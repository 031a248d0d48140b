"""snnTorch 1.0: which of its modes are our neuron, and how.

With x = W·s the input of a step (and of a recurrent cell's own spikes of the step before), snnTorch computes
syn = α·syn + x (Leaky: syn = x), mem = β·mem + syn, spk = mem > θ. What a spike does depends on two settings:

zero, reset_delay=False: mem = 0 at once. Ours with reset to_value.
zero, reset_delay=True: Leaky puts mem to 0 before the next step: the same spikes. The other cells put it to 0 after the
    next step, whose input is lost: one refractory step, held at 0.
subtract, reset_delay=True: θ leaves mem after the next step's decay. Our reset subtract takes β·θ of it; the rest is a
    synapse of every neuron onto itself, of weight −θ·(1 − β). Only without syn (α = 0), or with β = 1.
subtract, reset_delay=False: θ leaves mem at once. Ours with reset subtract while no mem passes 2θ: one that stays above
    θ after its reset must, in snnTorch, reach 2θ to fire again in the next step.
"""

from __future__ import annotations

import torch
from torch import nn

from neuro.interop.found import Found
from neuro.interop.spec import Latents, build_spec
from neuro.interop.stack import Cell, Layer, Library, read_stack
from neuro.task import NetworkSpec

MECHANISMS = {"_base_sub": "subtract", "_base_zero": "zero", "_base_int": "none"}


def from_snntorch(model: nn.Module, dt_s: float = 1e-3) -> tuple[NetworkSpec, Latents]:
    """Convert a stack of snnTorch layers: (spec, latents {target: {source: float32 [n_target, n_source]}}).

    model: Sequential, or a module whose children stand in the order they run, of Linear (no bias) and Leaky, Synaptic,
    RLeaky, RSynaptic (recurrent Linear, no bias); constants uniform in a layer; Flatten, Identity and, in evaluation
    mode, Dropout are passed over. dt_s: the seconds a step stands for; snnTorch has none.

    Layer l spikes l − 1 steps later than in snnTorch (`shift_of`). The chip's neuron must leak exponentially, have no
    floor, and follow `chip_overrides(model)`. From rest, spikes are equal unless rounding decides a threshold: never
    while all sums are exact, as they are with dyadic constants until 24 bits are full. Two exceptions with reset
    "subtract": a spike takes our threshold, the float32 next above θ, so a membrane above θ by less than 1/(1 − β)
    times their difference may miss its spike; with reset_delay=False, spikes part where a membrane passes 2θ.
    Raises DescriptionError. Source: snntorch._neurons; this module's docstring derives the modes.
    """
    return build_spec(snntorch_layers(model), dt_s)


def snntorch_layers(model: nn.Module) -> list[Layer]:
    """Read an snnTorch model's layers."""
    import snntorch as snn

    return read_stack(model, Library((), {cls: _cell for cls in (snn.Leaky, snn.Synaptic, snn.RLeaky, snn.RSynaptic)}))


def _cell(found: Found) -> Cell:
    _check_flags(found)
    module, zero = found.module, _mechanism(found) == "zero"
    alpha, beta = _decay(found, "alpha"), _decay(found, "beta")
    return Cell(
        decay_mem=beta,
        decay_syn=alpha,
        threshold=found.threshold("threshold", module.threshold),
        reset="to_value" if zero else "subtract",
        holds=zero and bool(module.reset_delay) and found.kind.__name__ != "Leaky",
        self_weight=0.0 if zero else _rest_of_reset(found, alpha, beta),
        recurrent=_recurrent(found) if hasattr(module, "recurrent") else None,
    )


def _check_flags(found: Found) -> None:
    module = found.module
    factor = found.uniform("graded_spikes_factor", module.graded_spikes_factor)
    around = torch.tensor([-1.0, -1e-30, 0.0, 1e-30, 1.0])
    strict = module.spike_grad(around).detach().tolist() == [0, 0, 0, 1, 1]
    for wrong, has, supported in (
        (factor != 1, f"graded_spikes_factor {factor:g}", "spikes of 1"),
        (module.inhibition, "inhibition=True", "inhibition=False"),
        (module.state_quant, "state_quant", "state_quant=False"),
        (not strict, "a spike_grad that does not fire where mem > threshold", "surrogates of a step function"),
    ):
        if wrong:
            found.refuse(has, supported, "build it so and train again")


def _mechanism(found: Found) -> str:
    """Read which reset runs: it is chosen when the cell is built, whatever `reset_mechanism` says later."""
    module = found.module
    built = MECHANISMS[module.state_function.__name__]
    if built != module.reset_mechanism:
        has = f"reset_mechanism {module.reset_mechanism!r}, set on a cell built with {built!r}"
        found.refuse(has, "the one it was built with, which runs", "build it anew")
    if built == "none":
        found.refuse("reset_mechanism 'none'", "'subtract', 'zero'", "build it with one of these and train again")
    if found.kind.__name__ == "RSynaptic" and not module.reset_delay:
        found.refuse("reset_delay=False, which this cell does not carry out", "reset_delay=True", "leave it out")
    return built


def _decay(found: Found, field: str) -> float:
    """Read α or β, clamped to 0..1 as in the forward pass; a cell without syn has α = 0."""
    return min(max(found.uniform(field, getattr(found.module, field, 0.0)), 0.0), 1.0)


def _rest_of_reset(found: Found, alpha: float, beta: float) -> float:
    """Compute what a delayed subtraction takes beyond what decay leaves of an immediate one."""
    theta = found.uniform("threshold", found.module.threshold)
    rest = -theta * (1 - beta) if found.module.reset_delay else 0.0
    if rest and alpha:
        ways = "reset_mechanism='zero'" + ", reset_delay=False" * (not hasattr(found.module, "recurrent"))
        has = "reset_mechanism 'subtract' with reset_delay=True behind a synaptic current"
        found.refuse(has, ways, "build it so and train again")
    return rest


def _recurrent(found: Found) -> torch.Tensor:
    recurrent = Found(f"{found.name}.recurrent".lstrip("."), found.module.recurrent)
    if not recurrent.is_linear:
        recurrent.refuse("no matrix of weights", "a recurrent Linear", "build the cell with linear_features")
    return recurrent.linear_weights()
