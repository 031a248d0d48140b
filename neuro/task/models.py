"""What a task is: a network, the data it learns, and the recipe; frozen models of `tasks/*.yaml`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from neuro.task.network import Name, NetworkSpec, Part, Seconds, Size, Steps

Share = Annotated[float, Field(gt=0, lt=1)]
Rate = Annotated[float, Field(gt=0)]


class Data(Part):
    """Which data set, and how its training part is split; the test part is what the set's authors left out."""

    dataset: Name
    files: dict[Name, str] = Field({}, description="your own data: names of files in the data folder (--data)")
    validation: Share = Field(0.15, description="share of the training part kept for validation")
    test: Share | None = Field(None, description="share kept for testing, only for sets without an official test part")
    split_seed: int = Field(0, ge=0, description="the split is the same for every training seed")
    permutation_seed: Annotated[int, Field(ge=0)] | None = Field(
        None, description="put the values of every sample into one random order"
    )
    tiles: Size | None = Field(None, description="cut square pictures into tiles x tiles, one after the other")


class Encoder(Part):
    """How samples become events; the same seed gives the same events.

    Values 0..1 in plain order. rate: each value is the probability of a spike in a step. regular: evenly spaced spikes,
    as many as `rate` would give on average. latency: one spike a channel, the larger the earlier. rows: the image's
    rows follow each other in time, steps / rows steps each, every value the rate of evenly spaced spikes.
    Signals over time (plain values are one signal), each point shown for `hold` steps. crossing: two channels a
    threshold, one spikes where the signal rises above it, one where it falls to it or below. delta: two channels a
    signal, up and down, one event each `delta` the signal moves. sigma_delta: two channels a signal that spike each time
    the integral of its positive or negative part, times max_rate, passes a whole number. cochlea: sound through a mel
    filter bank, each band's level the rate of its spikes.
    events: the data are events, as they are, or lists of times binned by `bin_s`.
    """

    kind: Literal["rate", "regular", "latency", "rows", "crossing", "delta", "sigma_delta", "cochlea", "events"]
    steps: Size = Field(description="time steps that carry input")
    max_rate: Annotated[float, Field(gt=0, le=1)] = Field(1.0, description="spikes per step of the value 1")
    threshold: Annotated[float, Field(ge=0, lt=1)] = Field(0.01, description="latency: values at or below stay silent")
    rows: Size | None = Field(None, description="rows: rows of an image")
    hold: Size = Field(1, description="signals and cochlea: steps each point or frame is shown")
    thresholds: Size = Field(40, description="crossing: how many, evenly between low and high")
    low: float = Field(0.0, description="crossing: nothing lies below the first threshold but this")
    high: float = Field(1.0, description="crossing: nor above the last")
    delta: Rate = Field(0.1, description="delta: how far a signal moves for one event")
    bands: Size = Field(32, description="cochlea: bands of the filter bank")
    bin_s: Seconds | None = Field(None, description="event lists: seconds of recording a step; cochlea: a frame")
    pool: Size = Field(1, description="event lists: neighbouring channels that share one")
    prompt: Steps = Field(0, description="an extra last channel spikes in each of the last so many steps")

    @model_validator(mode="after")
    def _agrees(self) -> Encoder:
        if self.kind == "cochlea" and self.bin_s is None:
            raise ValueError("kind cochlea needs bin_s, the seconds of sound in a frame")
        if not self.low < self.high:
            raise ValueError(f"low is {self.low:g} and high {self.high:g}; allowed: low below high")
        if self.prompt > self.steps:
            raise ValueError(f"prompt is {self.prompt}, allowed: at most steps = {self.steps}")
        return self


class Loss(Part):
    """What training lowers, with regularisers on firing rates, membrane values and weights.

    spike_count, trace_mean: cross-entropy on the read-out's sum or mean over time. per_step: at every labelled step, on
    the read-out's sum over the last `window` steps; labels are asked for `tail_steps` later than they stand in the data.
    mse_count: squared distance of the read-out's sums from wanted ones (snnTorch's `mse_count_loss`).
    """

    kind: Literal["spike_count", "trace_mean", "per_step", "mse_count"] = "spike_count"
    scale: Rate = Field(1.0, description="what the read-out is multiplied with before the softmax")
    read_steps: Size | None = Field(None, description="only the last so many steps count; absent = all")
    window: Size = Field(1, description="per_step: steps of the read-out that are summed for one decision")
    correct_rate: Annotated[float, Field(ge=0)] = Field(1.0, description="mse_count: wanted of the true class a step")
    incorrect_rate: Annotated[float, Field(ge=0)] = Field(0.0, description="mse_count: wanted of the others a step")
    rate_target: Annotated[float, Field(ge=0, le=1)] = Field(0.05, description="wanted spikes per neuron and step")
    rate_weight: Annotated[float, Field(ge=0)] = 0.0
    rate_power: Literal[1, 2] = Field(1, description="power of the summed squared distances from the wanted rate")
    voltage_weight: Annotated[float, Field(ge=0)] = Field(0.0, description="on (|v|/θ − 1)² beyond ±1")
    voltage_at: Literal["every", "last"] = Field("every", description="steps whose membranes count")
    weight_l1: Annotated[float, Field(ge=0)] = Field(0.0, description="on the sum of the absolute weights")


class Augment(Part):
    """How training samples are altered, anew in every epoch; what is measured is not."""

    shift: Annotated[int, Field(ge=0, le=1000)] = Field(0, description="pictures move up to so many pixels each way")
    rotate_deg: Annotated[float, Field(ge=0, le=180)] = Field(0.0, description="pictures turn up to so far either way")
    zoom: Annotated[float, Field(ge=0, lt=1)] = Field(0.0, description="pictures become 1 ± so much times as large")
    mirror: bool = Field(False, description="half of the pictures are mirrored, left for right")
    noise: Annotated[float, Field(ge=0)] = Field(0.0, description="standard deviation added to values and signals")
    drop: Annotated[float, Field(ge=0, lt=1)] = Field(0.0, description="chance of an input event to be left out")
    move_steps: Steps = Field(0, description="a sample's events come up to so many steps earlier or later")

    @property
    def moves_pictures(self) -> bool:
        return bool(self.shift or self.rotate_deg or self.zoom or self.mirror)


class MismatchTraining(Part):
    """Training on virtual chips of the chip's mismatch, drawn anew; the network stays that of the chip as described.

    Adversarial: before each step, factors of words, or of thresholds and time constants too, climb the loss within
    attack_size standard deviations of where they were drawn, in attack_steps steps.
    """

    redraw: Literal["batch", "epoch"] = "batch"
    scale: Annotated[float, Field(ge=0)] = Field(1.0, description="what every spread is multiplied with")
    warmup: Annotated[float, Field(ge=0, le=1)] = Field(
        0.0, description="share of training over which spreads grow from 0"
    )
    groups: Size = Field(1, description="virtual chips of a batch, each for its part of the samples")
    attack_steps: Annotated[int, Field(ge=0, le=100)] = Field(0, description="0 = not adversarial")
    attack_size: Rate = Field(1.0, description="bound of an attack, in standard deviations of each parameter")
    attack_on: Literal["words", "all"] = Field(
        "words", description="what an attack moves: words, or thresholds and time constants too"
    )
    validation_chips: Size = Field(4, description="virtual chips whose mean accuracy chooses the best network")


class Training(Part):
    """The recipe: optimizer, schedule, epochs, and how the chip's memory is treated."""

    epochs: Size = 20
    batch: Size = 64
    optimizer: Literal["adam", "adamw", "sgd"] = "adam"
    lr: Rate = 1e-2
    base_lr: Rate | None = Field(None, description="learning rate of base weights; absent = lr / 10")
    base_every: Size = Field(10, description="base weights and trained constants move every so many steps")
    constant_lr: Rate | None = Field(
        None, description="learning rate of trained constants; absent = that of base weights"
    )
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    schedule: Literal["constant", "cosine"] = "cosine"
    truncate_steps: Size | None = Field(
        None, description="gradients go no further back than to the start of a piece of so many steps; absent = all"
    )
    augment: Augment = Field(Augment(), description="null = samples as they are")
    clip: Rate | None = Field(1.0, description="largest norm of the gradient; absent = not clipped")
    latent: Literal["free", "hull"] = "free"
    rounding: Literal["nearest", "stochastic", "feedback", "one-copy-nearest", "one-copy-stochastic"] = Field(
        "nearest", description="codes that training reads; evaluation and export read the nearest"
    )
    connectivity: Annotated[float, Field(ge=0, le=1)] | None = Field(
        None,
        description="the smallest connections beyond this share of a population's places are removed at every step",
    )
    random_shares: bool = Field(False, description="words beyond the slots are taken from random connections")
    refill: Annotated[float, Field(ge=0, le=1)] | None = Field(
        None, description="random empty places get fresh values up to this share of a population's places"
    )
    least_connections: Annotated[int, Field(ge=0)] = Field(
        0, description="neurons with fewer connections get random ones"
    )
    count_space: bool = Field(False, description="latents of J bases a sign move J times as far, as real counts would")
    temperature: Annotated[float, Field(ge=0)] = Field(0.0, description="of the noise on active connections")
    mismatch: MismatchTraining | None = Field(None, description="absent = the chip as described")
    storage: Literal["dense", "slots"] = Field(
        "dense", description="a latent for every source, or for slots and reserve"
    )
    reserve: Annotated[int, Field(ge=0)] | None = Field(
        None, description="slots: entries beyond; absent = as many again"
    )
    growth_every: Size = Field(50, description="slots: empty entries get new sources every so many steps")
    growth_share: Annotated[float, Field(ge=0, le=1)] = Field(0.25, description="slots: this share of them")
    growth_candidates: Annotated[int, Field(ge=0)] = Field(
        0, description="slots: sources tried by gradient for them, a neuron; 0 = drawn at random"
    )

    @field_validator("augment", mode="before")
    @classmethod
    def _null_alters_nothing(cls, value):
        return {} if value is None else value


class Published(Part):
    """A figure somebody published for this task, and where."""

    what: str
    value: float
    source: str


class Task(NetworkSpec):
    """A benchmark: a network, and everything else `neuro train` needs beside a chip."""

    name: Name
    title: str
    tail_steps: Steps = Field(0, description="empty steps after the input, for spikes still on their way")
    data: Data
    encoder: Encoder
    loss: Loss = Loss()
    training: Training = Training()
    published: tuple[Published, ...] = ()
    changed: tuple[str, ...] = Field((), description="overrides that made this task differ from its file")

    @model_validator(mode="after")
    def _augment_agrees(self) -> Task:
        how = self.training.augment
        if how.move_steps and self.loss.kind == "per_step":
            raise ValueError(
                "training.augment.move_steps moves events away from the labels of their steps; leave it out"
            )
        if how.noise and self.encoder.kind == "events":
            raise ValueError("training.augment.noise would make events no whole numbers; allowed: drop and move_steps")
        return self

    @property
    def network(self) -> NetworkSpec:
        """The network alone, as `neuro.place` takes it."""
        return NetworkSpec.model_validate({name: getattr(self, name) for name in NetworkSpec.model_fields})

    @property
    def steps(self) -> int:
        return self.encoder.steps + self.tail_steps
