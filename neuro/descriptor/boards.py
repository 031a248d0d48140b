"""Files of measured boards: how often each synapse word failed, and which tags reach each core.

An NPZ file (arrays only, nothing in it is executed) with

    cam_failure_probability   float [cores, neurons, words], or [cores, neurons, words, 2] where tags of the lower and of
                              the upper half were measured apart; 0 to 1
    usable_tag                bool [cores, tags]

Cores are those of all chips of the board, chip by chip. A word works where it failed in at most `tolerance` of trials.
Source of the form: Maryada-27/dynapse_homeostasis CAMs/profiles.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import io
import os
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from neuro.descriptor.document import Document
from neuro.descriptor.inside import file_in
from neuro.descriptor.yamltext import Spot
from neuro.errors import DescriptionError

FAILURES, TAGS = "cam_failure_probability", "usable_tag"
TOLERANCE = 0.1
MAX_BYTES = 2**26
MAX_VALUES = 2**27
UNREADABLE = (
    *(ValueError, EOFError, SyntaxError, KeyError, RuntimeError, NotImplementedError, MemoryError),
    *(tokenize.TokenError, zipfile.BadZipFile, zlib.error),
)


def with_board(document: Document, folder: Path) -> Document:
    """Put what works in the place of the file that `defects` names; what holds it already stays as it is.

    A file lies in the folder of the chip file or in the one NEURO_DATA names; an override may give any path.
    """
    defects = document.tree.get("defects")
    if not isinstance(defects, dict) or "words" in defects:
        return document
    path = ("defects", "file")
    where, file = f"{document.place(path)}: defects.file", defects.get("file")
    if not isinstance(file, str):
        raise DescriptionError(f"{where}: have {file!r:.40}, allowed: the name of an NPZ file of a measured board")
    tolerance = defects.get("tolerance", TOLERANCE)
    if type(tolerance) not in (int, float) or not 0 <= tolerance < 1:
        at = document.place(("defects", "tolerance"))
        raise DescriptionError(f"{at}: defects.tolerance: have {tolerance!r:.40}, allowed: a number from 0 to below 1")
    typed = any(setting.path in (("defects",), path) for setting in document.settings)
    found = read_board(_find(folder, file, where, typed), float(tolerance))
    spot = Spot(document.place(path), document.line(path))
    return document.put(("defects",), {**defects, "tolerance": tolerance, **found}, {(): spot})


def read_board(path: Path, tolerance: float) -> dict[str, Any]:
    """Read a board's file as the values of `Defects`; DescriptionError names the file and what is wrong with it."""
    data = _bytes(path)
    arrays = _arrays(path, data)
    failures = _failures(arrays[FAILURES], f"{path}: {FAILURES}")
    tags = _tags(arrays[TAGS], f"{path}: {TAGS}")
    if len(tags) != len(failures):
        raise DescriptionError(
            f"{path}: {TAGS} has {len(tags)} cores, {FAILURES} has {len(failures)}, allowed: as many"
        )
    return {
        "file": path.name,
        "sha256": hashlib.sha256(data).hexdigest(),
        "shape": list(failures.shape),
        "words": packed(failures.astype(np.float32) <= np.float32(tolerance)),
        "tags": packed(tags),
    }


def packed(bits: np.ndarray) -> str:
    """Write truth values as text: eight a byte, in base 64."""
    return base64.b64encode(np.packbits(bits.reshape(-1)).tobytes()).decode("ascii")


@functools.lru_cache(maxsize=16)
def unpacked(text: str, shape: tuple[int, ...]) -> np.ndarray | None:
    """Read such a text back as a bool array that cannot be written to; None where it is no text of that shape."""
    try:
        data = np.frombuffer(base64.b64decode(text, validate=True), np.uint8)
    except ValueError:
        return None
    count = int(np.prod(shape))
    bits = np.unpackbits(data).astype(bool)
    if len(data) != -(-count // 8) or bits[count:].any():
        return None
    bits = bits[:count].reshape(shape)
    bits.setflags(write=False)
    return bits


def _find(folder: Path, file: str, where: str, typed: bool) -> Path:
    if typed and _is_file(file):
        return Path(file)
    data = os.environ.get("NEURO_DATA")
    places = [(folder, "the folder of the chip file"), *([(Path(data), "the data folder")] if data else [])]
    if typed and Path(file).is_absolute():
        raise DescriptionError(f"{where}: no such file: {file!r:.200}")
    for place, what in places:
        if found := file_in(place, file, where, what):
            return found
    looked = ", nor in ".join([*(["the working folder"] if typed else []), *(str(place) for place, _ in places)])
    hint = "" if data else "; NEURO_DATA or --data names a folder of data"
    raise DescriptionError(f"{where}: no file {file!r} in {looked}{hint}")


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):
        return False


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise DescriptionError(f"{path}: cannot be read: {error.strerror or error}") from None
    if len(data) > MAX_BYTES:
        raise DescriptionError(f"{path}: is larger than {MAX_BYTES} bytes, the most a board's file may have")
    return data


def _arrays(path: Path, data: bytes) -> dict[str, np.ndarray]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as held:
            names = {name.removesuffix(".npy") for name in held.namelist()}
            for name in (FAILURES, TAGS):
                if name not in names:
                    have = ", ".join(sorted(names))[:120] or "none"
                    raise DescriptionError(f"{path}: has no array {name} (it has {have}), allowed: {FAILURES}, {TAGS}")
            return {name: _array(held, name, path) for name in (FAILURES, TAGS)}
    except UNREADABLE as error:
        why = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise DescriptionError(f"{path}: is no NPZ file of arrays ({why})") from None


def _array(held: zipfile.ZipFile, name: str, path: Path) -> np.ndarray:
    """Read one array whose header claims no more than a board can have."""
    with held.open(f"{name}.npy") as file:
        version = np.lib.format.read_magic(file)
        header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        shape, _, kind = header[version](file)
    if kind.hasobject or kind.kind not in "bfiu" or int(np.prod(shape, dtype=object)) > MAX_VALUES:
        most = f"at most {MAX_VALUES} numbers or truth values"
        raise DescriptionError(f"{path}: {name} holds {kind} values of shape {list(shape)}, allowed: {most}")
    with held.open(f"{name}.npy") as file:
        return np.lib.format.read_array(file, allow_pickle=False)


def _failures(values: np.ndarray, where: str) -> np.ndarray:
    """Give probabilities as [cores, neurons, words, classes of tags]."""
    if values.dtype.kind != "f":
        raise DescriptionError(f"{where} holds {values.dtype} values, allowed: floats from 0 to 1")
    if values.ndim == 3:
        values = values[..., None]
    if values.ndim != 4 or 0 in values.shape or values.shape[3] > 2:
        have = list(values.shape)
        raise DescriptionError(f"{where} has the shape {have}, allowed: [cores, neurons, words] or [.., .., .., 2]")
    wrong = ~((values >= 0) & (values <= 1))  # NaN too
    if wrong.any():
        place = np.argwhere(wrong)[0]
        names = ("core", "neuron", "word", "tag class")
        at = ", ".join(f"{name} {i}" for name, i in zip(names, place, strict=True))
        raise DescriptionError(f"{where}: {at} is {values[tuple(place)]}, allowed: 0 to 1")
    return values


def _tags(values: np.ndarray, where: str) -> np.ndarray:
    if values.dtype != bool or values.ndim != 2:
        have = f"{values.dtype} values of shape {list(values.shape)}"
        raise DescriptionError(f"{where} holds {have}, allowed: truth values [cores, tags]")
    return values
