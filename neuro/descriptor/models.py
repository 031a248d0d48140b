"""What a chip is: frozen values, one class a part of `chips/*.yaml`.

Every class is strict (no text where a number belongs), refuses unknown keys and non-finite numbers, and holds plain
values only, so that a chip can be written into a run folder or a manifest and read back unchanged. Names hold no dots:
a dotted path such as `types.AMPA.id` names one value of a chip, in `sources` and in overrides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from neuro.descriptor import agreement, digital
from neuro.descriptor.analog import Devices, Tiles
from neuro.descriptor.defects import Defects
from neuro.descriptor.mixed_signal import BiasDac, Circuits, Energy, Mismatch
from neuro.descriptor.part import Count, Index, Name, Part

if TYPE_CHECKING:
    import numpy as np

Text = Annotated[str, Field(min_length=1)]
BitWidth = Annotated[int, Field(ge=2, le=24)]
ConstantBits = Annotated[int, Field(ge=1, le=24)]
Shift = Annotated[int, Field(ge=0, le=22)]
Level = Annotated[float, Field(ge=-1e6, le=1e6)]
Leak = Literal["exponential", "linear", "linear_to_zero", "fraction", "shift"]
Constant = Literal["tau_mem", "tau_syn", "threshold", "v_reset", "refractory", "adaptation", "bias"]
WholeConstant = Literal["tau_mem", "threshold", "v_reset", "bias"]
REAL, NOT_REAL, NO_CHIP = "the real chip", "not the real chip", "no chip"


class Board(Part):
    """A rectangle of chips; chip id = row * columns + column."""

    columns: Count = 1
    rows: Count = 1


class Memory(Part):
    """Synapse memory of a core kept by source: each source has its words in blocks, each with a header, rounded up."""

    bits: Count
    delay_bits: Index = Field(0, description="more bits of every word where a network has delay lines")
    block_words: Count = Field(description="words of one block, at most")
    header_bits: Index = Field(0, description="bits a block needs beside its words")
    align_bits: Count = Field(1, description="a block takes a multiple of so many bits")


class Cores(Part):
    per_chip: Count
    neurons: Count
    outputs: Count | None = Field(
        None, description="the last neurons of a core, alone read out and heard by nobody; absent = any may be read"
    )
    memory: Memory | None = Field(None, description="absent = words are kept by neuron, or unlimited")
    axons: Count | None = Field(None, description="distinct sources one core can listen to; absent = as many as tags")
    columns: Count | None = Field(None, description="cores of a chip stand in rows of so many; absent = in one row")


class Neuron(Part):
    """The five choices of a neuron model, and how many values of a constant one core can hold."""

    leak: Leak
    reset: Literal["subtract", "to_value"]
    refractory: Literal["hold", "integrate", "none"]
    floor: float | None = Field(None, description="lowest membrane value; absent = none")
    adaptation: Literal["none", "current", "threshold"]
    distinct_per_core: dict[Constant, Count] = Field(
        default_factory=dict, description="different values of a constant in one core; absent = any number"
    )
    sets_per_core: Count | None = Field(
        None, description="different sets of constants in one core; absent = any number"
    )
    constant_bits: dict[WholeConstant, ConstantBits] = Field(
        default_factory=dict,
        description="constants that are whole numbers of weight units, sign included (1 bit: 0); absent = any float32",
    )
    constant_steps: dict[WholeConstant, Count] = Field(
        default_factory=dict, description="of these, constants that are multiples of so many units"
    )
    decay_bits: ConstantBits | None = Field(
        None, description="leak fraction: decays are n / 2^bits; leak shift: 1 - 2^-n, n of so many bits"
    )
    latches: dict[Constant, Name] = Field(
        default_factory=dict, description="latch that lets a neuron take the second of two values of its core"
    )

    @model_validator(mode="after")
    def _agrees(self) -> Neuron:
        agreement.latches_pick_one_of_two(self)
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
    outputs: bool = Field(True, description="whether the neurons of cores.outputs have it")
    instant: bool = Field(False, description="events act in their own step alone: no synaptic time constant")


class Base(Part):
    """One base weight a core has: a synapse type's (counts), a mask bit's in order (masks), or the scale (levels).

    Crossbars have none: every neuron has weights of its own. Conductances have the scale of a pair, or one for each side.
    """

    name: Name
    bias: Name | None = Field(None, description="the bias parameter that sets it; absent = any value on the grid")


class Weights(Part):
    """The synapse memory: what a word holds and how many a neuron has."""

    kind: Literal["counts", "masks", "levels", "crossbar", "conductance", "float"]
    slots: Count | None = Field(None, description="words per neuron; absent = as many as there are sources")
    word_bits: int = Field(ge=1, le=64, description="bits of one word of synapse memory")
    bases: tuple[Base, ...] = ()
    levels: tuple[Level, ...] | None = Field(
        None, description="kind levels: the values a word can take, times the scale"
    )
    axon_types: Count | None = Field(None, description="kind crossbar: weights of a neuron, one for each type of axon")
    weight_bits: BitWidth | None = Field(None, description="kind crossbar: bits of such a weight, sign included")
    sign: Literal["type", "free", "source", "row"] = "type"
    shifts: tuple[Shift, ...] = Field(
        (), description="kind levels: the scale is one of these powers of two, in weight units; empty = any on the grid"
    )
    fan_out: Count | None = Field(None, description="words that hold one neuron as source; absent = any number")
    fan_out_mean: Count | None = Field(
        None, description="the same on average over the neurons of a core that others may hear; absent = any number"
    )
    base_max: float = Field(4.0, ge=1e-6, le=1e6, description="largest base weight, in thresholds; sets the grid")
    dac: Literal["N", "P"] | None = Field(None, description="bias DAC table that base weights are read from")
    weight_unit_a: float | None = Field(None, ge=1e-15, le=1, description="bias current of a base weight of 1, amperes")

    @model_validator(mode="after")
    def _agrees(self) -> Weights:
        agreement.kind_has_its_fields(self)
        agreement.bases_suit_the_kind(self)
        return self


class Tags(Part):
    """How an event names its source; `own_bits` low bits are the neuron's own id in its core, the rest is free."""

    bits: int = Field(ge=1, le=32)
    own_bits: Index = 0
    forbidden: tuple[Index, ...] = ()
    echo: bool = Field(False, description="a neuron's events always reach its own core, under its own id")
    silent_sources: tuple[tuple[Index, Index], ...] = Field(
        (), description="(core, neuron) pairs, on every chip, that must never be a source"
    )

    @model_validator(mode="after")
    def _agrees(self) -> Tags:
        agreement.tags_fit_their_bits(self)
        return self


class Routes(Part):
    """Destination rows of a neuron: each names one chip, some of its cores, and a tag."""

    entries: Count | None = Field(None, description="rows per neuron; absent = as many as needed")
    reserved: Index = Field(0, description="rows kept for monitoring")
    cores: Count | None = Field(None, description="cores of its chip that one row reaches; absent = any number")
    per_core: Count | None = Field(
        None, description="rows of all neurons of a core, each to one core; absent = any number"
    )
    max_hop: Index | None = Field(None, description="chips a route can go along one axis; absent = the whole board")

    @model_validator(mode="after")
    def _agrees(self) -> Routes:
        agreement.a_route_is_left(self)
        return self


class Inputs(Part):
    events_per_step: Count = Field(1, description="events one channel may deliver in one time step")
    channels: Count | None = Field(None, description="input channels one chip can receive; absent = as many as tags")
    to_outputs: bool = Field(True, description="whether channels reach the neurons of cores.outputs")
    events_per_s: float | None = Field(None, ge=1e-3, le=1e12, description="events a board can send; absent = unknown")
    stimulus_events: Count | None = Field(None, description="events of one stimulus, a sample; absent = any number")


class Delays(Part):
    """`route_max`: steps a neuron's route can take (least 1); lines: extra synapse delays a word can choose from."""

    route_max: Count = 1
    lines: Count = 1
    undelayed: Literal[True] | None = Field(
        None, description="the first line adds no delay, whatever is set; absent = every line can be set"
    )
    line_max: Index = Field(0, description="longest extra delay of a line, in steps")


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
    circuits: Circuits | None = Field(None, description="absent = constants are not set by biases")
    mismatch: Mismatch | None = Field(None, description="absent = every device is as described")
    energy: Energy | None = Field(None, description="absent = unknown")
    devices: Devices | None = Field(None, description="kind conductance: the devices of a pair")
    tiles: Tiles | None = Field(None, description="kind conductance: arrays and their converters")
    defects: Defects | None = Field(None, description="words and tags of a measured board; absent = all work")
    formats: dict[Name, Name] = Field(
        default_factory=dict, description="vendors' formats its configuration is written in, each with its layout there"
    )
    notes: tuple[str, ...] = ()
    changed: tuple[str, ...] = Field((), description="overrides that made this chip differ from its file")
    sources: dict[Text, Text | Assumption] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _agrees(self) -> Chip:
        agreement.types_agree(self)
        agreement.weights_agree(self)
        agreement.addresses_agree(self)
        agreement.biases_agree(self)
        agreement.a_crossbar_agrees(self)
        agreement.an_array_agrees(self)
        agreement.mismatch_agrees(self)
        agreement.a_board_agrees(self)
        digital.whole_numbers_agree(self)
        digital.words_by_source_agree(self)
        digital.outputs_agree(self)
        return self

    def line_of(self, steps: int, lines: tuple[int, ...]) -> int:
        """The number of the delay line that adds so many steps, where `lines` are in use: by rising delay."""
        return sorted({0, *lines} if self.delays.undelayed else lines).index(steps)

    @property
    def standing(self) -> str:
        """What the description is of: the real chip, not the real chip (a changed one), or no chip (no silicon)."""
        if self.changed:
            return NOT_REAL
        return REAL if self.real else NO_CHIP

    @property
    def label(self) -> str:
        """The name as it must be shown: a changed chip is not the real chip."""
        told = [f"board {self.defects.file}"] if self.defects else []
        told += [f"{NOT_REAL}: {', '.join(self.changed)}"] if self.changed else []
        told += [] if self.real or self.changed else [NO_CHIP]
        return f"{self.name} ({'; '.join(told)})" if told else self.name

    @property
    def chips(self) -> int:
        return self.board.columns * self.board.rows

    @property
    def working_words(self) -> np.ndarray | None:
        """Which words work: bool [chips, cores, neurons, words, classes of tags]; None where all do.

        With two classes the first is that of tags below the middle, the second of those from it up.
        """
        return None if self.defects is None else self._working(self.defects.words, *self.defects.shape[1:])

    @property
    def working_tags(self) -> np.ndarray | None:
        """Which tags reach each core: bool [chips, cores, tags]; None where all do."""
        return None if self.defects is None else self._working(self.defects.tags, 2**self.tags.bits)

    def _working(self, text: str, *shape: int) -> np.ndarray:
        from neuro.descriptor.boards import unpacked

        return unpacked(text, (self.chips, self.cores.per_chip, *shape))

    def __repr__(self) -> str:
        board = f"{self.chips:,} chips of " if self.chips > 1 else ""
        cores = f"{self.cores.per_chip:,} cores of " if self.cores.per_chip > 1 else ""
        limits = [(self.weights.slots, "slots a neuron"), (self.cores.axons, "axons a core")]
        most = [f", {limit:,} {what}" for limit, what in limits if limit is not None]
        size = f"{board}{cores}{self.cores.neurons:,} neurons, weights of kind {self.weights.kind}{''.join(most)}"
        return f"<Chip {self.label}: {self.title}; {size}>"

    __str__ = __repr__

    def _repr_html_(self) -> str:
        """For notebooks: every value with where it comes from."""
        from neuro.descriptor.description import describe
        from neuro.descriptor.html import html_table

        rows = [row for section, rows in describe(self) for row in rows if section != "chip"]
        return html_table(f"{self.label}: {self.title}", rows, ("key", "value", "source"))
