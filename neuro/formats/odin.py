"""ODIN: the image of the synapse memory, the sign of each row, and the parameters of each neuron.

    synapses.bin    8192 words of 32 bits, little-endian: word (row << 5 | neuron >> 3) holds eight synapses of a row, byte
                    neuron[2:1], nibble neuron[0]; a nibble is the weight 0 to 7, its upper bit (mapping, online learning) 0
    signs.txt       SPI_SYN_SIGN[255:0] as 64 hexadecimal digits, row 255 first; 1 = inhibitory
    neurons.txt     neuron, threshold and leak of every neuron in use
    network/        what the chip does not hold, and which rows inputs send to (see `neuro.formats.network`)

Source: ChFrenkel/ODIN@1781931 doc. That the mapping bit is the upper one of a nibble is unverified, and so are the places
of threshold and leak among the 128 bits of a neuron, which is why these stand as text.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd

from neuro.descriptor import Chip
from neuro.errors import DescriptionError, TableError
from neuro.formats.differences import refuse_other_lines
from neuro.formats.network import load, refuse_findings, save
from neuro.formats.whole import constants_of_neurons, refuse_real_numbers
from neuro.tables import Tables
from neuro.tables.joined import Joined, levels_of
from neuro.tables.strict import as_ascii, read_bytes

SYNAPSES, SIGNS, NEURONS = "synapses.bin", "signs.txt", "neurons.txt"
IDS = 256
BYTES = IDS * IDS // 2
NEEDED = {
    "board.columns": 1,
    "board.rows": 1,
    "cores.per_chip": 1,
    "cores.neurons": IDS,
    "tags.bits": 8,
    "tags.own_bits": 8,
    "weights.sign": "source",
    "weights.levels": tuple(float(level) for level in range(1, 8)),
    "weights.shifts": (0,),
    "neuron.leak": "linear_to_zero",
    "delays.lines": 1,
}
HEAD = "# neuron threshold leak"


def write(tables: Tables, folder: str | Path, overwrite: bool = False) -> None:
    """Write a folder with ODIN's memory.

    Raises DescriptionError for a chip of another shape, TableError where a limit is broken or the folder cannot be
    written.
    """
    _refuse_other_chips(tables.chip)
    refuse_findings(tables)
    files = {SYNAPSES: _image(tables), SIGNS: _signs(tables), NEURONS: _neurons(tables)}
    save(folder, files, tables, ("neurons", "weights", "routes", "inputs", "readout"), overwrite)


def read(folder: str | Path) -> Tables:
    """Read such a folder back; raises TableError naming the file and the first thing that is wrong."""
    folder = Path(folder)
    network = load(folder, "odin")
    _refuse_other_chips(network.chip)
    image, signs, neurons = (
        read_bytes(folder / name, 2 * BYTES, "name the folder an export wrote") for name in (SYNAPSES, SIGNS, NEURONS)
    )
    if len(image) != BYTES:
        raise TableError(f"{folder / SYNAPSES}: has {len(image)} bytes, allowed: {BYTES}; export again")
    text = as_ascii(signs, str(folder / SIGNS))
    if not re.fullmatch(r"[0-9a-f]{64}\n", text):
        raise TableError(f"{folder / SIGNS}: allowed: 64 hexadecimal digits in one line; export again")
    synapses = _synapses(image, int(text, 16), network, folder / SYNAPSES)
    tables = Tables(network.manifest, {**network.frames, "synapses": synapses})
    refuse_findings(tables)
    refuse_other_lines(text, _signs(tables), str(folder / SIGNS))
    refuse_other_lines(as_ascii(neurons, str(folder / NEURONS)), _neurons(tables), str(folder / NEURONS))
    return tables


def _refuse_other_chips(chip: Chip) -> None:
    for path, allowed in NEEDED.items():
        room, key = path.split(".")
        if (have := getattr(getattr(chip, room), key)) != allowed:
            raise DescriptionError(f"{path} is {have} on {chip.label}, allowed in format odin: {allowed}")
    refuse_real_numbers(chip, "format odin")


def _image(tables: Tables) -> bytes:
    words = tables.frames["synapses"]
    nibbles = np.zeros((IDS, IDS), np.uint8)
    nibbles[words["tag"], words["neuron"]] = levels_of(tables.chip)[words["code"]]
    pairs = nibbles.reshape(IDS, IDS // 2, 2)  # a byte holds two neurons, four bytes a word, least first
    return (pairs[:, :, 0] | pairs[:, :, 1] << 4).tobytes()


def _signs(tables: Tables) -> str:
    words = Joined(tables).words
    return f"{sum(1 << int(row) for row in words['tag'][words['sign'] < 0].unique()):064x}\n"


def _neurons(tables: Tables) -> str:
    rows = constants_of_neurons(tables).sort_values("neuron")
    lines = (f"{n} {threshold} {leak}" for n, threshold, leak in rows[["neuron", "threshold", "leak"]].to_numpy())
    return "\n".join([HEAD, *lines, ""])


def _synapses(image: bytes, signs: int, network: Tables, file: Path) -> pd.DataFrame:
    """One row for each weight, neurons in the order of populations, words in the order of sources."""
    packed = np.frombuffer(image, np.uint8).reshape(IDS, IDS // 2)
    weights = np.stack([packed & 15, packed >> 4], -1).reshape(IDS, IDS)
    if (weights > 7).any():
        row, neuron = np.argwhere(weights > 7)[0]
        raise TableError(f"{file}: row {row} neuron {neuron}: the mapping bit is set, allowed: 0; export again")
    joined = Joined(network)
    source = dict(joined.deliveries[["tag", "source"]].itertuples(index=False, name=None))
    types = {t.sign: t.id for t in network.chip.types}
    homes = {int(n): i for i, n in enumerate(joined.neurons["neuron"])}
    rows, neurons = np.nonzero(weights)
    for row, neuron in zip(rows.tolist(), neurons.tolist(), strict=True):
        if row not in source or neuron not in homes:
            what = f"row {row} is no source's" if row not in source else f"neuron {neuron} is not in use"
            raise TableError(f"{file}: row {row} neuron {neuron}: a weight, but {what}; export again")
    found = pd.DataFrame({"neuron": neurons, "tag": rows, "code": weights[rows, neurons].astype(np.int64) - 1})
    found["type"] = [types[-1 if signs >> row & 1 else 1] for row in rows.tolist()]
    found["order"], found["source"] = found["neuron"].map(homes), found["tag"].map(source)
    found = found.sort_values(["order", "source"], ignore_index=True)
    found["slot"] = found.groupby("neuron").cumcount()
    found = found.assign(chip=0, core=0, part=-1, delay=0)
    return found[["chip", "core", "neuron", "slot", "tag", "type", "part", "code", "delay"]].astype(np.int64)
