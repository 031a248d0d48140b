"""netparser: the text files of cAER's DYNAP-SE1 module, and what no chip holds beside them.

    network.txt   U00-C00-N003->3-1-U00-C02-N001     pre chip, core, neuron -> type - CAM words - post; U04 is the FPGA
    biases.txt    U0-C0-IF_DC_P-7-1-true             coarse 0 is the largest here, 7 in samna and in tables; high range
    tau2.txt      U00-C00-N001-TAU2                  neurons that take the second membrane time constant
    network/      what no chip holds, and which events inputs send (see `neuro.formats.network`)

netparser writes a source's own core id into its events, and no destination that nobody listens to. Words of one source
and type stand together; slots are numbered in the order of lines. Source: nmi-lab/pyCAERdynapse opt/netparser.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from neuro.errors import TableError
from neuro.formats.layout import refuse_other_chips
from neuro.formats.network import completed, load, refuse_findings, refuse_other_weights, save
from neuro.formats.samna_dynapse1 import OWN, SIZES, TYPES
from neuro.tables import Tables
from neuro.tables.joined import HERE, Joined
from neuro.tables.strict import as_ascii, read_bytes

CONNECTIONS, BIASES, TAU2 = "network.txt", "biases.txt", "tau2.txt"
FPGA = 4
COARSEST = 7
MAX_BYTES = 2**30
HEADS = {
    CONNECTIONS: "# pre chip-core-neuron -> type (0 GABA_B, 1 GABA_A, 2 NMDA, 3 AMPA) - CAM words - post",
    BIASES: "# chip-core-bias-coarse (0 is the largest)-fine-high range",
    TAU2: "# neurons that take IF_TAU2_N",
}
NEURON = r"U(\d{1,2})-C(\d{1,2})-N(\d{1,3})"
CONNECTION = re.compile(rf"{NEURON}(?:->|-)(\d)-(\d{{1,2}})(?:->|-){NEURON}")
BIAS = re.compile(r"U(\d{1,2})-C(\d{1,2})-([A-Za-z][A-Za-z0-9_]*)-(\d{1,2})-(\d{1,3})-true")
SECOND = re.compile(rf"{NEURON}-TAU2")
PRE = ["pre_chip", "pre_core", "pre_neuron"]
COLUMNS = {
    "pre_chip": range(FPGA + 1),
    "pre_core": range(4),
    "pre_neuron": range(OWN),
    "type": range(4),
    "words": range(1, 65),
    "chip": range(4),
    "core": range(4),
    "neuron": range(OWN),
}


def write(tables: Tables, folder: str | Path, overwrite: bool = False) -> None:
    """Write a folder that cAER's netparser programs.

    Raises DescriptionError for a chip that is no DYNAP-SE1, TableError where a limit is broken, a source sends another
    core id than its own, or the folder cannot be written.
    """
    refuse_other_chips(tables.chip, SIZES, TYPES, "netparser")
    if tables.chip.defects:
        raise TableError(
            f"netparser chooses the CAM words of a neuron itself, and {tables.chip.label} has words that do not work; "
            "export to samna, which names them"
        )
    refuse_findings(tables)
    refuse_other_weights(tables)
    _refuse_virtual_cores(tables)
    files = {
        CONNECTIONS: _connections(tables),
        BIASES: (
            f"U{b.chip}-C{b.core}-{b.name}-{COARSEST - b.coarse}-{b.fine}-true"
            for b in tables.frames["biases"].itertuples(index=False)
        ),
        TAU2: (f"U{c:02}-C{k:02}-N{n:03}-TAU2" for c, k, n in tables.frames["latches"][HERE].itertuples(index=False)),
    }
    texts = {name: "\n".join([HEADS[name], *lines, ""]) for name, lines in files.items()}
    save(folder, texts, tables, ("neurons", "inputs", "readout"), overwrite)


def read(folder: str | Path) -> Tables:
    """Read such a folder back; raises TableError naming the file and line of the first thing that is wrong."""
    folder = Path(folder)
    network = load(folder, "netparser")
    refuse_other_chips(network.chip, SIZES, TYPES, "netparser")
    connections = _read_connections(folder / CONNECTIONS)
    biases = [
        (int(c), int(k), name, COARSEST - int(coarse), int(fine))
        for _, (c, k, name, coarse, fine) in _lines(folder / BIASES, BIAS)
    ]
    latch = network.chip.neuron.latches.get("tau_mem", "")
    second = [(*map(int, place), latch) for _, place in _lines(folder / TAU2, SECOND)]
    frames = {
        "synapses": _synapses(connections),
        "routes": _routes(connections),
        "biases": pd.DataFrame(biases, columns=["chip", "core", "name", "coarse", "fine"]),
        "latches": pd.DataFrame(second, columns=[*HERE, "name"]),
    }
    return completed(network, frames)


def _refuse_virtual_cores(tables: Tables) -> None:
    routes = tables.frames["routes"]
    other = routes[routes["tag"] // OWN != routes["core"]]
    if len(other):
        r = other.iloc[0]
        raise TableError(
            f"chip {r['chip']} core {r['core']} neuron {r['neuron']} sends core id {r['tag'] // OWN} to chip "
            f"{r['target_chip']}, one of {len(other)} destinations with another core id than the source's own, which "
            "netparser cannot write; export to samna, or take fewer neurons so that none of equal ids meet in a core"
        )


def _connections(tables: Tables) -> Iterator[str]:
    """One line for the words of one type a neuron spends on a source."""
    joined = Joined(tables)
    source = joined.deliveries.drop_duplicates(["chip", "core", "tag"])[["chip", "core", "tag", "source"]]
    words = tables.frames["synapses"].merge(source, on=["chip", "core", "tag"], how="left")
    places = joined.neurons[HERE].to_numpy()
    grouped = words.groupby([*HERE, "source", "tag", "type"], sort=False).size().reset_index(name="words")
    for w in grouped.itertuples(index=False):
        own = w.source >= joined.inputs
        pre = places[w.source - joined.inputs] if own else (FPGA, w.tag // OWN, w.tag % OWN)
        yield f"{_name(*pre)}->{w.type}-{w.words}-{_name(w.chip, w.core, w.neuron)}"


def _name(chip: int, core: int, neuron: int) -> str:
    return f"U{chip:02}-C{core:02}-N{neuron:03}"


def _lines(path: Path, form: re.Pattern) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Every line of a file that is neither empty nor a comment, as (number, groups of its form)."""
    text = as_ascii(read_bytes(path, MAX_BYTES, "name the folder an export wrote"), str(path))
    for number, line in enumerate(text.split("\n"), 1):
        line = line.strip()
        if line and not line.startswith("#"):
            match = form.fullmatch(line)
            if match is None:
                raise TableError(f"{path}:{number}: {line[:80]!r} is no line of this file, see {HEADS[path.name][2:]}")
            yield number, match.groups()


def _read_connections(path: Path) -> pd.DataFrame:
    seen: dict[tuple, int] = {}
    rows = []
    for number, groups in _lines(path, CONNECTION):
        row = tuple(map(int, groups))
        for (name, allowed), value in zip(COLUMNS.items(), row, strict=True):
            if value not in allowed:
                limits = f"{allowed.start} to {allowed.stop - 1}"
                raise TableError(f"{path}:{number}: {name.replace('_', ' ')} is {value}, allowed: {limits}")
        key = (*row[:4], *row[5:])
        if seen.setdefault(key, number) != number:
            raise TableError(f"{path}:{number}: this connection stands on line {seen[key]} already; add up their words")
        rows.append(row)
    return pd.DataFrame(rows, columns=list(COLUMNS), dtype=np.int64)


def _synapses(connections: pd.DataFrame) -> pd.DataFrame:
    """One row a CAM word, slots in the order of lines."""
    words = connections.loc[connections.index.repeat(connections["words"])]
    return words[HERE].assign(
        slot=words.groupby(HERE).cumcount(),
        tag=words["pre_core"] * OWN + words["pre_neuron"],
        type=words["type"],
        part=-1,
        code=1,
        delay=0,
    )


def _routes(connections: pd.DataFrame) -> pd.DataFrame:
    """One row for each chip a neuron is heard on, numbered by chip; netparser writes no more than it needs."""
    sent = connections[connections["pre_chip"] < FPGA]
    bits = sent.assign(bit=np.left_shift(1, sent["core"])).drop_duplicates([*PRE, "chip", "bit"])
    rows = bits.groupby([*PRE, "chip"])["bit"].sum().reset_index()
    return pd.DataFrame(
        {
            "chip": rows["pre_chip"],
            "core": rows["pre_core"],
            "neuron": rows["pre_neuron"],
            "route": rows.groupby(PRE).cumcount(),
            "tag": rows["pre_core"] * OWN + rows["pre_neuron"],
            "target_chip": rows["chip"],
            "core_mask": rows["bit"],
            "delay": 1,
        }
    )
