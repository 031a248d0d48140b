"""One core of a crossbar: which columns get an axon of which type, and what its neurons' weights should then be.

wanted [R, M] float64: latents in grid units, 0 where a crosspoint must stay open; values [R, G] long: the neurons' weights
for each type of axon; scale [R] float64: the square of a grid unit. Codes [R, M] long: 0 open, 1 + g closed.
"""

from __future__ import annotations

import torch

from neuro.weights.latents import fold_sum, is_compiled_for
from neuro.weights.palette import gain
from neuro.weights.selection import best_entries


def nearest_code(wanted: torch.Tensor, values: torch.Tensor, scale: torch.Tensor, axons: int):
    """Give the nearest code for given values, and by how much it lowers the squared error of an empty one.

    A column takes the type with the largest summed gain, the core keeps its best columns, and a crosspoint is closed
    where its gain is positive: exact, as columns meet in nothing but their number.
    """
    if is_compiled_for(wanted):
        from neuro.weights.compiled_crossbar import nearest_core

        code = torch.zeros(wanted.shape, dtype=torch.int64)
        return code, nearest_core(*(x.numpy() for x in (wanted, values, scale)), axons, code.numpy())
    gains = torch.stack([gain(u[:, None], wanted).clamp_(min=0) * scale[:, None] for u in values.double().unbind(1)])
    best, kind = fold_sum(gains.transpose(1, 2)).max(0)
    kept = best_entries(best[None], torch.tensor([axons], device=best.device), axons)[0]
    closed = gains.gather(0, kind.expand(1, len(wanted), -1))[0] > 0
    return (kind + 1) * (kept & closed), float(fold_sum(best * kept))


def fit(wanted: torch.Tensor, values: torch.Tensor, scale: torch.Tensor, axons: int, most: int) -> torch.Tensor:
    """Give values that are re-fitted, in turns with the nearest code, until the error falls no more."""
    if is_compiled_for(wanted):
        from neuro.weights.compiled_crossbar import fit_core

        fitted = values.clone()
        fit_core(wanted.numpy(), fitted.numpy(), scale.numpy(), axons, most)
        return fitted
    code, total = nearest_code(wanted, values, scale, axons)
    while True:
        other = refit(wanted, values, code, most)
        code, better = nearest_code(wanted, other, scale, axons)
        if not better > total:
            return values
        values, total = other, better


def refit(wanted: torch.Tensor, values: torch.Tensor, code: torch.Tensor, most: int) -> torch.Tensor:
    """Give the values of least squared error for the columns' present types.

    A type that no column has takes what one of the columns wants, first those that are farthest off.
    """
    values, kind = values.clone(), code.amax(0) - 1
    table = torch.cat([torch.zeros_like(values[:, :1]), values], 1)
    off = fold_sum((wanted - table.gather(1, code)).square().T)
    farthest = iter(off.argsort(descending=True, stable=True).split(1))
    for g in range(values.shape[1]):
        columns = (kind == g).nonzero()[:, 0]
        columns = columns if len(columns) else next(farthest, columns)
        if len(columns):
            values[:, g] = best_value(wanted[:, columns], values[:, g], most)
    return values


def best_value(wanted: torch.Tensor, present: torch.Tensor, most: int) -> torch.Tensor:
    """Give each row the whole number u, |u| <= most, of largest Σ max(0, w² − (w − u)²) over its entries [R, E].

    The entries closed under the best u are the k largest of its sign for some k, and u is then the whole number nearest
    to their mean: both signs and every k are tried. Rows that gain no more than now keep the present one [R].
    """
    ordered = wanted.sort(dim=1, descending=True).values
    count = torch.arange(1, wanted.shape[1] + 1, dtype=torch.float64, device=wanted.device)
    candidates = []
    for side in (ordered, -ordered.flip(1)):
        total = side.clamp(min=0).cumsum(1)
        unit = torch.round(total / count).clamp_(max=most)
        value, place = (unit * (2 * total - count * unit)).max(1)
        candidates.append((value, unit.gather(1, place[:, None])[:, 0]))
    (plus, up), (minus, down) = candidates
    best, unit = torch.where(minus > plus, minus, plus), torch.where(minus > plus, -down, up)
    now = fold_sum(gain(present.double()[:, None], wanted).clamp_(min=0))
    return torch.where(best > now, unit.to(torch.int64), present)
