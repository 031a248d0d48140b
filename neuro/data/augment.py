"""Training samples altered anew every epoch: values before they are encoded, events after; never for measurements.

What a sample becomes depends on the seed and its number alone, as with the encoders.
"""

from __future__ import annotations

import numpy as np
import torch

from neuro.data.encoders import value_range
from neuro.data.parts import Values
from neuro.errors import DataError
from neuro.task import Augment, Task

OWN_DRAWS = np.uint64(0xA5A5A5A5A5A5A5A5)  # so that an encoder draws other numbers from the same seed


def altered_values(task: Task, x: Values, ids: np.ndarray, seed: int, order: np.ndarray | None) -> Values:
    """Move, turn and scale pictures [B, pixels]; add noise to values [B, n] and signals [B, T, n].

    order: where value i of a sample stood in its picture, where samples are reordered. Bytes (255ths) come back as
    float32; noise ends where the encoder's range does. Raises DataError where samples are not what an alteration takes.
    """
    how = task.training.augment
    if not (how.moves_pictures or how.noise):
        return x
    if not isinstance(x, np.ndarray):
        raise DataError(
            f"training.augment moves pictures or adds noise, but {task.data.dataset} has samples of different lengths; "
            "allowed for them: drop and move_steps"
        )
    x = x.astype(np.float32) / np.float32(255 if x.dtype == np.uint8 else 1)
    if how.moves_pictures:
        x = _moved(how, x, ids, seed, order)
    if how.noise:
        x = _noisy(how.noise, x, ids, seed).clip(*map(np.float32, value_range(task.encoder.kind)))
    return x


def _moved(how: Augment, x: np.ndarray, ids: np.ndarray, seed: int, order: np.ndarray | None) -> np.ndarray:
    from neuro.data import loops

    side = round(x.shape[1] ** 0.5) if x.ndim == 2 else 0
    if side * side != x.shape[-1]:
        raise DataError(
            f"training.augment moves square pictures [n, pixels]; samples have shape {list(x.shape[1:])}; allowed for "
            "them: noise, drop and move_steps"
        )
    if order is not None:
        x = x[:, np.argsort(order)]
    out = np.empty((len(x), side, side), np.float32)
    pictures = np.ascontiguousarray(x).reshape(len(x), side, side)
    turn, numbers = np.deg2rad(how.rotate_deg), ids.astype(np.uint64)
    loops.moved(out, pictures, numbers, np.uint64(seed) ^ OWN_DRAWS, how.shift, turn, how.zoom, how.mirror)
    out = out.reshape(len(x), -1)
    return out if order is None else out[:, order]


def _noisy(spread: float, x: np.ndarray, ids: np.ndarray, seed: int) -> np.ndarray:
    draws = [np.random.default_rng([seed, int(i)]).standard_normal(x.shape[1:], np.float32) for i in ids]
    return x + np.float32(spread) * np.stack(draws) if draws else x


def altered_events(how: Augment, events: torch.Tensor, ids: np.ndarray, seed: int) -> None:
    """Leave out events [T, B, n] by chance and move each sample's as a whole in time, in place."""
    if how.drop or how.move_steps:
        from neuro.data import loops

        loops.thinned(events.numpy(), ids.astype(np.uint64), np.uint64(seed) ^ OWN_DRAWS, how.drop, how.move_steps)
