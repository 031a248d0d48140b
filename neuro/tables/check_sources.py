"""Rules on what one source takes: words on the chip, memory in a core; and on neurons that are read out or echo."""

from __future__ import annotations

from operator import itemgetter

import numpy as np
import pandas as pd

from neuro.descriptor import Current
from neuro.tables.finding import CORE, NEURON, ROUTE, SYNAPSE, Finding, found
from neuro.tables.joined import HERE, Joined

HEARD = ["chip", "core", "tag"]


def source_findings(joined: Joined) -> list[Finding]:
    """Find sources with too many words, cores whose memory overflows, and neurons that do what theirs cannot."""
    return [*_fan_out(joined), *_fan_out_mean(joined), *_memory(joined), *_outputs(joined), *_echoes(joined)]


def words_of_neurons(joined: Joined) -> pd.DataFrame:
    """Words on the chip that each neuron's events find: chip, core, neuron, words."""
    sent = joined.deliveries[joined.deliveries["source"] >= joined.inputs].drop_duplicates(["source", *HEARD])
    words = joined.words[HEARD].merge(sent, on=HEARD).groupby("source").size().rename("words").reset_index()
    return words.merge(joined.neurons[[*HERE, "source"]], on="source")


def _fan_out(joined: Joined) -> list[Finding]:
    limit = joined.chip.weights.fan_out
    if limit is None:
        return []
    words = words_of_neurons(joined)
    return found("fan-out", words[words["words"] > limit], NEURON, itemgetter("words"), limit)


def _fan_out_mean(joined: Joined) -> list[Finding]:
    chip = joined.chip
    if chip.weights.fan_out_mean is None:
        return []
    limit = chip.weights.fan_out_mean * (chip.cores.neurons - (chip.cores.outputs or 0))
    words = words_of_neurons(joined).groupby(["chip", "core"])["words"].sum().reset_index()
    return found("fan-out of a core", words[words["words"] > limit], CORE, itemgetter("words"), limit)


def _memory(joined: Joined) -> list[Finding]:
    memory = joined.chip.cores.memory
    if memory is None:
        return []
    cores = memory_bits(joined)
    return found("bits of synapse memory", cores[cores["bits"] > memory.bits], CORE, itemgetter("bits"), memory.bits)


def memory_bits(joined: Joined) -> pd.DataFrame:
    """Bits in use of each core of a chip with `cores.memory`: its sources' words in blocks, each rounded up."""
    memory = joined.chip.cores.memory
    word = joined.chip.weights.word_bits + (memory.delay_bits if any(joined.manifest.delay_lines) else 0)
    axons = joined.words.groupby(HEARD).size().rename("words").reset_index()
    full, rest = np.divmod(axons["words"].to_numpy(), memory.block_words)
    bits = full * _aligned(memory.block_words * word + memory.header_bits, memory.align_bits)
    bits = bits + np.where(rest > 0, _aligned(rest * word + memory.header_bits, memory.align_bits), 0)
    return axons.assign(bits=bits).groupby(["chip", "core"])["bits"].sum().reset_index()


def _aligned(bits, step: int):
    return (bits + step - 1) // step * step


def _outputs(joined: Joined) -> list[Finding]:
    """The last neurons of a core are read out, all others are not, and they send nothing to neurons."""
    outputs = joined.chip.cores.outputs
    if outputs is None:
        return []
    first = joined.chip.cores.neurons - outputs
    names = list(joined.tables.population_sizes)
    read = {names.index(output.population) for output in joined.manifest.outputs}
    neurons = joined.neurons.assign(read=joined.neurons["population"].isin(read), own=joined.neurons["neuron"] >= first)
    inside, outside = neurons[neurons["read"] & ~neurons["own"]], neurons[~neurons["read"] & neurons["own"]]
    routes = joined.tables.frames["routes"]
    return [
        *_unheard(joined, first),
        *found("output neuron", inside, NEURON, "read out", f"neurons {first} to {joined.chip.cores.neurons - 1}"),
        *found("output neuron", outside, NEURON, "not read out", f"neurons 0 to {first - 1}"),
        *found("route of an output", routes[routes["neuron"] >= first], ROUTE, "a route", "none: it is only read out"),
    ]


def _unheard(joined: Joined, first: int) -> list[Finding]:
    """Words of neurons that are read out, of currents or of inputs that they have not."""
    words = joined.words[joined.words["neuron"] >= first]
    lacking = [k for k, name in enumerate(joined.manifest.currents) if not _current(name, joined).outputs]
    findings = found(
        "current of an output", words[words["current"].isin(lacking)], SYNAPSE, "type {type}", "of a current they have"
    )
    if joined.chip.inputs.to_outputs:
        return findings
    channels = joined.deliveries[joined.deliveries["source"] < joined.inputs][HEARD].drop_duplicates()
    heard = words.merge(channels, on=HEARD)
    return findings + found("input of an output", heard, SYNAPSE, "a word of an input", "words of other neurons")


def _current(name: str, joined: Joined) -> Current:
    return next(current for current in joined.chip.currents if current.name == name)


def _echoes(joined: Joined) -> list[Finding]:
    """Where neurons' events always reach their own core, nothing else may arrive there under their ids."""
    if not joined.chip.tags.echo:
        return []
    own = joined.neurons[[*HERE, "source"]].rename(columns={"neuron": "tag", "source": "own"})
    clash = joined.deliveries.merge(own, on=HEARD)
    clash = clash[clash["source"] != clash["own"]]
    have = "{source}, beside the neuron of that id"
    clash = clash.assign(source=[joined.name(source) for source in clash["source"]])
    return found("tag of a neuron", clash, CORE + " tag {tag}", have, "the events of that neuron alone")
