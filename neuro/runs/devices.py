"""Virtual chips as files: factors in one safetensors file whose header says of what chip they are."""

from __future__ import annotations

import json
from pathlib import Path

from neuro.errors import DescriptionError, RunError
from neuro.runs.files import write_atomically
from neuro.silicon import VirtualChip

FORMAT, VERSION = "neuro-virtual-chip", 1


def save_virtual_chip(virtual: VirtualChip, path: str | Path) -> None:
    """Write a virtual chip, whole or not at all."""
    import numpy as np
    from safetensors.numpy import save

    about = {
        "format": FORMAT,
        "version": VERSION,
        "chip": virtual.chip,
        "shape": list(virtual.shape),
        "held": [list(core) for core in virtual.held],
        "names": {name: list(columns) for name, columns in virtual.names.items()},
        "seed": virtual.seed,
        "scale": virtual.scale,
    }
    factors = {name: np.ascontiguousarray(factor, np.float32) for name, factor in virtual.factors.items()}
    write_atomically(Path(path), save(factors, {"about": json.dumps(about)}))


def load_virtual_chip(path: str | Path) -> VirtualChip:
    """Read a virtual chip, drawn here or written from measurements; RunError where the file is missing or holds none."""
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.is_file():
        raise RunError(f"{path}: no such file; draw a virtual chip with `neuro virtual CHIP --seed S --out {path}`")
    try:
        with safe_open(path, framework="numpy") as file:
            about = json.loads((file.metadata() or {}).get("about", "null"))
            factors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
        if (about["format"], about["version"]) != (FORMAT, VERSION):
            raise RunError(f"{path} says {about['format']} {about['version']}, allowed: {FORMAT} {VERSION}")
        names = {name: tuple(columns) for name, columns in about["names"].items()}
        shape, held = tuple(map(int, about["shape"])), tuple((int(c), int(k), int(n)) for c, k, n in about["held"])
        return VirtualChip(str(about["chip"]), shape, held, names, factors, about["seed"], float(about["scale"]))
    except (SafetensorError, OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise RunError(f"{path} holds no virtual chip ({error}); draw one with `neuro virtual`") from None
    except DescriptionError as error:
        raise RunError(f"{path}: {error}") from None
