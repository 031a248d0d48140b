"""Choose among values that cost differently: the lower envelope of (w − v)² + c over w, found once, then looked up."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True, eq=False)
class Envelope:
    """The values that are best for some w, rising: number `index[k]` of those given between edges[k − 1] and edges[k].

    All parabolas have one curvature, so they cross once in pairs, as lines do: the envelope is a convex hull.
    """

    index: torch.Tensor
    edges: torch.Tensor

    @classmethod
    def of(cls, values: torch.Tensor, cost: torch.Tensor) -> Envelope:
        """Make the envelope of rising values [V] with their costs [V], float64."""
        v, height = values.tolist(), (values.square() + cost).tolist()
        kept, edges = [0], []
        for k in range(1, len(v)):
            while True:
                edge = (height[k] - height[kept[-1]]) / (2 * (v[k] - v[kept[-1]]))
                if not edges or edge > edges[-1]:
                    break
                kept.pop()
                edges.pop()
            kept.append(k)
            edges.append(edge)
        return cls(torch.tensor(kept, device=values.device), values.new_tensor(edges))

    def least(self, target: torch.Tensor) -> torch.Tensor:
        """Return which of the given values is best for each target; on an edge the lower one."""
        return self.index[torch.searchsorted(self.edges, target.contiguous())]
