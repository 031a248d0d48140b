"""Strongly connected components of the projections, in the order signals flow."""

from __future__ import annotations

import networkx

from neuro.task import NetworkSpec


def groups_of(spec: NetworkSpec) -> tuple[tuple[str, ...], ...]:
    """Give populations in groups that must be stepped through together; within a group in task order."""
    graph = networkx.DiGraph()
    graph.add_nodes_from(spec.populations)
    graph.add_edges_from((p.source, p.target) for p in spec.projections if p.source in spec.populations)
    order = {name: i for i, name in enumerate(spec.populations)}
    condensed = networkx.condensation(graph)
    members = {node: sorted(condensed.nodes[node]["members"], key=order.get) for node in condensed}
    flow = networkx.lexicographical_topological_sort(condensed, key=lambda node: order[members[node][0]])
    return tuple(tuple(members[node]) for node in flow)
