"""C: a network of whole numbers as one self-contained C99 header, for microcontrollers and for tests of hardware.

    network.h    sizes, constants of every neuron, synapse words, routes and input channels, all static const integers
    network/     what the header does not say: populations, levels, read-outs (see `neuro.formats.network`)

An event of a source goes along its rows of `send` (or `channel`) to an axon of a core, `delay` steps later, and adds the
`value` of each of the axon's words to a current of a neuron, after the word's own delay. Then, for every neuron,

    i_k = leak(i_k) + sum_k;  v = max(leak(v) + i_1 + i_2 + … + bias, floor);  spike where v >= threshold and it rests not

with leak and reset as NEURO_LEAK and NEURO_RESET say; the equations stand in `neuro.dynamics.model`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from neuro.errors import TableError
from neuro.formats.differences import refuse_other_lines
from neuro.formats.network import load, refuse_findings, save
from neuro.formats.whole import constants_of_neurons, refuse_real_numbers
from neuro.tables import Tables
from neuro.tables.columns import columns_of
from neuro.tables.joined import Joined
from neuro.tables.strict import as_ascii, read_bytes

HEADER = "network.h"
MAX_BYTES = 2**30
WIDTH = 118
WORD = ("neuron", "slot", "tag", "type", "code", "delay")
LEAKS = ("fraction", "shift", "linear", "linear_to_zero")
HEARD = ["chip", "core", "tag"]
ARRAY = re.compile(r"static const int32_t neuro_(\w+)\[\d+\] = \{([-0-9,\s]*)\};")
COUNT = re.compile(r"#define NEURO_(WORD|ROUTE|INPUT)S (\d{1,10})\n")


def write(tables: Tables, folder: str | Path, overwrite: bool = False) -> None:
    """Write a folder with a header that a C compiler takes as it is.

    Raises DescriptionError for a chip whose neurons or weights are not whole numbers, TableError where a limit is broken
    or the folder cannot be written.
    """
    refuse_real_numbers(tables.chip, "format c")
    refuse_findings(tables)
    save(folder, {HEADER: _text(tables)}, tables, ("neurons", "weights", "readout"), overwrite)


def read(folder: str | Path) -> Tables:
    """Read such a folder back; raises TableError naming the file and line of the first thing that is wrong."""
    folder = Path(folder)
    network = load(folder, "c")
    refuse_real_numbers(network.chip, "format c")
    file = folder / HEADER
    text = as_ascii(read_bytes(file, MAX_BYTES, "name the folder an export wrote"), str(file))
    arrays = {
        name: np.array([int(number) for number in re.findall(r"-?\d{1,12}", numbers)], dtype=np.int64)
        for name, numbers in ARRAY.findall(text)
    }
    for name, rows in COUNT.findall(text):
        arrays.update(
            {key: values[: int(rows)] for key, values in arrays.items() if key.startswith(f"{name.lower()}_")}
        )
    tables = Tables(network.manifest, {**network.frames, **_frames(arrays, network, file)})
    refuse_findings(tables)
    refuse_other_lines(text, _text(tables), str(file))
    return tables


def _text(tables: Tables) -> str:
    chip, manifest = tables.chip, tables.manifest
    neuron, floor = chip.neuron, chip.neuron.floor
    sizes = {
        "NEURONS": len(tables.frames["neurons"]),
        "CHANNELS": sum(tables.input_channels.values()),
        "CURRENTS": len(manifest.currents),
        "WORDS": len(tables.frames["synapses"]),
        "ROUTES": len(tables.frames["routes"]),
        "INPUTS": len(tables.frames["inputs"]),
        "LONGEST_DELAY": _longest(tables),
        "LEAK": LEAKS.index(neuron.leak),
        "DECAY_BITS": neuron.decay_bits or 0,
        "RESET_TO_VALUE": int(neuron.reset == "to_value"),
        "HOLDS": int(neuron.refractory == "hold"),
        "FLOOR": "INT32_MIN" if floor is None else int(floor),
    }
    lines = [
        f"/* {chip.label}: {chip.title}, as whole numbers. */",
        "#ifndef NEURO_NETWORK_H",
        "#define NEURO_NETWORK_H",
        "#include <stdint.h>",
        f"/* leak: {', '.join(f'{i} {name}' for i, name in enumerate(LEAKS))} */",
        *(f"#define NEURO_{name} {value}" for name, value in sizes.items()),
    ]
    for name, values in _arrays(tables):
        lines += _array(name, values)
    return "\n".join([*lines, "#endif", ""])


def _longest(tables: Tables) -> int:
    sent = [int(tables.frames[table]["delay"].max()) for table in ("routes", "inputs") if len(tables.frames[table])]
    return max(sent, default=0) + max(tables.manifest.delay_lines)


def _arrays(tables: Tables) -> Iterator[tuple[str, Iterable[int]]]:
    """Every array of the header: constants, then words, routes and channels row by row, then who reaches which words."""
    joined, constants = Joined(tables), constants_of_neurons(tables)
    for name in ("leak", "threshold", "reset", "bias", "refractory"):
        yield name, constants[name]
    yield "decay_syn", [n for decays in constants["decay_syn"] for n in decays]
    place = {here: i for i, here in enumerate(constants[["chip", "core", "neuron"]].itertuples(index=False, name=None))}
    words = joined.words
    at = [place[here] for here in words[["chip", "core", "neuron"]].itertuples(index=False, name=None)]
    words = words.assign(neuron=at)
    for name in (*WORD, "current", "value"):
        yield f"word_{name}", words[name]
    for table, prefix in (("routes", "route"), ("inputs", "input")):
        frame = tables.frames[table]
        for name in columns_of(table, tables.chip):
            yield f"{prefix}_{name}", frame[name]
    yield from _reached(joined, words)


def _reached(joined: Joined, words: pd.DataFrame) -> Iterator[tuple[str, Iterable[int]]]:
    """Axons, one for each tag a core listens to, with their words; and the axons that each source reaches."""
    axons = words[HEARD].drop_duplicates().sort_values(HEARD, ignore_index=True)
    axons = axons.assign(axon=np.arange(len(axons)))
    of_word = words[HEARD].merge(axons, on=HEARD, how="left")["axon"].to_numpy()
    yield "axon_first", _firsts(of_word, len(axons))
    yield "axon_word", np.argsort(of_word, kind="stable")
    sent = joined.deliveries.merge(axons, on=HEARD).sort_values(["source", "axon", "delay"], ignore_index=True)
    for name, low, number in (("channel", 0, joined.inputs), ("send", joined.inputs, len(joined.neurons))):
        part = sent[(sent["source"] >= low) & (sent["source"] < low + number)]
        yield f"{name}_first", _firsts(part["source"].to_numpy() - low, number)
        yield f"{name}_axon", part["axon"]
        yield f"{name}_delay", part["delay"]


def _firsts(owner: np.ndarray, number: int) -> np.ndarray:
    """Where the entries of each owner begin, and after them the end: [number + 1]."""
    return np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=number))])


def _array(name: str, values: Iterable[int]) -> list[str]:
    """A definition in lines of the header's width; an array of nothing holds one 0, as C has no empty ones."""
    numbers = [int(value) for value in values]
    lines, line = [f"static const int32_t neuro_{name}[{max(len(numbers), 1)}] = {{"], " "
    for number in numbers or [0]:
        if len(line) + len(str(number)) > WIDTH:
            lines.append(line)
            line = " "
        line += f"{number},"
    return [*lines, line, "};"]


def _frames(arrays: dict[str, np.ndarray], network: Tables, file: Path) -> dict[str, pd.DataFrame]:
    """The tables the header holds, row by row as they were written."""
    homes = Joined(network).neurons[["chip", "core", "neuron"]].to_numpy()
    synapses = _columns(arrays, "word", WORD, file)
    if len(synapses) and not synapses["neuron"].between(0, len(homes) - 1).all():
        raise TableError(f"{file}: neuro_word_neuron: allowed: 0 to {len(homes) - 1}; export again")
    for i, name in enumerate(("chip", "core", "neuron")):
        synapses[f"home_{name}"] = homes[synapses["neuron"].to_numpy(), i]
    synapses = synapses.assign(part=-1).drop(columns="neuron").rename(columns=lambda name: name.removeprefix("home_"))
    return {
        "synapses": synapses[list(columns_of("synapses", network.chip))],
        "routes": _columns(arrays, "route", columns_of("routes", network.chip), file),
        "inputs": _columns(arrays, "input", columns_of("inputs", network.chip), file),
    }


def _columns(arrays: dict[str, np.ndarray], prefix: str, names: Iterable[str], file: Path) -> pd.DataFrame:
    columns = {}
    for name in names:
        if f"{prefix}_{name}" not in arrays:
            raise TableError(f"{file}: neuro_{prefix}_{name} is not there or not an array of numbers; export again")
        columns[name] = arrays[f"{prefix}_{name}"]
    sizes = {len(column) for column in columns.values()}
    if len(sizes) > 1:
        raise TableError(f"{file}: arrays neuro_{prefix}_… have {sorted(sizes)} entries, allowed: as many each")
    return pd.DataFrame(columns)
