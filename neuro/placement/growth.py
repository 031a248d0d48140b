"""Where a search starts: cores filled one after the other, in the order given or by who shares most sources with a core."""

from __future__ import annotations

import numpy as np

from neuro.jit import compiled
from neuro.placement.search import Limits, Net

LOOKED_AT = 64  # neurons in order that are tried before a core is left as it is


def in_order(net: Net, limits: Limits, order: np.ndarray, cores: np.ndarray) -> np.ndarray:
    """Fill cores with neurons in an order, each core as far as it goes: core [N], −1 where cores ran out."""
    return _grown(net, limits, order.astype(np.int32), cores.astype(np.int32), np.zeros(1, np.int64), False)


def grown(net: Net, limits: Limits, targets: np.ndarray, order: np.ndarray, cores: np.ndarray) -> np.ndarray:
    """Fill cores with the neuron that hears most of what a core hears already; ties and new beginnings follow the order.

    targets: the neurons that hear each source, as `Graph.targets`. Gives core [N], −1 where cores ran out.
    """
    return _grown(net, limits, order.astype(np.int32), cores.astype(np.int32), targets, True)


@compiled
def _suits(limits, values, distinct, kind):
    for q in range(len(limits.most)):
        if values[q, limits.values[kind, q]] == 0 and distinct[q] >= limits.most[q]:
            return False
    return True


@compiled
def _unlink(head, after, before, shared, n):
    if before[n] >= 0:
        after[before[n]] = after[n]
    else:
        head[shared[n]] = after[n]
    if after[n] >= 0:
        before[after[n]] = before[n]


@compiled
def _link(head, after, before, shared, n):
    first = head[shared[n]]
    after[n], before[n], head[shared[n]] = first, -1, n
    if first >= 0:
        before[first] = n


@compiled
def _grown(net, limits, order, cores, targets, by_shared):
    """One core after the other; candidates stand in lists by how many sources they share with the open core.

    shared: −1 = a candidate no more in this core, 0 = none.
    """
    neurons = len(net.kind)
    core_of = np.full(neurons, -1, np.int32)
    known = np.full(len(net.where) - 1, -1, np.int32)
    shared, widest = np.zeros(neurons, np.int32), 0
    for n in range(neurons):
        widest = max(widest, net.starts[n + 1] - net.starts[n])
    head = np.full(widest + 1, -1, np.int32)
    after, before = np.full(neurons, -1, np.int32), np.full(neurons, -1, np.int32)
    touched = np.empty(neurons, np.int32)
    values = np.zeros((len(limits.most), limits.values.max() + 1 if limits.values.size else 1), np.int32)
    distinct = np.zeros(len(limits.most), np.int32)
    first, seed = 0, -1
    for core in cores:
        while first < neurons and core_of[order[first]] >= 0:
            first += 1
        if first == neurons:
            break
        fill, loud, heard, many, top, looked = 0, 0, 0, 0, 0, first
        values[:], distinct[:] = 0, 0
        while fill < limits.neurons:
            chosen = -1
            if seed >= 0 and core_of[seed] < 0:
                chosen = seed
            seed = -1
            while chosen < 0 and top > 0:
                n = head[top]
                if n < 0:
                    top -= 1
                    continue
                new = net.starts[n + 1] - net.starts[n] - shared[n]
                fits = limits.sources < 0 or heard + new <= limits.sources
                fits = fits and (not net.loud[n] or loud < limits.neurons - limits.silent[core])
                if fits and _suits(limits, values, distinct, net.kind[n]):
                    chosen = n
                else:
                    _unlink(head, after, before, shared, n)
                    shared[n] = -1
            tried = 0
            while chosen < 0 and looked < neurons and tried < LOOKED_AT:
                n = order[looked]
                looked += 1
                if core_of[n] >= 0 or shared[n] < 0:
                    continue
                tried += 1
                new = 0
                for e in range(net.starts[n], net.starts[n + 1]):
                    new += known[net.source[e]] != core
                fits = limits.sources < 0 or heard + new <= limits.sources or fill == 0
                fits = fits and (not net.loud[n] or loud < limits.neurons - limits.silent[core])
                if fits and _suits(limits, values, distinct, net.kind[n]):
                    chosen = n
            if chosen < 0:
                break
            if shared[chosen] > 0:
                _unlink(head, after, before, shared, chosen)
            core_of[chosen] = core
            fill += 1
            loud += net.loud[chosen]
            for q in range(len(limits.most)):
                value = limits.values[net.kind[chosen], q]
                distinct[q] += values[q, value] == 0
                values[q, value] += 1
            for e in range(net.starts[chosen], net.starts[chosen + 1]):
                s = net.source[e]
                if known[s] == core:
                    continue
                known[s] = core
                heard += 1
                if not by_shared:
                    continue
                for k in range(net.where[s], net.where[s + 1]):
                    n = targets[k]
                    if core_of[n] >= 0 or shared[n] < 0:
                        continue
                    if shared[n] > 0:
                        _unlink(head, after, before, shared, n)
                    else:
                        touched[many] = n
                        many += 1
                    shared[n] += 1
                    _link(head, after, before, shared, n)
                    top = max(top, shared[n])
        best = 0
        for k in range(many):  # who shares most with this core begins the next
            n = touched[k]
            if core_of[n] < 0 and abs(shared[n]) > best:
                best, seed = abs(shared[n]), n
            shared[n] = 0
        head[:] = -1
    return core_of
