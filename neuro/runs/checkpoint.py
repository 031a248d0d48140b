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
from neuro.runs.files import read_object, write_atomically


def save_checkpoint(folder: Path, name: str, tensors: dict[str, torch.Tensor], facts: dict) -> None:
    """Write tensors and facts under a name, replacing what had that name."""
    from safetensors.torch import save

    data = save({key: t.detach().cpu().contiguous() for key, t in tensors.items()})
    digest = hashlib.sha256(data).hexdigest()
    file = f"{name}-{digest[:12]}.safetensors"
    write_atomically(folder / file, data)
    content = {"tensors": file, "sha256": digest, "facts": facts}
    write_atomically(folder / f"{name}.json", json.dumps({**content, "seal": _seal(content)}, indent=1))
    for old in folder.glob(f"{name}-*.safetensors"):
        if old.name != file:
            old.unlink(missing_ok=True)


def load_checkpoint(folder: Path, name: str) -> tuple[dict[str, torch.Tensor], dict]:
    """Read tensors and facts back; RunError where they are missing, truncated or edited."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    path = folder / f"{name}.json"
    content = read_object(path, "there is no checkpoint to read")
    if content.pop("seal", None) != _seal(content) or content["tensors"].split("-")[0] != name:
        raise RunError(f"{path} is not the file that was saved (truncated or edited); restore it, or train again")
    file = folder / content["tensors"]
    try:
        data = file.read_bytes()
    except OSError as error:
        raise RunError(f"{file} cannot be read ({error.strerror}); restore it, or train again") from None
    if hashlib.sha256(data).hexdigest() != content["sha256"]:
        raise RunError(f"{file} is not the file that was saved (truncated or edited); restore it, or train again")
    try:
        return load(data), content["facts"]
    except SafetensorError as error:
        raise RunError(f"{file} is damaged ({error})") from None


def _seal(content: dict) -> str:
    """Hash what a checkpoint's JSON says, whatever its spaces and the order of its keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


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
