"""What a network accepts: events of the right shape, whole, finite, and no more a step than the chip delivers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import torch

from neuro.descriptor import Chip
from neuro.errors import DataError
from neuro.task import NetworkSpec


def check_input(x, spec: NetworkSpec, chip: Chip) -> dict[str, torch.Tensor]:
    """Give events by input name as float32 [T, B, n]; DataError says what is wrong with them."""
    x = x if isinstance(x, Mapping) else {next(iter(spec.inputs)): x}
    if set(x) != set(spec.inputs):
        raise DataError(f"inputs are {', '.join(map(str, x)) or 'none'}, allowed: exactly {', '.join(spec.inputs)}")
    x = {name: _tensor(name, x[name]) for name in spec.inputs}
    shapes = {tuple(tensor.shape[:2]) for tensor in x.values()}
    for name, tensor in x.items():
        if tensor.dim() != 3 or tensor.shape[2] != spec.inputs[name] or 0 in tensor.shape or len(shapes) > 1:
            raise DataError(
                f"input {name} has shape {list(tensor.shape)}, allowed: [T, B, {spec.inputs[name]}] with T and B at "
                "least 1 and the same for every input"
            )
        _check_events(name, tensor, chip)
    return {name: tensor.float() for name, tensor in x.items()}


def _tensor(name: str, values) -> torch.Tensor:
    try:
        tensor = torch.as_tensor(values)
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError(f"input {name} is no array of numbers ({str(error)[:80]})") from None
    if tensor.is_complex():
        raise DataError(f"input {name} is complex, allowed: whole numbers of events")
    return tensor if tensor.is_floating_point() else tensor.float()


def _check_events(name: str, x: torch.Tensor, chip: Chip) -> None:
    most = chip.inputs.events_per_step
    low, high, whole = _survey(x.detach())
    if not (math.isfinite(low) and math.isfinite(high)):
        raise DataError(f"input {name} holds NaN or infinity, allowed: whole numbers of events from 0 to {most}")
    if not whole:
        raise DataError(
            f"input {name} holds fractions, allowed: whole numbers of events from 0 to {most}; encode first"
        )
    if low < 0 or high > most:
        raise DataError(f"input {name} holds {low:g} to {high:g} events a step, allowed on {chip.label}: 0 to {most}")


def _survey(x: torch.Tensor) -> tuple[float, float, bool]:
    """Least and largest value, and whether all are whole; NaN where one is NaN."""
    if x.device.type == "cpu" and x.dtype == torch.float32 and x.is_contiguous():
        from neuro.dynamics.words import survey  # one pass; numba is imported where a network runs

        low, high, whole = survey(x.numpy().reshape(-1))
        return float(low), float(high), bool(whole)
    return float(x.min()), float(x.max()), bool((x == x.round()).all())


def check_record(record: Iterable[str] | str, spec: NetworkSpec) -> tuple[str, ...]:
    """Give the names of populations to record; DataError on a name that is none."""
    names = (record,) if isinstance(record, str) else tuple(record)
    for name in names:
        if name not in spec.populations:
            raise DataError(f"record names {name!r}, allowed: {', '.join(spec.populations)}")
    return names


def check_membranes(membranes) -> None:
    """Refuse what names neither the membranes of every step, nor of the last, nor none."""
    if membranes not in (True, False, "last"):
        raise DataError(f"membranes is {membranes!r}, allowed: True, False, or 'last' for those after the last step")


def check_truncation(steps: int | None) -> None:
    """Refuse what is no number of steps."""
    if steps is not None and (not isinstance(steps, int) or steps < 1):
        raise DataError(f"truncate_steps is {steps!r}, allowed: a whole number of steps from 1 on, or None for all")
