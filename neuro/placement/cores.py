"""Populations to cores: capacities first, then which neuron of a core each one is."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from neuro.descriptor import Chip
from neuro.dynamics import ParameterSet
from neuro.errors import FitError
from neuro.placement.boards import is_alive, neuron_words, tags_of_core, tags_per_core
from neuro.task import NetworkSpec

CONSTANTS = {
    "tau_mem": lambda p: p.leak,
    "tau_syn": lambda p: p.decay_syn,
    "threshold": lambda p: p.theta,
    "v_reset": lambda p: p.v_reset,
    "refractory": lambda p: p.refractory_steps,
    "adaptation": lambda p: (p.beta, p.decay_a),
    "bias": lambda p: p.bias,
}


@dataclass
class Core:
    """One core while it is being filled."""

    chip: int
    core: int
    room: int  # neurons with a word that works
    silent: tuple[int, ...]
    residents: dict[str, int] = field(default_factory=dict)
    unheard: int = 0  # residents nobody listens to; they take the silent places first
    outputs: int | None = None  # of the room, what populations that are read out have to themselves
    read: frozenset[str] = frozenset()

    def usable(self, name: str, is_source: bool) -> int:
        """How many more neurons fit; a neuron that must stay silent holds none that others listen to."""
        silent = max(0, len(self.silent) - self.unheard) if is_source else 0
        if self.outputs is None:
            return self.room - sum(self.residents.values()) - silent
        room = self.outputs if name in self.read else self.room - self.outputs
        return (
            room - sum(n for other, n in self.residents.items() if (other in self.read) == (name in self.read)) - silent
        )


def assign_cores(spec: NetworkSpec, chip: Chip, parameters: dict[str, ParameterSet], shared: bool) -> list[Core]:
    """Give every population room in cores, whole where one core holds it; `shared` lets populations share a core.

    On a measured board those with most need choose first, and of a chip's cores that with the most words that work.
    """
    places = [(c, k) for c in range(chip.chips) for k in range(chip.cores.per_chip)]
    if chip.defects:
        places.sort(key=lambda place: (place[0], -int(neuron_words(chip, *place).sum())))
    sources, read = {p.source for p in spec.projections}, frozenset(o.population for o in spec.outputs.values())
    _refuse_outputs(spec, sources & read, read, chip)
    cores = [_core(chip, read, *place) for place in places]
    for name in sorted(spec.populations, key=lambda name: -_need(name, spec, chip) if chip.defects else 0):
        population = spec.populations[name]
        fits = [core for core in cores if _compatible(core, name, spec, chip, parameters, shared)]
        whole = [core for core in fits if core.usable(name, name in sources) >= population.size]
        left = population.size
        for core in whole[:1] or fits:
            taken = min(left, core.usable(name, name in sources))
            if taken > 0:
                core.residents[name] = taken
                core.unheard += 0 if name in sources else taken
                left -= taken
            if not left:
                break
        if left:
            later = [p for p in spec.populations if not any(p in core.residents for core in cores) and p != name]
            _refuse(name, left, sum(spec.size_of(p) for p in later), spec, chip, shared)
    return sorted((core for core in cores if core.residents), key=lambda core: (core.chip, core.core))


def _core(chip: Chip, read: frozenset[str], c: int, k: int) -> Core:
    alive = is_alive(chip, c, k)
    silent = tuple(n for core, n in chip.tags.silent_sources if core == k and alive[n])
    return Core(c, k, int(alive.sum()), silent, outputs=chip.cores.outputs, read=read)


def _need(name: str, spec: NetworkSpec, chip: Chip) -> int:
    """How many words a neuron could use: one for each source it may hear, as many as it has; counts take them all."""
    most = chip.weights.slots or 0
    return most if chip.weights.kind == "counts" else min(heard(spec, (name,)), most)


def _compatible(core: Core, name: str, spec: NetworkSpec, chip: Chip, parameters, shared: bool) -> bool:
    if core.residents and not shared:
        return False
    together = (*core.residents, name)
    for constant, limit in chip.neuron.distinct_per_core.items():
        if len({CONSTANTS[constant](parameters[p]) for p in together}) > limit:
            return False
    if len({parameters[p] for p in together}) > (chip.neuron.sets_per_core or len(together)):
        return False
    if signs_by_source(chip) and len({s for p in together for s in spec.sources_of(p)}) < sum(
        len(spec.sources_of(p)) for p in together
    ):
        return False
    return heard(spec, together) <= _tellable(chip, spec, (core.chip, core.core))


def signs_by_source(chip: Chip) -> bool:
    """Whether a core keeps one sign for each source, so that populations that share a source cannot share a core."""
    return chip.weights.kind == "levels" and chip.weights.sign == "source"


def _refuse_outputs(spec: NetworkSpec, both: set[str], read: frozenset[str], chip: Chip) -> None:
    """Refuse populations that are read out and do what the neurons of cores.outputs cannot."""
    if chip.cores.outputs is None:
        return
    for p in spec.projections if not chip.inputs.to_outputs else ():
        if p.source in spec.inputs and p.target in read:
            raise FitError(
                f"outputs: population {p.target} is read out and listens to input {p.source}, allowed on {chip.label}: "
                "other populations alone; let a hidden population listen to the input"
            )
    if both:
        raise FitError(
            f"outputs: population {sorted(both)[0]} is read out and listened to, allowed on {chip.label}: one of the two, "
            "as neurons that are read out send nowhere else; read another population"
        )


def heard(spec: NetworkSpec, populations: tuple[str, ...]) -> int:
    """How many distinct sources some populations may listen to, together."""
    return sum(spec.size_of(s) for s in {s for p in populations for s in spec.sources_of(p)})


def _tellable(chip: Chip, spec: NetworkSpec, core: tuple[int, int] | None = None) -> float:
    """How many sources a core, or any, may be told to hear; sources that share tags out may be any number."""
    tags = tags_per_core(chip) if core is None else tags_of_core(chip, *core)
    tags = math.inf if spec.candidates == "reachable" else tags
    return min(tags, chip.cores.axons or tags)


def _share_tags(word: str, spec: NetworkSpec, chip: Chip, name: str = "", fewer: int = 0) -> str:
    """Name the key that shares tags out, where that lets every population listen once `name` has `fewer` neurons."""
    most = max(heard(spec, (p,)) - fewer * (name in spec.sources_of(p)) for p in spec.populations)
    tags, shared = _tellable(chip, spec), spec.model_copy(update={"candidates": "reachable"})
    if chip.weights.kind == "conductance" or not tags < most <= _tellable(chip, shared):
        return ""
    return f", {word} add --set task.candidates=reachable, which shares the {tags} tags of a core out to {most} sources"


def _refuse(name: str, left: int, later: int, spec: NetworkSpec, chip: Chip, shared: bool) -> None:
    """later: neurons of populations that have not been given a core yet."""
    size, sources = spec.size_of(name), heard(spec, (name,))
    if sources > _tellable(chip, spec):
        what = "axons" if chip.cores.axons and chip.cores.axons <= tags_per_core(chip) else "tags"
        raise FitError(
            f"{what} of one core: population {name} may listen to {sources} sources, allowed: {_tellable(chip, spec)} on "
            f"{chip.label}; take {sources - _tellable(chip, spec)} sources away from its projections"
            + _share_tags("or", spec, chip)
        )
    places = [(c, k) for c in range(chip.chips) for k in range(chip.cores.per_chip)]
    dead = sum(int((~is_alive(chip, *place)).sum()) for place in places)
    deaf = sum(sources > _tellable(chip, spec, place) for place in places)
    if chip.cores.outputs is not None:
        read = any(o.population == name for o in spec.outputs.values())
        room = chip.cores.outputs if read else chip.cores.neurons - chip.cores.outputs
        raise FitError(
            f"{'outputs' if read else 'neurons'}: {left} of the {size} neurons of population {name} found no place, "
            f"allowed on {chip.label}: {room} neurons a core that {'are' if read else 'are not'} read out, {len(places)} "
            f"cores; make populations smaller by {left} neurons{_share_tags('and', spec, chip, name, left)}"
        )
    raise FitError(
        f"neurons: {left} of the {size} neurons of population {name} found no core, allowed on {chip.label}: {len(places)} "
        f"cores of {chip.cores.neurons} neurons"
        + (f", {dead} of them without a word that works" if dead else "")
        + (f", {deaf} of the cores reached by fewer than the {sources} tags it listens to" if deaf else "")
        + ("" if shared else " and, here, one population")
        + f"; make populations smaller by {left + later} neurons"
        + (f" ({later} of them for populations that have no core yet)" if later else "")
        + ", or give them equal constants so that they can share cores"
        + (", and no source in common, as a core has one sign for each source" if signs_by_source(chip) else "")
        + _share_tags("and", spec, chip, name, left + later)
    )


def assign_neurons(spec: NetworkSpec, chip: Chip, cores: list[Core]) -> dict[str, np.ndarray]:
    """Choose neuron ids so that few sources that meet in a core share an id; neurons no one hears take what is left.

    On a measured board, of equally good ids those with the most words, for populations with most need first.
    """
    sources = {p.source for p in spec.projections}
    taken = {(c.chip, c.core): ~is_alive(chip, c.chip, c.core) for c in cores}
    load = {(c.chip, c.core): _forbidden_load(chip) for c in cores}
    pieces = [(name, core, n) for core in cores for name, n in core.residents.items()]
    rows: dict[str, list] = {name: [] for name in spec.populations}
    hearing = {p: set(spec.sources_of(p)) for p in spec.populations}
    listeners = {
        name: [(c.chip, c.core) for c in cores if any(name in hearing[p] for p in c.residents)] for name in rows
    }
    for name, core, n in sorted(
        pieces, key=lambda p: (p[0] not in sources, -_need(p[0], spec, chip) * bool(chip.defects))
    ):
        here = (core.chip, core.core)
        targets = listeners[name]
        cost = np.max([load[t] for t in targets], axis=0) if targets else np.zeros(chip.cores.neurons, int)
        if chip.defects and not chip.tags.own_bits:
            cost = np.zeros_like(cost)  # tags are free: ids that meet do no harm
        order = np.lexsort((-neuron_words(chip, *here), cost))
        silent = np.isin(order, core.silent)
        order = order[~silent] if name in sources else np.concatenate([order[silent], order[~silent]])
        if core.outputs is not None:
            order = order[(order >= chip.cores.neurons - core.outputs) == (name in core.read)]
        ids = np.sort(order[~taken[here][order]][:n])
        taken[here][ids] = True
        for target in targets:
            load[target][ids] += 1
        rows[name].append(np.column_stack([np.full(n, core.chip), np.full(n, core.core), ids]))
    return {name: np.concatenate(parts) for name, parts in rows.items()}


def _forbidden_load(chip: Chip) -> np.ndarray:
    """How many of each own id's tags are forbidden, as if sources held them."""
    own = 2**chip.tags.own_bits
    return np.bincount([t % own for t in chip.tags.forbidden], minlength=max(own, chip.cores.neurons))[
        : chip.cores.neurons
    ]


def latches(spec: NetworkSpec, chip: Chip, parameters, locations) -> tuple[tuple[int, int, int, str], ...]:
    """List the neurons that take the second of two values their core holds: (chip, core, neuron, latch)."""
    result = []
    for constant, latch in chip.neuron.latches.items():
        first: dict[tuple[int, int], object] = {}
        for name in spec.populations:
            value = CONSTANTS[constant](parameters[name])
            for c, k, n in locations[name].tolist():
                if first.setdefault((c, k), value) != value:
                    result.append((c, k, n, latch))
    return tuple(sorted(result))
