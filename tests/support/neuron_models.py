"""Every neuron model there is, and constants of two populations on a dyadic grid."""

import itertools

from neuro.dynamics import NeuronModel, ParameterSet

MODELS = [
    NeuronModel(leak, reset, refractory, floor, adaptation)
    for leak, reset, refractory, floor, adaptation in itertools.product(
        ("exponential", "linear", "linear_to_zero", "fraction", "shift"),
        ("subtract", "to_value"),
        ("hold", "integrate"),
        (False, True),
        ("none", "current", "threshold"),
    )
]
SETS = [
    ParameterSet(
        0.875, (0.5, 0.75), theta=1.0, v_reset=0.125, floor=-0.25, bias=0.0625, beta=0.25, decay_a=0.75, unit=2**-6
    ),
    ParameterSet(0.5, (0.25, 0.875), theta=0.75, floor=-0.5, refractory_steps=2, beta=0.125, decay_a=0.5, unit=2**-5),
]
