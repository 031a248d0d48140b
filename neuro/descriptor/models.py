"""What a chip is: frozen values, one class a part of `chips/*.yaml`.

Every class is strict (no text where a number belongs), refuses unknown keys and non-finite numbers, and holds plain
values only, so that a chip can be written into a run folder or a manifest and read back unchanged. Names hold no dots:
a dotted path such as `types.AMPA.id` names one value of a chip, in `sources` and in overrides.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Count = Annotated[int, Field(ge=1, le=2**31 - 1)]
Index = Annotated[int, Field(ge=0, le=2**31 - 1)]
Name = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z_][A-Za-z0-9_-]*$",
        json_schema_extra={"allowed": "a name (letters, digits, _ and -; first a letter or _)"},
    ),
]
Text = Annotated[str, Field(min_length=1)]
Ampere = Annotated[float, Field(ge=0, le=1)]
Level = Annotated[float, Field(ge=-1e6, le=1e6)]

Leak = Literal["exponential", "linear", "linear_to_zero"]
Constant = Literal["tau_mem", "tau_syn", "threshold", "v_reset", "refractory", "adaptation", "bias"]


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Board(Part):
    """A rectangle of chips; chip id = row * columns + column."""

    columns: Count = 1
    rows: Count = 1


class Cores(Part):
    per_chip: Count
    neurons: Count
    axons: Count | None = Field(None, description="distinct sources one core can listen to; absent = as many as tags")


class Neuron(Part):
    """The five choices of a neuron model, and how many values of a constant one core can hold."""

    leak: Leak
    reset: Literal["subtract", "to_value"]
    refractory: Literal["hold", "integrate"]
    floor: float | None = Field(None, description="lowest membrane value; absent = none")
    adaptation: Literal["none", "current", "threshold"]
    distinct_per_core: dict[Constant, Count] = Field(
        default_factory=dict, description="different values of a constant in one core; absent = any number"
    )
    latches: dict[Constant, Name] = Field(
        default_factory=dict, description="latch that lets a neuron take the second of two values of its core"
    )

    @model_validator(mode="after")
    def _latch_picks_one_of_two(self) -> Neuron:
        for constant in self.latches:
            if (values := self.distinct_per_core.get(constant)) not in (1, 2):
                raise ValueError(
                    f"latches.{constant} picks one of two values, but distinct_per_core.{constant} is "
                    f"{values or 'absent'}; allowed: 1 or 2"
                )
        return self


class SynapseType(Part):
    name: Name
    id: Index
    sign: Literal[-1, 1]


class Current(Part):
    """Synapse types that share one time constant; `shunting` ones join only where a task says so."""

    name: Name
    types: tuple[Name, ...] = Field(min_length=1)
    shunting: tuple[Name, ...] = ()


class Base(Part):
    """One base weight a core has: a synapse type's (counts), a mask bit's in order (masks), or the scale (levels)."""

    name: Name
    bias: Name | None = Field(None, description="the bias parameter that sets it; absent = any value on the grid")


class Weights(Part):
    """The synapse memory: what a word holds and how many a neuron has."""

    kind: Literal["counts", "masks", "levels", "float"]
    slots: Count | None = Field(None, description="words per neuron; absent = as many as there are sources")
    word_bits: int = Field(ge=1, le=64, description="bits of one word of synapse memory")
    bases: tuple[Base, ...] = Field(min_length=1)
    levels: tuple[Level, ...] | None = Field(
        None, description="kind levels: the values a word can take, times the scale"
    )
    sign: Literal["type", "free", "source", "row"] = "type"
    base_max: float = Field(4.0, ge=1e-6, le=1e6, description="largest base weight, in thresholds; sets the grid")
    dac: Literal["N", "P"] | None = Field(None, description="bias DAC table that base weights are read from")
    weight_unit_a: float | None = Field(None, ge=1e-15, le=1, description="bias current of a base weight of 1, amperes")

    @model_validator(mode="after")
    def _kind_has_its_fields(self) -> Weights:
        if self.kind == "levels" and not self.levels:
            raise ValueError("kind levels needs `levels`, the values a word can take")
        if self.kind == "levels" and self.sign in ("source", "row") and min(self.levels) < 0:
            raise ValueError(f"sign {self.sign} needs levels >= 0, has {min(self.levels)}")
        if self.kind in ("counts", "masks") and self.slots is None:
            raise ValueError(f"kind {self.kind} needs `slots`, the words per neuron")
        if (self.dac is None) != (self.weight_unit_a is None):
            raise ValueError("`dac` and `weight_unit_a` belong together: give both or neither")
        return self

    @model_validator(mode="after")
    def _bases_suit_the_kind(self) -> Weights:
        _unique("bases", [base.name for base in self.bases])
        _unique("biases of bases", [base.bias for base in self.bases if base.bias])
        allowed = {"masks": min(16, self.word_bits), "levels": 1}.get(self.kind, len(self.bases))
        if len(self.bases) > allowed:
            raise ValueError(f"kind {self.kind} has {len(self.bases)} bases, allowed: at most {allowed}")
        for base in self.bases:
            if self.dac and base.bias is None:
                raise ValueError(
                    f"base {base.name!r} needs `bias`, the parameter that sets it from DAC table {self.dac}"
                )
        return self


class Tags(Part):
    """How an event names its source; `own_bits` low bits are the neuron's own id in its core, the rest is free."""

    bits: int = Field(ge=1, le=32)
    own_bits: Index = 0
    forbidden: tuple[Index, ...] = ()
    silent_sources: tuple[tuple[Index, Index], ...] = Field(
        (), description="(core, neuron) pairs, on every chip, that must never be a source"
    )

    @model_validator(mode="after")
    def _fits_its_bits(self) -> Tags:
        if self.own_bits > self.bits:
            raise ValueError(f"own_bits is {self.own_bits}, allowed: 0 to bits = {self.bits}")
        for tag in self.forbidden:
            if tag >= 2**self.bits:
                raise ValueError(
                    f"forbidden tag {tag} needs more than {self.bits} bits, allowed: 0 to {2**self.bits - 1}"
                )
        return self


class Routes(Part):
    """Destination rows of a neuron: each names one chip, some of its cores, and a tag."""

    entries: Count | None = Field(None, description="rows per neuron; absent = as many as needed")
    reserved: Index = Field(0, description="rows kept for monitoring")
    max_hop: Index | None = Field(None, description="chips a route can go along one axis; absent = the whole board")

    @model_validator(mode="after")
    def _leaves_a_row(self) -> Routes:
        if self.entries is not None and self.reserved >= self.entries:
            raise ValueError(f"reserved is {self.reserved}, allowed: 0 to {self.entries - 1} of {self.entries} entries")
        return self


class Inputs(Part):
    events_per_step: Count = Field(1, description="events one channel may deliver in one time step")
    channels: Count | None = Field(None, description="input channels one chip can receive; absent = as many as tags")


class Delays(Part):
    """`route_max`: steps a neuron's route can take (least 1); lines: extra synapse delays a word can choose from."""

    route_max: Count = 1
    lines: Count = 1
    line_max: Index = Field(0, description="longest extra delay of a line, in steps")


class BiasDac(Part):
    """Currents a bias generator can give: rows of (coarse, fine, amperes) for N- and P-type parameters."""

    N: tuple[tuple[Index, Index, Ampere], ...] = Field(min_length=1)
    P: tuple[tuple[Index, Index, Ampere], ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _codes_stand_once(self) -> BiasDac:
        for table in ("N", "P"):
            _unique(f"codes of table {table}", [f"coarse {c} fine {f}" for c, f, _ in getattr(self, table)])
        return self


class Assumption(Part):
    """A figure nobody published, with the reasoning that led to it."""

    assumption: Text


class Chip(Part):
    """A chip descriptor; `sources` says where every number comes from, by dotted path."""

    name: Name
    title: Text
    real: bool = Field(True, description="false marks what stands for no silicon")
    board: Board = Board()
    cores: Cores
    neuron: Neuron
    types: tuple[SynapseType, ...] = Field(min_length=1)
    currents: tuple[Current, ...] = Field(min_length=1)
    weights: Weights
    tags: Tags
    routes: Routes = Routes()
    inputs: Inputs = Inputs()
    delays: Delays = Delays()
    bias_dac: BiasDac | None = None
    notes: tuple[str, ...] = ()
    changed: tuple[str, ...] = Field((), description="overrides that made this chip differ from its file")
    sources: dict[Text, Text | Assumption] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _parts_agree(self) -> Chip:
        _types_agree(self)
        _weights_agree(self)
        _addresses_agree(self)
        return self

    @property
    def label(self) -> str:
        """The name as it must be shown: a changed chip is not the real chip."""
        if self.changed:
            return f"{self.name} (not the real chip: {', '.join(self.changed)})"
        return self.name if self.real else f"{self.name} (no chip)"

    @property
    def chips(self) -> int:
        return self.board.columns * self.board.rows


def _types_agree(chip: Chip) -> None:
    types = [t.name for t in chip.types]
    used = [t for c in chip.currents for t in (*c.types, *c.shunting)]
    _unique("types", types)
    _unique("type ids", [t.id for t in chip.types])
    _unique("currents", [c.name for c in chip.currents])
    _unique("types in currents", used)
    _known("currents name the type", used, types)


def _weights_agree(chip: Chip) -> None:
    if chip.weights.kind == "counts":
        bases = [base.name for base in chip.weights.bases]
        _known("weights.bases name the type", bases, [t.name for t in chip.types])
        _known("currents use a type without a base weight:", [t for c in chip.currents for t in c.types], bases)
    if chip.weights.dac and chip.bias_dac is None:
        raise ValueError("weights.dac names a DAC table, but there is no bias_dac")


def _addresses_agree(chip: Chip) -> None:
    tags, cores = chip.tags, chip.cores
    if tags.own_bits and cores.neurons > 2**tags.own_bits:
        raise ValueError(
            f"tags.own_bits is {tags.own_bits}, which names {2**tags.own_bits} neurons, but cores.neurons is "
            f"{cores.neurons}"
        )
    for core, neuron in tags.silent_sources:
        if core >= cores.per_chip or neuron >= cores.neurons:
            raise ValueError(
                f"tags.silent_sources names core {core}, neuron {neuron}; allowed: core 0 to {cores.per_chip - 1}, "
                f"neuron 0 to {cores.neurons - 1}"
            )


def _known(what: str, names: list[str], allowed: list[str]) -> None:
    for name in names:
        if name not in allowed:
            raise ValueError(f"{what} {name!r}; allowed: {', '.join(allowed)}")


def _unique(what: str, names: list) -> None:
    seen: set = set()
    twice = sorted({str(name) for name in names if name in seen or seen.add(name)})
    if twice:
        raise ValueError(f"{what} stand more than once: {', '.join(twice)}")
