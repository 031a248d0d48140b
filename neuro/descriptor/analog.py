"""Arrays of analog devices: what a device holds, what happens to it, and the tiles and converters around it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from neuro.descriptor import agreement
from neuro.descriptor.part import Count, Part
from neuro.errors import DescriptionError

Ratio = Annotated[float, Field(gt=1, le=1e9)]
Microsiemens = Annotated[float, Field(gt=0, le=1e6)]
Bits = Annotated[int, Field(ge=2, le=16)]
Figure = Annotated[float, Field(ge=-1e6, le=1e6)]
Line = Annotated[tuple[Figure, Figure, Figure, Figure], Field(description="slope, intercept, least, most")]


class Drift(Part):
    """Conductance falls as g · (t / start_s)^(−ν); mean and spread of ν are lines in ln(g / g_max) with two ends."""

    start_s: float = Field(gt=0, le=1e9, description="when the conductance is what was programmed, after programming")
    mean: Line
    spread: Line


class Read(Part):
    """A reading has the relative spread q · sqrt(ln((t + pulse_s) / (2 · pulse_s))), t = seconds since programming plus
    the start of drift, q = min(most, factor / (g / g_max)^exponent), g as programmed.
    """

    factor: float = Field(ge=0, le=1e3)
    exponent: float = Field(ge=0, le=10)
    most: float = Field(ge=0, le=10)
    pulse_s: float = Field(gt=0, le=1, description="how long a reading takes")


class Devices(Part):
    """The two devices of a pair: their conductances from g_max / ratio to g_max, and the noise on them."""

    states: int = Field(ge=2, le=1024, description="conductances a device is programmed to")
    ratio: Ratio | None = Field(None, description="largest over smallest conductance; absent = infinite")
    nonlinearity: float = Field(
        0.0, ge=-20, le=20, description="how levels bend: 0 even, above 0 they crowd at the top"
    )
    gain: float = Field(1.0, ge=1e-3, le=1e3, description="what G- takes away for what G+ adds")
    g_max_us: Microsiemens
    pulses: Count = Field(1, description="programming pulses from one state to the next")
    pulse_j: float | None = Field(None, ge=0, le=1, description="joules of one programming pulse; absent = unknown")
    programming_us: tuple[Figure, ...] = Field(
        (),
        max_length=8,
        description="spread of a programmed conductance, a polynomial in g / g_max, lowest power first",
    )
    drift: Drift | None = Field(None, description="absent = none")
    read: Read | None = Field(None, description="absent = none")

    @model_validator(mode="after")
    def _agrees(self) -> Devices:
        agreement.a_pair_makes_both_signs(self)
        return self


class Converter(Part):
    """What stands at the edge of a tile: a value within ± bound becomes one of 2^bits − 1 even steps, 0 among them."""

    bits: Bits
    bound: float = Field(gt=0, le=1e6, description="inputs: largest value; outputs: in full-scale inputs times g_max")
    noise: float = Field(0.0, ge=0, le=1e6, description="spread of what is added before an output is converted")


class Tiles(Part):
    """How an array is divided: a core's axons are rows of tiles, its neurons columns; sums of stacked tiles are added.

    Converters serve layers of numbers; spikes enter as they are and neurons take the currents themselves.
    """

    rows: Count
    columns: Count
    input: Converter
    output: Converter


def refuse_exact_programming(chip) -> None:
    """Raise DescriptionError for a chip that states no noise of programming, such as one without conductances."""
    if chip.devices is None or not chip.devices.programming_us:
        raise DescriptionError(
            f"{chip.label} states no noise of programming; allowed: pairs of conductances with devices.programming_us"
        )
