"""Read latents: refuse what cannot be projected, align masks and budgets with it, sum in one fixed order."""

from __future__ import annotations

import numpy as np
import torch

from neuro.errors import FeasibilityError
from neuro.jit import in_parallel
from neuro.weights.nested import NestedSlots

LARGEST = torch.finfo(torch.float32).max
WORTH_A_THREAD = 2**18  # entries of a latent: below it waking a thread costs more than it saves


def finite(latent: torch.Tensor) -> torch.Tensor:
    """Return the detached latent [N, M], [N, M, C] or [N, M, C, D]; refuse NaN and what float32 cannot hold."""
    latent = latent.detach()
    if not latent.is_floating_point() or latent.dim() not in (2, 3, 4):
        raise FeasibilityError(
            f"latent has the shape {list(latent.shape)} and type {latent.dtype}, allowed: floats [N, M], [N, M, C] or "
            "[N, M, C, D]; give rows of target neurons by columns of sources"
        )
    if not _within(latent):
        raise FeasibilityError(_not_finite(latent))
    return latent


def _within(latent: torch.Tensor) -> bool:
    """Whether every entry is a number that float32 can hold."""
    if is_compiled_for(latent) and latent.dtype in (torch.float32, torch.float64) and latent.is_contiguous():
        from neuro.weights.compiled_counts import all_within

        return all_within(latent.numpy().reshape(-1), LARGEST)
    return bool((latent.abs() <= LARGEST).all())


def _not_finite(latent: torch.Tensor) -> str:
    wrong = (~(latent.abs() <= LARGEST)).nonzero()
    place = wrong[0].tolist()
    names = ", ".join(f"{name} {i}" for name, i in zip(("row", "column", "current", "line"), place, strict=False))
    return (
        f"latent at {names} is {latent[tuple(place)].item()}, allowed: finite float32 values "
        f"({len(wrong)} of {latent.numel()} entries are not); "
        "lower the learning rate or clip gradients, and go on from the last checkpoint"
    )


def is_compiled_for(latent: torch.Tensor) -> bool:
    """Whether machine code takes this latent; elsewhere the same choice is made with tensor operations."""
    return latent.device.type == "cpu"


def as_floats(latent: torch.Tensor) -> np.ndarray:
    """View a latent as float32 or float64 numbers side by side in memory; smaller floats are widened."""
    wide = latent if latent.dtype == torch.float64 else latent.to(torch.float32)
    return wide.contiguous().numpy()


def row_parts(latent: np.ndarray, *others: np.ndarray) -> list[tuple[np.ndarray, ...]]:
    """Cut arrays into the same rows, a part a thread where the latent is large; what has one row for all stays whole."""
    rows = len(latent)
    parts = min(torch.get_num_threads(), rows) if latent.size > WORTH_A_THREAD else 1
    if parts == 1:
        return [(latent, *others)]
    edges = np.linspace(0, rows, parts + 1).astype(int)
    return [
        tuple(x if len(x) < rows else x[low:high] for x in (latent, *others))
        for low, high in zip(edges, edges[1:], strict=False)
    ]


def aligned(allowed: torch.Tensor | None, latent: torch.Tensor) -> torch.Tensor | None:
    """Expand `allowed` to the latent's shape; missing trailing dimensions (currents, lines) are filled in."""
    if allowed is None:
        return None
    missing = latent.dim() - allowed.dim()
    shape = (*allowed.shape, *(1,) * max(missing, 0))
    fits = missing >= 0 and all(have in (1, want) for have, want in zip(shape, latent.shape, strict=False))
    if allowed.dtype != torch.bool or not fits:
        raise FeasibilityError(
            f"allowed has the shape {list(allowed.shape)} and type {allowed.dtype}, allowed: a bool tensor that "
            f"broadcasts to {list(latent.shape)}; give True where a connection may be"
        )
    return allowed.to(latent.device).reshape(shape).expand(latent.shape)


def row_budget(slots: int | torch.Tensor | NestedSlots, latent: torch.Tensor) -> torch.Tensor:
    """Return the slots of every row in all, LongTensor [N], on the latent's device."""
    if isinstance(slots, int):
        return torch.full((len(latent),), slots, dtype=torch.int64, device=latent.device)
    return per_row("slots", slots.total if isinstance(slots, NestedSlots) else slots, latent)


def limits_of(slots: int | torch.Tensor | NestedSlots, latent: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Give compiled loops their limits [N, 1 or 3], of all words last, and which places take words for high tags."""
    if isinstance(slots, NestedSlots):
        return slots.limits, slots.entries(latent).contiguous()
    return row_budget(slots, latent)[:, None], torch.zeros(1, 0, dtype=torch.bool)


def per_row(name: str, values: torch.Tensor, latent: torch.Tensor) -> torch.Tensor:
    """Move values given per row to the latent's device; refuse another number of rows."""
    if len(values) != len(latent):
        raise FeasibilityError(
            f"{name} has {len(values)} rows, the latent or code has {len(latent)}; give one value for all, or one a row"
        )
    return values.to(latent.device)


def base_rows(name: str, bases: torch.Tensor, latent: torch.Tensor) -> torch.Tensor:
    """Return base weights as [1, K] (shared) or [N, K] (per row) on the latent's device."""
    return bases.to(latent.device)[None] if bases.dim() == 1 else per_row(name, bases, latent)


def count_sums(code: torch.Tensor, currents: tuple[int, ...], values: torch.Tensor) -> torch.Tensor:
    """Σ code · values over rows, [N, K] float64 as `fold_sum` adds them: code [N, M, K(, D)], values [N, M, C(, D)]."""
    if not is_compiled_for(values):
        terms = [code[:, :, k].flatten(1) * values[:, :, c].flatten(1).double() for k, c in enumerate(currents)]
        return torch.stack([fold_sum(each) for each in terms], 1)
    from neuro.weights.compiled_sums import fold_counts  # numba is imported where a projection needs it

    out = torch.empty(len(values), len(currents), dtype=torch.float64)
    lines = code.shape[3] if code.dim() == 4 else 1
    code, values = (x.contiguous().view(*x.shape[:3], lines) for x in (code, values.detach()))
    jobs = row_parts(as_floats(values), code.numpy(), out.numpy())
    jobs = [(grad, counts, np.array(currents), rows) for grad, counts, rows in jobs]
    in_parallel(torch.get_num_threads(), fold_counts, jobs)
    return out


def coded_sums(code: torch.Tensor, table: torch.Tensor, first: int, values: torch.Tensor) -> torch.Tensor:
    """Σ table[:, code − first] · values over rows, [N, K] float64 as `fold_sum` adds them; table [K, V] float64."""
    code, values = code.flatten(1), values.flatten(1)
    if not is_compiled_for(values):
        return torch.stack([fold_sum(row[code.long() - first] * values.double()) for row in table], 1)
    from neuro.weights.compiled_sums import fold_coded

    out = torch.empty(len(values), len(table), dtype=torch.float64)
    jobs = row_parts(as_floats(values.detach()), code.contiguous().numpy(), out.numpy())
    jobs = [(grad, codes, table.numpy(), first, rows) for grad, codes, rows in jobs]
    in_parallel(torch.get_num_threads(), fold_coded, jobs)
    return out


def fold_sum(terms: torch.Tensor) -> torch.Tensor:
    """Sum the last dimension by folding it in half: the same float64 on every device, for any number of threads."""
    terms = terms.to(torch.float64)
    if terms.shape[-1] == 0:
        return terms.sum(-1)
    while (width := terms.shape[-1]) > 1:
        half = width // 2
        folded = terms[..., :half] + terms[..., half : 2 * half]
        if width % 2:
            folded[..., 0] += terms[..., -1]
        terms = folded
    return terms[..., 0]
