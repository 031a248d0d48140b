"""Checkpoints: tensors in safetensors, the rest in JSON beside it with the tensors' hash; whole or not there.

NAME.json names the tensor file it belongs to and its SHA-256, and is replaced last: a kill at any moment leaves either
the old pair or the new one.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import torch

from neuro.errors import RunError
from neuro.runs.files import read_text, write_atomically


def save_checkpoint(folder: Path, name: str, tensors: dict[str, torch.Tensor], facts: dict) -> None:
    """Write tensors and facts under a name, replacing what had that name."""
    from safetensors.torch import save

    data = save({key: t.detach().cpu().contiguous() for key, t in tensors.items()})
    digest = hashlib.sha256(data).hexdigest()
    file = f"{name}-{digest[:12]}.safetensors"
    write_atomically(folder / file, data)
    write_atomically(folder / f"{name}.json", json.dumps({"tensors": file, "sha256": digest, **facts}, indent=1))
    for old in folder.glob(f"{name}-*.safetensors"):
        if old.name != file:
            old.unlink(missing_ok=True)


def load_checkpoint(folder: Path, name: str) -> tuple[dict[str, torch.Tensor], dict]:
    """Read tensors and facts back; RunError where they are missing, truncated or edited."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    path = folder / f"{name}.json"
    try:
        facts = json.loads(read_text(path, "there is no checkpoint to read"))
        file, digest = str(facts.pop("tensors")), facts.pop("sha256")
        if Path(file).name != file:
            raise ValueError(f"tensors is {file!r}, not a file name")
        data = (folder / file).read_bytes()
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        raise RunError(f"{path} is damaged ({error}); train again, or restore the file") from None
    if hashlib.sha256(data).hexdigest() != digest:
        raise RunError(f"{folder / file} is not the file that was saved (truncated or edited); restore it")
    try:
        return load(data), facts
    except SafetensorError as error:
        raise RunError(f"{folder / file} is damaged ({error})") from None


def pack_optimizer(state: dict) -> tuple[dict[str, torch.Tensor], dict]:
    """Split a QRewiring state into tensors by name and facts that JSON holds."""
    tensors, scalars = {}, {}
    for index, entries in state["optimizer"]["state"].items():
        for key, value in entries.items():
            name = f"optimizer.{index}.{key}"
            if isinstance(value, torch.Tensor):
                tensors[name] = value
            else:
                scalars[name] = value
    return tensors, {"groups": state["optimizer"]["param_groups"], "scalars": scalars, "steps": state["steps"]}


def unpack_optimizer(tensors: dict[str, torch.Tensor], facts: dict) -> dict:
    """Put a QRewiring state together again."""
    state: dict[int, dict] = {}
    for name, value in {**tensors, **facts["scalars"]}.items():
        if name.startswith("optimizer."):
            _, index, key = name.split(".", 2)
            state.setdefault(int(index), {})[key] = value
    return {"optimizer": {"state": state, "param_groups": facts["groups"]}, "steps": facts["steps"]}
