"""What a converted model asks of the chip: the neuron is the chip's, not the network's."""

from __future__ import annotations

from torch import nn

from neuro.interop.norse_stack import norse_layers
from neuro.interop.snntorch_stack import snntorch_layers
from neuro.interop.spec import chip_needs


def chip_overrides(model: nn.Module) -> list[str]:
    """Write what a chip's neuron must be for a norse or snnTorch model: for `load_chip("generic", overrides=…)`.

    For example ["neuron.reset=to_value"]: always the kind of reset, and "neuron.refractory=hold" where a layer rests
    for a step after a spike. Raises DescriptionError where the conversion does.
    """
    norse = any(type(module).__module__.split(".")[0] == "norse" for module in model.modules())
    return chip_needs(norse_layers(model) if norse else snntorch_layers(model))
