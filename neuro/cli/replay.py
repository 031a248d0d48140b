"""neuro replay: run tables on input events."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neuro.cli.show import Json, Virtual, load_device, show

NAME, SHORT = "replay", "Run tables on events of your own."


def command(
    tables: Annotated[Path, typer.Argument(help="Folder of tables.")],
    input_file: Annotated[
        Path,
        typer.Option("--input", help="NPY file: events [T, B, channels] or [T, channels]; samples [B, …] of layers."),
    ],
    out: Annotated[Path, typer.Option("--out", help="NPY file to write: outputs [T, B, classes].")],
    population: Annotated[
        str | None, typer.Option("--spikes", help="Write the spikes of this population in place of the output.")
    ] = None,
    virtual: Virtual = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the --out file if there is one.")] = False,
    as_json: Json = False,
) -> None:
    """Run a configuration on input events, from its tables alone."""
    import io

    import numpy as np

    from neuro.emulator import replay
    from neuro.errors import DataError
    from neuro.formats import load_configuration
    from neuro.runs import write_atomically
    from neuro.tables.layers import LayerTables

    _refuse_place(out, overwrite)
    loaded = load_configuration(tables)
    layers = isinstance(loaded, LayerTables)
    x = _read(input_file, layers)
    if layers and (population or virtual):
        raise DataError(
            f"{tables} is a model of layers, without spikes or virtual chips; leave --spikes and --virtual out"
        )
    wanted = {} if layers else {"record": (population,) if population else (), "virtual": load_device(virtual)}
    found = replay(loaded, x, **wanted)
    outputs, record = (found, None) if layers else found
    y = record.spikes[population] if population else outputs
    if isinstance(y, dict):
        y = next(iter(y.values()))
    buffer = io.BytesIO()
    np.save(buffer, y.numpy())
    write_atomically(out, buffer.getvalue())
    show(
        {"out": str(out), "shape": list(y.shape), "sum": float(y.sum())},
        as_json,
        [
            f"{out}: {list(y.shape)} {'' if layers else '[T, B, n], '}sum {float(y.sum()):g}",
            f"next: python -c \"import numpy; print(numpy.load('{out}').sum(0))\"",
        ],
    )


def _refuse_place(out: Path, overwrite: bool) -> None:
    """Refuse, before any work is done, a file that could not be written or would be lost."""
    from neuro.errors import DataError

    if out.is_dir() or not out.parent.is_dir():
        raise DataError(f"--out {out}: allowed: a file in a folder that exists; make the folder, or name a file")
    if out.exists() and not overwrite:
        raise DataError(f"--out {out} is there already; choose another file, or add --overwrite")


def _read(path: Path, samples: bool = False):
    """Read numbers: events, or samples [B, …] of a model of layers."""
    import tokenize

    import numpy as np

    from neuro.errors import DataError

    try:
        with open(path, "rb") as file:
            x = np.lib.format.read_array(file, allow_pickle=False)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from None
    except (ValueError, EOFError, SyntaxError, tokenize.TokenError, MemoryError) as error:
        raise DataError(f"{path} is no NPY file of numbers ({error})") from None
    if samples and x.dtype.kind in "biuf":
        return x
    if x.ndim not in (2, 3) or x.dtype.kind not in "biuf":
        raise DataError(
            f"{path} holds {x.dtype} of shape {list(x.shape)}, allowed: numbers [T, B, channels] or [T, channels]"
        )
    return x if x.ndim == 3 else x[:, None]
