"""Choose one sign for many entries: the one whose positive gains sum higher, + on ties (design: weight kinds).

plus and minus are the gains [N, E] >= 0 of the entries of either sign, 0 elsewhere; sums are exact to the same bit on
every device, so that the choice is, too.
"""

from __future__ import annotations

import torch

from neuro.weights.latents import fold_sum


def minus_wins_row(plus: torch.Tensor, minus: torch.Tensor) -> torch.Tensor:
    """Say of every entry [N, E] whether its row gains more with the sign −."""
    return (fold_sum(minus) > fold_sum(plus))[:, None].expand_as(plus)


def minus_wins_source(plus: torch.Tensor, minus: torch.Tensor, sources: int, groups: torch.Tensor) -> torch.Tensor:
    """Say of every entry [N, E] whether its source, within its row's group [N], gains more with the sign −."""
    wins = torch.zeros(len(plus), sources, dtype=torch.bool, device=plus.device)
    each = plus.shape[1] // sources if sources else 1
    for group in groups.unique():
        rows = groups == group
        ways = torch.stack([plus[rows], minus[rows]]).unflatten(2, (sources, each))
        summed = fold_sum(ways.transpose(1, 2).flatten(2))
        wins[rows] = summed[1] > summed[0]
    return wins.repeat_interleave(each, 1)
