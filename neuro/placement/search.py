"""Local search over which core each neuron sits in: moves and swaps that leave fewer limits broken, or fewer destinations.

What a placement costs is kept exactly, never estimated: for every source the cores that hear it, sorted, with how many of
their neurons do. A change is made only where (limits exceeded, destinations) gets smaller, so a search never worsens.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from neuro.jit import compiled

EXCESS = 2**40  # one unit over a limit weighs more than all destinations together
TRIED = 12  # neurons of a full core that are tried for a swap
BEST = 3  # cores that are tried for a neuron


class Net(NamedTuple):
    """Arrays of a graph: starts [N + 1] and source [E] of each neuron, where [S + 1] each source's list begins.

    kind [N]: neurons of one kind share every constant. loud [N]: somebody hears the neuron.
    """

    starts: np.ndarray
    source: np.ndarray
    where: np.ndarray
    inputs: int
    kind: np.ndarray
    loud: np.ndarray


class Limits(NamedTuple):
    """What cores and routes can hold; −1 = any number. values [kinds, Q], most [Q]: distinct values in a core.

    silent [cores]: places that no neuron somebody hears may take. row: what a destination chip costs, in cores.
    """

    per_chip: int
    columns: int
    neurons: int
    silent: np.ndarray
    sources: int
    rows: int
    hops: int
    channels: int
    values: np.ndarray
    most: np.ndarray
    row: int


class State(NamedTuple):
    """A placement and all that is counted of it; by core unless said otherwise.

    core, place [N]; member [cores, neurons + 1]; at, count: the sorted lists of each source, length and reach (chips) [S].
    """

    core: np.ndarray
    place: np.ndarray
    member: np.ndarray
    fill: np.ndarray
    loud: np.ndarray
    heard: np.ndarray
    values: np.ndarray
    distinct: np.ndarray
    at: np.ndarray
    count: np.ndarray
    length: np.ndarray
    reach: np.ndarray
    channels: np.ndarray


def new_state(net: Net, limits: Limits) -> State:
    """Nobody is placed yet."""
    neurons, cores, sources = len(net.kind), len(limits.silent), len(net.where) - 1
    values = int(limits.values.max(initial=0)) + 1
    return State(
        core=np.full(neurons, -1, np.int32),
        place=np.zeros(neurons, np.int32),
        member=np.full((cores, limits.neurons + 1), -1, np.int32),
        fill=np.zeros(cores, np.int32),
        loud=np.zeros(cores, np.int32),
        heard=np.zeros(cores, np.int32),
        values=np.zeros((cores, len(limits.most), values), np.int32),
        distinct=np.zeros((cores, len(limits.most)), np.int32),
        at=np.zeros(len(net.source), np.int32),
        count=np.zeros(len(net.source), np.int32),
        length=np.zeros(sources, np.int32),
        reach=np.zeros(sources, np.int32),
        channels=np.zeros(-(-cores // limits.per_chip), np.int32),
    )


@compiled
def has_room(limits, state, core, loud):
    """Whether one neuron more may sit in a core, as far as places go."""
    if state.fill[core] >= limits.neurons:
        return False
    return not loud or state.loud[core] < limits.neurons - limits.silent[core]


@compiled
def suits(limits, state, core, kind):
    """Whether the constants of a kind can stand beside those a core holds."""
    for q in range(len(limits.most)):
        if state.values[core, q, limits.values[kind, q]] == 0 and state.distinct[core, q] >= limits.most[q]:
            return False
    return True


@compiled
def _over(have, most):
    return max(0, have - most) if most >= 0 else 0


@compiled
def _far(limits, a, b):
    """Whether a route from chip a to chip b goes too far."""
    if limits.hops < 0:
        return 0
    across, down = abs(a % limits.columns - b % limits.columns), abs(a // limits.columns - b // limits.columns)
    return 1 if max(across, down) > limits.hops else 0


@compiled
def change_of(net, limits, state, neuron, core):
    """By how much cost changes when a neuron goes to a core; from nowhere, if it has no place yet."""
    old = state.core[neuron]
    if old == core:
        return 0
    old_chip, chip = (old // limits.per_chip if old >= 0 else -1), core // limits.per_chip
    excess, cost, new, gone, new_channels, gone_channels = 0, 0, 0, 0, 0, 0
    itself = False
    for e in range(net.starts[neuron], net.starts[neuron + 1]):
        s = net.source[e]
        here, there, old_here, old_there = 0, 0, 0, 0
        first = net.where[s]
        for k in range(first, first + state.length[s]):
            of = state.at[k] // limits.per_chip
            if state.at[k] == core:
                here = state.count[k]
            if of == chip:
                there += state.count[k]
            if state.at[k] == old:
                old_here = state.count[k]
            if of == old_chip:
                old_there += state.count[k]
        new += here == 0
        gone += old_here == 1
        if old_chip == chip:
            continue
        won, lost = there == 0, old_there == 1
        if s < net.inputs:
            new_channels += won
            gone_channels += lost
            cost += limits.row * (int(won) - int(lost))
            continue
        reach = state.reach[s]
        cost += limits.row * (int(won) - int(lost))
        excess += _over(reach + int(won) - int(lost), limits.rows) - _over(reach, limits.rows)
        home = state.core[s - net.inputs]
        if s - net.inputs == neuron:
            itself = lost
        elif home >= 0:
            home = home // limits.per_chip
            excess += (_far(limits, home, chip) if won else 0) - (_far(limits, home, old_chip) if lost else 0)
    cost += new - gone
    excess += _over(state.heard[core] + new, limits.sources) - _over(state.heard[core], limits.sources)
    if old >= 0:
        excess += _over(state.heard[old] - gone, limits.sources) - _over(state.heard[old], limits.sources)
    if old_chip != chip:
        excess += _over(state.channels[chip] + new_channels, limits.channels) - _over(
            state.channels[chip], limits.channels
        )
        if old >= 0:
            excess += _over(state.channels[old_chip] - gone_channels, limits.channels) - _over(
                state.channels[old_chip], limits.channels
            )
        if limits.hops >= 0:
            excess += _farther(net, limits, state, neuron, old_chip, chip, itself)
    return excess * EXCESS + cost


@compiled
def _farther(net, limits, state, neuron, old_chip, chip, itself):
    """How many more of a neuron's own destinations are too far from a chip than from the one it is on."""
    more, last, s = 0, -1, net.inputs + neuron
    for k in range(net.where[s], net.where[s] + state.length[s]):
        target = state.at[k] // limits.per_chip
        if target == last or (itself and target == old_chip):
            continue
        last = target
        more += _far(limits, chip, target) - (_far(limits, old_chip, target) if old_chip >= 0 else 0)
    return more


@compiled
def move(net, limits, state, neuron, core):
    """Put a neuron into a core, and keep count."""
    old = state.core[neuron]
    if old >= 0:
        _leave(net, limits, state, neuron, old)
    state.core[neuron], state.place[neuron] = core, state.fill[core]
    state.member[core, state.fill[core]] = neuron
    state.fill[core] += 1
    state.loud[core] += net.loud[neuron]
    for q in range(len(limits.most)):
        value = limits.values[net.kind[neuron], q]
        state.distinct[core, q] += state.values[core, q, value] == 0
        state.values[core, q, value] += 1
    chip = core // limits.per_chip
    for e in range(net.starts[neuron], net.starts[neuron + 1]):
        s = net.source[e]
        first, end = net.where[s], net.where[s] + state.length[s]
        k = first
        while k < end and state.at[k] < core:
            k += 1
        if k < end and state.at[k] == core:
            state.count[k] += 1
            continue
        known = k > first and state.at[k - 1] // limits.per_chip == chip
        known = known or (k < end and state.at[k] // limits.per_chip == chip)
        for j in range(end, k, -1):
            state.at[j], state.count[j] = state.at[j - 1], state.count[j - 1]
        state.at[k], state.count[k] = core, 1
        state.length[s] += 1
        state.heard[core] += 1
        if not known:
            state.reach[s] += 1
            state.channels[chip] += s < net.inputs


@compiled
def _leave(net, limits, state, neuron, core):
    last = state.member[core, state.fill[core] - 1]
    state.member[core, state.place[neuron]], state.place[last] = last, state.place[neuron]
    state.fill[core] -= 1
    state.loud[core] -= net.loud[neuron]
    for q in range(len(limits.most)):
        value = limits.values[net.kind[neuron], q]
        state.values[core, q, value] -= 1
        state.distinct[core, q] -= state.values[core, q, value] == 0
    chip = core // limits.per_chip
    for e in range(net.starts[neuron], net.starts[neuron + 1]):
        s = net.source[e]
        first, end = net.where[s], net.where[s] + state.length[s]
        k = first
        while state.at[k] != core:
            k += 1
        state.count[k] -= 1
        if state.count[k]:
            continue
        known = k > first and state.at[k - 1] // limits.per_chip == chip
        known = known or (k + 1 < end and state.at[k + 1] // limits.per_chip == chip)
        for j in range(k, end - 1):
            state.at[j], state.count[j] = state.at[j + 1], state.count[j + 1]
        state.length[s] -= 1
        state.heard[core] -= 1
        if not known:
            state.reach[s] -= 1
            state.channels[chip] -= s < net.inputs


@compiled
def improve(net, limits, state, order, feasible):
    """Go once through neurons in an order, each to the core that gains most, or in exchange; gives the total gained.

    feasible: no limit is exceeded, so that fewer destinations are all there is to gain.
    """
    cores = len(limits.silent)
    score, by_chip = np.zeros(cores, np.int64), np.zeros(-(-cores // limits.per_chip), np.int64)
    touched, best = np.empty(cores, np.int32), np.empty(BEST, np.int32)
    gained = 0
    for neuron in order:
        old, many = state.core[neuron], 0
        old_chip, left, fan_in = old // limits.per_chip, 0, net.starts[neuron + 1] - net.starts[neuron]
        for e in range(net.starts[neuron], net.starts[neuron + 1]):
            s = net.source[e]
            last, with_it = -1, 0
            for k in range(net.where[s], net.where[s] + state.length[s]):
                core = state.at[k]
                if score[core] == 0:
                    touched[many] = core
                    many += 1
                score[core] += 1
                left += core == old and state.count[k] == 1
                if core // limits.per_chip != last:
                    last = core // limits.per_chip
                    by_chip[last] += limits.row
                with_it += state.count[k] if last == old_chip else 0
            left += limits.row * (with_it == 1)
        by_chip[old_chip] = limits.row * fan_in
        found = BEST if feasible and left == 0 else 0
        while found < BEST:
            high, which = 0, -1
            for k in range(many):
                core = touched[k]
                total = score[core] + by_chip[core // limits.per_chip]
                if score[core] > 0 and core != old and (total > high or (total == high and core < which)):
                    high, which = total, core
            if which < 0 or (feasible and (1 + limits.row) * fan_in - high >= left):
                break  # what it would reach anew is as much as what it leaves
            score[which], best[found] = -1, which
            found += 1
        for k in range(many):
            score[touched[k]], by_chip[touched[k] // limits.per_chip] = 0, 0
        for k in range(0 if feasible and left == 0 else found):
            change = _try(net, limits, state, neuron, best[k])
            if change < 0:
                gained -= change
                break
    return gained


@compiled
def _try(net, limits, state, neuron, core):
    """Move a neuron, or exchange it for one of a full core, if that gains; gives the change."""
    if not suits(limits, state, core, net.kind[neuron]):
        return 0
    change, old = change_of(net, limits, state, neuron, core), state.core[neuron]
    if change >= 0:
        return 0
    if has_room(limits, state, core, net.loud[neuron]):
        move(net, limits, state, neuron, core)
        return change
    move(net, limits, state, neuron, core)  # one too many for a moment
    best, which = -change, -1
    there = state.fill[core] - 1
    start = neuron % max(there, 1)
    for k in range(min(TRIED, there)):
        other = state.member[core, (start + k) % there]
        fits = suits(limits, state, old, net.kind[other]) and has_room(limits, state, old, net.loud[other])
        if fits and state.loud[core] - net.loud[other] <= limits.neurons - limits.silent[core]:
            back = change_of(net, limits, state, other, old)
            if back < best:
                best, which = back, other
    if which < 0:
        move(net, limits, state, neuron, old)
        return 0
    move(net, limits, state, which, old)
    return change + best


@compiled
def put(net, limits, state, order, wanted):
    """Place neurons where they are wanted, others (−1, or no room) where they cost least; gives the first left over."""
    for neuron in order:
        core = wanted[neuron]
        fits = core >= 0 and has_room(limits, state, core, net.loud[neuron])
        if fits and suits(limits, state, core, net.kind[neuron]):
            move(net, limits, state, neuron, core)
    for neuron in order:
        if state.core[neuron] >= 0:
            continue
        best, which = 2**62, -1
        for core in range(len(limits.silent)):
            if has_room(limits, state, core, net.loud[neuron]) and suits(limits, state, core, net.kind[neuron]):
                change = change_of(net, limits, state, neuron, core)
                if change < best:
                    best, which = change, core
                if state.fill[core] == 0 and limits.hops < 0 and limits.silent[core] == 0:
                    break  # no later empty core is better
        if which < 0:
            return neuron
        move(net, limits, state, neuron, which)
    return -1
