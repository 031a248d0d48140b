"""What a mixed-signal chip is beside its digital memory: bias currents, circuits, energies, and how devices differ."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from neuro.descriptor import agreement
from neuro.descriptor.part import Index, Name, Part

Ampere = Annotated[float, Field(ge=0, le=1)]
Joule = Annotated[float, Field(ge=0, le=1e6)]
MismatchParameter = Literal[
    "tau_mem",
    "tau_syn",
    "threshold",
    "v_reset",
    "refractory",
    "adaptation",
    "adaptation_strength",
    "bias",
    "weight",
    "base",
]
Distribution = Literal["lognormal", "gaussian"]
Spread = Annotated[float, Field(ge=0, le=1)]


class BiasDac(Part):
    """Currents a bias generator can give: rows of (coarse, fine, amperes) for N- and P-type parameters."""

    N: tuple[tuple[Index, Index, Ampere], ...] = Field(min_length=1)
    P: tuple[tuple[Index, Index, Ampere], ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _agrees(self) -> BiasDac:
        agreement.codes_stand_once(self)
        return self


class Energy(Part):
    """Measured energies, for estimates; a figure nobody published stays absent, and so does the estimate."""

    spike_j: Joule | None = Field(None, description="joules a neuron spends on a spike and on sending it")
    delivery_j: Joule | None = Field(None, description="joules an event costs along one route row")
    word_j: Joule | None = Field(None, description="joules of a synapse word that an event meets")
    static_w: Joule | None = Field(None, description="watts the chips in use draw without any event")


class BiasSetting(Part):
    """How one bias of every core is set: from a constant of its neurons by an equation, else to a code.

    `type`: the synapse type whose time constant it is. `line`: the delay line, counted from 0, whose delay it is.
    `second`: of the neurons that take the second value of a core.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*_[NP]$")]
    constant: Literal["tau_mem", "tau_syn", "refractory", "adaptation", "threshold", "delay"] | None = None
    type: Name | None = None
    line: Index | None = None
    second: bool = False
    capacitance_f: float | None = Field(None, ge=1e-18, le=1)
    unit_a: Annotated[float, Field(ge=1e-15, le=1)] | None = Field(None, description="current of a threshold of 1")
    ratio: float = Field(1.0, ge=1e-6, le=1e6, description="a gain: so many times the current of the time constant")
    scale: float = Field(1.0, ge=1e-6, le=1e6, description="device current of a bias current of 1")
    code: tuple[Index, Index] | None = Field(None, description="coarse and fine where no neuron has the constant")


class Circuits(Part):
    """The figures of a chip's analog circuits that turn times into currents, and how each bias is set."""

    thermal_voltage_v: float = Field(ge=1e-3, le=1)
    kappa: float = Field(ge=1e-3, le=1)
    switch_v: float = Field(ge=1e-3, le=10, description="what a refractory period charges its capacitor to")
    biases: tuple[BiasSetting, ...] = Field(min_length=1)


class Mismatch(Part):
    """How devices made of one description differ: the spread of a parameter's factor, whose mean is 1.

    neuron: relative standard deviation over the neurons of a core, drawn for each current (tau_syn), synapse type (weight)
    or base weight (base) of a neuron anew; core: over cores, on top. lognormal: a log-normal factor; gaussian: a normal
    one, never below `least`.
    """

    distribution: Distribution
    distributions: dict[MismatchParameter, Distribution] = Field(
        default_factory=dict, description="of parameters that are distributed otherwise"
    )
    least: float = Field(0.1, ge=1e-3, le=1, description="smallest factor of a gaussian one")
    neuron: dict[MismatchParameter, Spread] = Field(default_factory=dict)
    core: dict[MismatchParameter, Spread] = Field(default_factory=dict)
