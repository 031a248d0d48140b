"""Input events, checked before they run: shape, whole numbers, as many as a channel may deliver."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch

from neuro.dynamics.words import survey
from neuro.errors import DataError
from neuro.tables import Tables

SMALL = (torch.bool, torch.uint8)  # kinds of numbers that are listed as they come


def check_events(tables: Tables, x) -> torch.Tensor:
    """Give events of all channels side by side [T, B, channels]: truths and bytes as they are, all else in float32.

    x: [T, B, n], or {input: [T, B, n]}. Raises DataError where it is not that, or holds what is no number of events.
    """
    inputs = tables.input_channels
    x = x if isinstance(x, Mapping) else {next(iter(inputs), ""): x}
    if set(x) != set(inputs):
        raise DataError(
            f"inputs are {', '.join(map(str, x)) or 'none'}; allowed: exactly {', '.join(inputs) or 'none'}, "
            "as {name: [T, B, channels]} where there are several"
        )
    parts = {name: _tensor(name, x[name]) for name in inputs}
    lengths = {tuple(part.shape[:2]) for part in parts.values()}
    for name, part in parts.items():
        if part.dim() != 3 or part.shape[2] != inputs[name] or 0 in part.shape or len(lengths) > 1:
            raise DataError(
                f"input {name} has shape {list(part.shape)}, allowed: [T, B, {inputs[name]}], T and B at least 1 and "
                "the same for every input"
            )
        _check_numbers(name, part, tables)
    kinds = {part.dtype for part in parts.values()}
    whole = [part if kinds == {part.dtype} and part.dtype in SMALL else part.float() for part in parts.values()]
    return (torch.cat(whole, -1) if len(whole) > 1 else whole[0]).contiguous()


def _tensor(name: str, values) -> torch.Tensor:
    try:
        if isinstance(values, np.ndarray):
            large = values.dtype.kind == "u" and values.dtype.itemsize > 1  # which torch cannot compare
            values = np.require(values, np.float64 if large else values.dtype, "CW")
        tensor = torch.as_tensor(values).detach().cpu()
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError(f"input {name} is no array of numbers ({str(error)[:80]})") from None
    if tensor.is_complex():
        raise DataError(f"input {name} is complex, allowed: whole numbers of events")
    return tensor


def _check_numbers(name: str, part: torch.Tensor, tables: Tables) -> None:
    most = tables.chip.inputs.events_per_step
    allowed = f"allowed on {tables.chip.label}: whole numbers of events from 0 to {most}"
    low, high, whole = _survey(part)
    if not (math.isfinite(low) and math.isfinite(high)):
        raise DataError(f"input {name} holds NaN or infinity, {allowed}")
    if not whole:
        raise DataError(f"input {name} holds fractions, {allowed}; encode first")
    if low < 0 or high > most:
        raise DataError(f"input {name} holds {low:g} to {high:g} events a step, {allowed}")


def _survey(part: torch.Tensor) -> tuple[float, float, bool]:
    """Least and largest number, not finite if one is not, and whether all are whole."""
    if part.dtype == torch.bool:
        return 0, 1, True
    if part.dtype == torch.float32:
        low, high, whole = survey(part.contiguous().numpy().reshape(-1))
        return float(low), float(high), bool(whole)
    whole = not part.is_floating_point() or bool((part == part.round()).all())
    return part.min().item(), part.max().item(), whole
