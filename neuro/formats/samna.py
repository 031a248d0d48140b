"""samna: a configuration as sparse JSON, beside a loader that fills samna's own objects with it on the user's machine.

    configuration.json   every synapse word, destination, bias code and latch that is set; which events an input sends;
                         the chip's label, which says of a changed chip that it is not the real one
    load.py              stand-alone: `configuration(samna)` gives the object that samna's models apply
    network/             what no chip holds (see `neuro.formats.network`)

samna is never imported here: its package reinstalls itself when imported.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

from neuro.errors import TableError
from neuro.formats import samna_dynapse1, samna_dynapse2
from neuro.formats.layout import TEXT, Fields, refuse_other_chips, refuse_out_of_range
from neuro.formats.network import completed, load, refuse_findings, refuse_other_weights, save
from neuro.tables import Tables
from neuro.tables.strict import parse_json, read_bytes

FORMAT, VERSION = "neuro-samna", 1
CONFIGURATION, LOADER = "configuration.json", "load.py"
MODULES = {"dynapse1": samna_dynapse1, "dynapse2": samna_dynapse2}
PARAMETERS = {
    "chip": range(15 * 15),
    "core": range(4),
    "name": TEXT,
    "coarse_value": range(8),
    "fine_value": range(256),
}
MAX_BYTES = 2**30


def write(tables: Tables, folder: str | Path, overwrite: bool = False) -> None:
    """Write a folder that programs a DYNAP-SE board through samna.

    Raises DescriptionError for a chip samna's objects cannot hold, TableError where a limit is broken or the folder
    cannot be written.
    """
    name, module = _module(tables, "samna")
    refuse_other_chips(tables.chip, module.SIZES, module.TYPES, f"samna.{name}")
    refuse_findings(tables)
    refuse_other_weights(tables)
    late = tables.frames["inputs"]["delay"].ne(0)
    if late.any():
        raise TableError(f"inputs, row {int(late.argmax()) + 1}: an event arrives late, allowed: delay 0")
    biases = tables.frames["biases"].rename(columns={"coarse": "coarse_value", "fine": "fine_value"})
    words = {**module.pack(tables), "parameters": biases[list(PARAMETERS)]}
    for table, fields in _fields(module).items():
        refuse_out_of_range(words[table], fields, table)
    loader = Path(__file__).with_name("samna_loader.py").read_text(encoding="ascii")
    files = {CONFIGURATION: _text(name, tables.chip.label, words, _fields(module)), LOADER: loader}
    save(folder, files, tables, ("neurons", "readout"), overwrite)


def read(folder: str | Path) -> Tables:
    """Read such a folder back; raises TableError naming the file, table and row of the first thing that is wrong."""
    folder = Path(folder)
    network = load(folder, "samna")
    name, module = _module(network, "samna")
    refuse_other_chips(network.chip, module.SIZES, module.TYPES, f"samna.{name}")
    file = folder / CONFIGURATION
    content = parse_json(read_bytes(file, MAX_BYTES, "name the folder an export wrote"), str(file))
    keys = ["format", "version", "module", "chip", *_fields(module)]
    if not isinstance(content, dict) or sorted(content) != sorted(keys):
        raise TableError(f"{file}: allowed: an object with {', '.join(keys)}; export again")
    if [content["format"], content["version"], content["module"]] != [FORMAT, VERSION, name]:
        raise TableError(f"{file}: allowed: format {FORMAT}, version {VERSION}, module {name}; export again")
    if content["chip"] != network.chip.label:
        raise TableError(
            f"{file}: chip is {str(content['chip'])[:60]!r}, allowed: {network.chip.label!r}; export again"
        )
    words = {table: _frame(content[table], table, fields, file) for table, fields in _fields(module).items()}
    biases = words.pop("parameters").rename(columns={"coarse_value": "coarse", "fine_value": "fine"})
    return completed(network, {**module.unpack(words, network), "biases": biases})


def _module(tables: Tables, name: str):
    layout = tables.chip.formats.get(name)
    if layout not in MODULES:
        raise TableError(f"formats.{name} is {layout} on {tables.chip.label}, allowed: {', '.join(MODULES)}")
    return layout, MODULES[layout]


def _fields(module) -> dict[str, Fields]:
    return {**module.FIELDS, "parameters": PARAMETERS}


def _text(name: str, label: str, words: dict[str, pd.DataFrame], fields: dict[str, Fields]) -> str:
    """JSON with one line a row."""
    parts = [f'"format": "{FORMAT}",\n"version": {VERSION},\n"module": "{name}",\n"chip": {json.dumps(label)}']
    for table, columns in fields.items():
        cells = (words[table][column].tolist() for column in columns)
        rows = json.dumps(list(zip(*cells, strict=True)), separators=(",", ":")).replace("],[", "],\n[")
        parts.append(f'"{table}": {{"columns": {json.dumps(list(columns))}, "rows": {rows}}}')
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _frame(content: object, table: str, fields: Fields, file: Path) -> pd.DataFrame:
    where, columns = f"{file}: {table}", list(fields)
    if not isinstance(content, dict) or sorted(content) != ["columns", "rows"] or content["columns"] != columns:
        raise TableError(f"{where}: allowed: columns {', '.join(columns)}, and rows; export again")
    rows = content["rows"] if isinstance(content["rows"], list) else [None]
    for number, row in enumerate(rows, 1):
        if not isinstance(row, list) or len(row) != len(columns):
            raise TableError(f"{where}, row {number}: {str(row)[:60]} is no list of {len(columns)} cells")
    cells = list(zip(*rows, strict=True)) or [()] * len(columns)
    made = [_column(c, name, fields[name], where) for name, c in zip(columns, cells, strict=True)]
    frame = pd.DataFrame(dict(zip(columns, made, strict=True)))
    refuse_out_of_range(frame, fields, where)
    return frame


def _column(cells: tuple, name: str, allowed: range | None, where: str):
    kind, words = (str, "a name") if allowed is TEXT else (int, "a whole number")
    for number, cell in enumerate(cells, 1):
        if type(cell) is not kind or (kind is int and abs(cell) >= 2**62):
            raise TableError(f"{where}, row {number}: {name} is {str(cell)[:60]!r}, allowed: {words}")
    return pd.Series(cells, dtype=str) if kind is str else np.array(cells, dtype=np.int64)
