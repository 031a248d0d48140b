"""Xylo Audio: matrices and parameters under the names of samna's XyloConfiguration, as JSON.

    xylo.json    input {weights, syn2_weights, weight_bit_shift}, reservoir {…, neurons}, readout {weights, …, neurons},
                 synapse2_enable, bias_enable; weights[source][target] are whole numbers of 8 bits
    network/     what the chip does not hold: populations, tags, levels, read-outs (see `neuro.formats.network`)

Inputs are rows in the order of channels, hidden neurons and outputs stand under their id. A decay is the dash of a bit
shift. No neuron has an alias. Source: synsense/rockpool@42cee1c9 docs/devices/xylo-overview, mappers.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

from neuro.descriptor import Chip
from neuro.errors import DescriptionError, TableError
from neuro.formats.differences import refuse_differences
from neuro.formats.network import load, refuse_findings, save
from neuro.formats.whole import constants_of_neurons, refuse_real_numbers
from neuro.tables import Tables
from neuro.tables.columns import columns_of
from neuro.tables.joined import Joined, levels_of
from neuro.tables.strict import parse_json, read_bytes

CONFIGURATION = "xylo.json"
MAX_BYTES = 2**28
MATRICES = ("weights", "syn2_weights")


def write(tables: Tables, folder: str | Path, overwrite: bool = False) -> None:
    """Write a folder that Xylo's tools can fill a configuration from.

    Raises DescriptionError for a chip of another shape, TableError where a limit is broken or the folder cannot be
    written.
    """
    _refuse_other_chips(tables.chip)
    refuse_findings(tables)
    text = json.dumps(_content(tables), separators=(",", ":")).replace("],[", "],\n[") + "\n"
    save(folder, {CONFIGURATION: text}, tables, ("neurons", "weights", "routes", "inputs", "readout"), overwrite)


def read(folder: str | Path) -> Tables:
    """Read such a folder back; raises TableError naming the file and the first thing that is wrong."""
    folder = Path(folder)
    network = load(folder, "xylo")
    _refuse_other_chips(network.chip)
    file = folder / CONFIGURATION
    content = parse_json(read_bytes(file, MAX_BYTES, "name the folder an export wrote"), str(file))
    tables = Tables(network.manifest, {**network.frames, "synapses": _synapses(content, network, str(file))})
    refuse_findings(tables)
    refuse_differences(content, _content(tables), str(file))
    return tables


def _refuse_other_chips(chip: Chip) -> None:
    for path, good, allowed in (
        ("cores.outputs", chip.cores.outputs is not None, "neurons that are read out, beside the others"),
        ("cores.per_chip", chip.chips * chip.cores.per_chip == 1, "one core"),
        ("neuron.leak", chip.neuron.leak == "shift", "shift"),
        ("neuron.reset", chip.neuron.reset == "subtract", "subtract"),
        ("currents", len(chip.currents) == 2, "two"),
        ("delays.lines", chip.delays.lines == 1, "1"),
        ("inputs.to_outputs", not chip.inputs.to_outputs, "no"),
    ):
        if not good:
            raise DescriptionError(f"{path} of {chip.label}: allowed in format xylo: {allowed}")
    refuse_real_numbers(chip, "format xylo")


class _Shape:
    """Which rows and columns of the matrices sources and targets have."""

    def __init__(self, tables: Tables):
        self.joined = Joined(tables)
        neurons = self.joined.neurons["neuron"].to_numpy()
        self.first = tables.chip.cores.neurons - tables.chip.cores.outputs
        self.inputs = self.joined.inputs
        self.hidden = int(neurons[neurons < self.first].max(initial=-1)) + 1
        self.outputs = int(neurons[neurons >= self.first].max(initial=self.first - 1)) + 1 - self.first
        self.sources = dict(self.joined.deliveries[["tag", "source"]].itertuples(index=False, name=None))
        self.neuron_of = neurons

    @property
    def blocks(self) -> dict[str, tuple[int, int]]:
        """Rows and columns of each block's matrices."""
        sizes = {"input": (self.inputs, self.hidden), "reservoir": (self.hidden, self.hidden)}
        return {**sizes, "readout": (self.hidden, self.outputs)}

    def place(self, source: int, neuron: int) -> tuple[str, int, int]:
        """The block, row and column of a word."""
        row = source if source < self.inputs else int(self.neuron_of[source - self.inputs])
        if neuron >= self.first:
            return "readout", row, neuron - self.first
        return "input" if source < self.inputs else "reservoir", row, neuron


def _currents(tables: Tables) -> dict[int, str]:
    """The matrix of each current in use, by its place: the chip's first and second."""
    names = [current.name for current in tables.chip.currents]
    return {k: MATRICES[names.index(name)] for k, name in enumerate(tables.manifest.currents)}


def _content(tables: Tables) -> dict:
    shape, matrix_of = _Shape(tables), _currents(tables)
    blocks = {name: {key: np.zeros(size, int) for key in MATRICES} for name, size in shape.blocks.items()}
    levels = levels_of(tables.chip).astype(int)
    for word in shape.joined.words.itertuples(index=False):
        block, row, column = shape.place(shape.sources[word.tag], word.neuron)
        blocks[block][matrix_of[word.current]][row, column] = levels[word.code]
    neurons = _neurons(tables, shape)
    shift = _shift(tables)
    content = {
        name: {key: matrix.tolist() for key, matrix in matrices.items()} | {"weight_bit_shift": shift}
        for name, matrices in blocks.items()
    }
    del content["readout"]["syn2_weights"]
    content["reservoir"] |= {"aliasing": False, "neurons": neurons[: shape.hidden]}
    content["readout"]["neurons"] = [
        {key: value for key, value in neuron.items() if key not in ("i_syn2_decay", "alias_target")}
        for neuron in neurons[shape.first : shape.first + shape.outputs]
    ]
    biased = any(neuron["v_mem_bias"] for neuron in neurons)
    return {**content, "synapse2_enable": MATRICES[1] in matrix_of.values(), "bias_enable": biased}


def _shift(tables: Tables) -> int:
    """The power of two that levels are multiplied with: from the largest weight of the core."""
    weights = tables.frames["weights"]
    largest = weights.loc[weights["value"].abs().idxmax()]
    return int(np.log2(abs(largest["value"] / levels_of(tables.chip)[largest["part"]])))


def _neurons(tables: Tables, shape: _Shape) -> list[dict]:
    """The parameters of every neuron by id, silent ones where none is in use."""
    silent = {"i_syn_decay": 0, "i_syn2_decay": 0, "v_mem_decay": 0, "threshold": 0, "v_mem_bias": 0}
    rows = [dict(silent, alias_target=None) for _ in range(tables.chip.cores.neurons)]
    keys = {matrix: key for matrix, key in zip(MATRICES, ("i_syn_decay", "i_syn2_decay"), strict=True)}
    for n in constants_of_neurons(tables).itertuples(index=False):
        row = rows[n.neuron]
        row |= {"v_mem_decay": n.leak, "threshold": n.threshold, "v_mem_bias": n.bias}
        row |= {keys[matrix]: n.decay_syn[k] for k, matrix in _currents(tables).items()}
    return rows


def _synapses(content: object, network: Tables, file: str) -> pd.DataFrame:
    """One row for each weight that is not 0, neurons in the order of populations, words in the order of sources."""
    shape, levels = _Shape(network), {int(level): i for i, level in enumerate(levels_of(network.chip))}
    types = _types(network)
    homes = {int(n): i for i, n in enumerate(shape.neuron_of)}
    tags: dict[tuple[str, int], tuple[int, int]] = {}
    for tag, source in shape.sources.items():
        where = ("input", source) if source < shape.inputs else ("hidden", int(shape.neuron_of[source - shape.inputs]))
        tags[where] = (tag, source)
    found = []
    for block, size in shape.blocks.items():
        for current, matrix in _currents(network).items():
            if block == "readout" and matrix == MATRICES[1]:
                continue
            weights = _matrix(content, block, matrix, size, file)
            for row, column in np.argwhere(weights).tolist():
                value, where = int(weights[row, column]), f"{file}: {block}.{matrix}.{row}.{column}"
                neuron = column + (shape.first if block == "readout" else 0)
                source = tags.get(("input" if block == "input" else "hidden", row))
                if value not in levels or source is None or neuron not in homes:
                    raise TableError(f"{where} is {value}, allowed: 0, or a level between neurons in use; export again")
                kind = types[current, 1 if value > 0 else -1]
                found.append((homes[neuron], source[1], current, neuron, source[0], kind, levels[value]))
    names = ["order", "source", "current", "neuron", "tag", "type", "code"]
    frame = pd.DataFrame(found, columns=names).sort_values(names[:3], ignore_index=True)
    frame["slot"] = frame.groupby("neuron").cumcount()
    frame = frame.assign(chip=0, core=0, part=-1, delay=0)
    return frame[list(columns_of("synapses", network.chip))].astype(np.int64)


def _types(network: Tables) -> dict[tuple[int, int], int]:
    """The synapse type of each current in use and sign."""
    by_name = {t.name: t for t in network.chip.types}
    currents = {current.name: current for current in network.chip.currents}
    return {
        (k, by_name[t].sign): by_name[t].id
        for k, name in enumerate(network.manifest.currents)
        for t in reversed(currents[name].types)
    }


def _matrix(content: object, block: str, key: str, size: tuple[int, int], file: str) -> np.ndarray:
    part = content.get(block) if isinstance(content, dict) else None
    rows = part.get(key) if isinstance(part, dict) else None
    good = isinstance(rows, list) and len(rows) == size[0]
    good = good and all(isinstance(row, list) and len(row) == size[1] for row in rows)
    if not good or any(type(value) is not int or abs(value) > 2**31 for row in rows for value in row):
        raise TableError(f"{file}: {block}.{key}: allowed: {size[0]} lists of {size[1]} whole numbers; export again")
    return np.array(rows, dtype=np.int64).reshape(size)
