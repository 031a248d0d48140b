"""What a network is before it meets a chip: populations, projections and read-outs, as plain frozen values."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Size = Annotated[int, Field(ge=1, le=10_000_000)]
Steps = Annotated[int, Field(ge=0, le=100_000)]
Seconds = Annotated[float, Field(gt=0, le=1e6)]
Decay = Annotated[float, Field(ge=0, le=1)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_-]*$", max_length=64)]


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, populate_by_name=True)


class Adaptation(Part):
    """Spike-triggered adaptation: each spike adds `strength` to what is taken from the membrane (or put on θ)."""

    strength: Annotated[float, Field(ge=0)]
    tau_s: Seconds | None = None
    decay: Decay | None = None

    @model_validator(mode="after")
    def _one_time_constant(self) -> Adaptation:
        _exactly_one(self, "tau_s", "decay")
        return self


class Population(Part):
    """Neurons that share every constant; times in seconds, or as the decay per step where it must be exact."""

    size: Size
    tau_mem_s: Seconds | None = None
    decay_mem: Decay | None = None
    leak: Annotated[float, Field(ge=0)] | None = Field(None, description="linear leak: what one step takes away")
    tau_syn_s: Seconds | dict[Name, Seconds] | None = None
    decay_syn: Decay | dict[Name, Decay] | None = None
    threshold: Annotated[float, Field(gt=0)] = 1.0
    v_reset: float = 0.0
    refractory_s: Annotated[float, Field(ge=0, le=1e3)] = 0.0
    adaptation: Adaptation | None = None
    bias: float = 0.0
    route_delay: Annotated[int, Field(ge=1, le=100_000)] = 1
    init_gain: Annotated[float, Field(gt=0)] = Field(
        1.0, description="latents start uniform in ± gain · θ · sqrt(3 / fan-in)"
    )

    @model_validator(mode="after")
    def _one_time_constant_each(self) -> Population:
        _exactly_one(self, "tau_mem_s", "decay_mem", "leak")
        _exactly_one(self, "tau_syn_s", "decay_syn")
        return self


class Projection(Part):
    """Every neuron of `to` may listen to every source of `from`; `delay` is the whole way in steps, absent = trained."""

    source: Name = Field(alias="from")
    target: Name = Field(alias="to")
    delay: Steps | None = None
    autapses: bool = Field(False, description="may a neuron listen to itself")


class Output(Part):
    """Read `population`: `spikes` sums each class's neurons on the chip; `linear` reads traces off the chip."""

    population: Name
    readout: Literal["spikes", "linear"] = "spikes"
    classes: Size | None = Field(None, description="absent = one output per neuron")
    tau_out_s: Seconds | None = Field(None, description="time constant of the linear read-out's traces")


class Surrogate(Part):
    """The pseudo-derivative of a spike, by name, over (u − θ)/θ."""

    name: Literal["fast_sigmoid", "triangle", "arctan", "sigmoid", "boxcar"] = "fast_sigmoid"
    scale: Annotated[float, Field(gt=0)] = Field(1.0, description="height of the pseudo-derivative at θ")
    width: Annotated[float, Field(gt=0)] = Field(0.5, description="distance from θ, in thresholds, where it has fallen")


class NetworkSpec(Part):
    """A network without data or recipe: all that `neuro.place` needs beside a chip."""

    dt_s: Seconds
    inputs: dict[Name, Size] = Field(min_length=1)
    populations: dict[Name, Population] = Field(min_length=1)
    projections: tuple[Projection, ...] = Field(min_length=1)
    outputs: dict[Name, Output] = Field(min_length=1)
    candidates: Literal["all", "reachable"] = Field(
        "all",
        description="reachable: a neuron may listen to those of its sources that routes and tags let reach its core",
    )
    delay_lines: tuple[Steps, ...] = Field((0,), min_length=1, description="extra steps each delay line adds")
    trainable: tuple[Literal["tau_mem", "tau_syn", "threshold"], ...] = Field(
        (), description="constants trained with the weights, one value a core, always one its bias can give"
    )
    shunting_as_subtractive: bool = False
    surrogate: Surrogate = Surrogate()
    detach_reset: bool = True

    @model_validator(mode="after")
    def _names_agree(self) -> NetworkSpec:
        check_network(self)
        return self

    def sources_of(self, target: str) -> tuple[str, ...]:
        """Name what `target` listens to, in column order: inputs first, then populations, as the file lists them."""
        heard = {p.source for p in self.projections if p.target == target}
        return tuple(name for name in (*self.inputs, *self.populations) if name in heard)

    def size_of(self, source: str) -> int:
        return self.inputs[source] if source in self.inputs else self.populations[source].size

    def projection(self, source: str, target: str) -> Projection:
        return next(p for p in self.projections if (p.source, p.target) == (source, target))


def check_network(spec: NetworkSpec) -> None:
    """Raise ValueError where names of inputs, populations, projections and outputs do not agree."""
    both = set(spec.inputs) & set(spec.populations)
    if both:
        raise ValueError(f"inputs and populations share the name {sorted(both)[0]!r}: names must differ")
    pairs = [(p.source, p.target) for p in spec.projections]
    for source, target in pairs:
        _known(source, (*spec.inputs, *spec.populations), "projections: from")
        _known(target, tuple(spec.populations), "projections: to")
        if pairs.count((source, target)) > 1:
            raise ValueError(f"projections from {source} to {target} stand more than once")
    for name in spec.populations:
        if name not in {target for _, target in pairs}:
            raise ValueError(f"populations.{name} listens to nothing: add a projection to it, or leave it out")
    for name, output in spec.outputs.items():
        _known(output.population, tuple(spec.populations), f"outputs.{name}.population")
        _check_output(name, output, spec.populations[output.population].size)
    if len(set(spec.delay_lines)) != len(spec.delay_lines):
        raise ValueError(f"delay_lines are {list(spec.delay_lines)}: each value may stand once")


def _check_output(name: str, output: Output, size: int) -> None:
    if output.readout == "linear" and (output.classes is None or output.tau_out_s is None):
        raise ValueError(f"outputs.{name} is linear and needs `classes` and `tau_out_s`")
    if output.readout == "spikes" and output.classes and size % output.classes:
        raise ValueError(
            f"outputs.{name}.classes is {output.classes}, but population {output.population} has {size} neurons; "
            "allowed: a number that divides it"
        )


def _known(name: str, allowed: tuple[str, ...], where: str) -> None:
    if name not in allowed:
        raise ValueError(f"{where} is {name!r}; allowed: {', '.join(allowed)}")


def _exactly_one(part: BaseModel, *fields: str) -> None:
    given = [f for f in fields if getattr(part, f) is not None]
    if len(given) != 1:
        raise ValueError(f"needs exactly one of {', '.join(fields)}; has {', '.join(given) or 'none'}")
