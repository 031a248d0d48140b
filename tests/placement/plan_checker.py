"""Check a plan by brute force against the chip's numbers; shares no code with placement."""

from collections import defaultdict


def constants(population, first):
    """What a core has to hold for a population, by the names a descriptor limits; `first` is the chip's first current."""
    adaptation = population.adaptation
    named = lambda given: tuple(sorted((given if isinstance(given, dict) else {first: given}).items()))  # noqa: E731
    return {
        "tau_mem": (population.tau_mem_s, population.decay_mem, population.leak),
        "tau_syn": (named(population.tau_syn_s), named(population.decay_syn)),
        "threshold": population.threshold,
        "v_reset": population.v_reset,
        "refractory": population.refractory_s,
        "adaptation": adaptation and (adaptation.strength, adaptation.tau_s, adaptation.decay),
        "bias": population.bias,
    }


def problems(plan):
    """Give every limit a plan breaks, as text."""
    homes, found = _homes(plan)
    found += _shared_constants(plan, homes)
    hears, more = _routes(plan, homes)
    return found + more + _meetings(plan, hears)


def _homes(plan):
    """(population, index) -> (chip, core, neuron), and what is wrong with them."""
    spec, chip, found, homes = plan.spec, plan.chip, [], {}
    for name, population in spec.populations.items():
        rows = [tuple(map(int, row)) for row in plan.locations[name]]
        if len(rows) != population.size:
            found.append(f"{name}: {len(rows)} of {population.size} neurons placed")
        homes.update({(name, i): row for i, row in enumerate(rows)})
    if len(set(homes.values())) != len(homes):
        found.append("two neurons in one place")
    for (name, i), (c, k, n) in homes.items():
        inside = 0 <= c < chip.board.columns * chip.board.rows and 0 <= k < chip.cores.per_chip
        if not inside or not 0 <= n < chip.cores.neurons:
            found.append(f"{name} {i} is at {c, k, n}, outside the board")
        if (k, n) in chip.tags.silent_sources and any(p.source == name for p in spec.projections):
            found.append(f"{name} {i} is a source at the silent place {c, k, n}")
    return homes, found


def _shared_constants(plan, homes):
    found, latched = [], {(c, k, n): latch for c, k, n, latch in plan.latches}
    for (c, k, n), latch in latched.items():
        if (c, k, n) not in homes.values() or latch not in plan.chip.neuron.latches.values():
            found.append(f"latch {latch} of {c, k, n} belongs to no neuron")
    by_core = defaultdict(set)
    by_latch = defaultdict(set)
    for (name, _), (c, k, n) in homes.items():
        for constant, value in constants(plan.spec.populations[name], plan.chip.currents[0].name).items():
            by_core[c, k, constant].add(value)
            by_latch[c, k, constant, latched.get((c, k, n))].add(value)
    for (c, k, constant), values in by_core.items():
        if len(values) > plan.chip.neuron.distinct_per_core.get(constant, len(values)):
            found.append(f"chip {c} core {k} would hold {len(values)} values of {constant}")
        latch = plan.chip.neuron.latches.get(constant)
        if latch and len(values) > 1:
            first, second = by_latch[c, k, constant, None], by_latch[c, k, constant, latch]
            if not (len(first) == len(second) == 1 and first != second):
                found.append(f"chip {c} core {k}: latch {latch} does not tell {first} from {second}")
    return found


def _routes(plan, homes):
    """(chip, core) -> [(source, index, tag, delay)], and what is wrong with single routes."""
    spec, chip, found = plan.spec, plan.chip, []
    hears, rows = defaultdict(list), defaultdict(list)
    for routes, names in ((plan.inputs, spec.inputs), (plan.routes, spec.populations)):
        for r in routes:
            if r.source not in names:
                found.append(f"a route of {r.source} stands in the wrong list")
            rows[r.source, r.index].append(r)
            for core in r.cores:
                hears[r.target_chip, core].append((r.source, r.index, r.tag, r.delay))
            found += _tag_problems(chip, r, homes)
    most = None if chip.routes.entries is None else chip.routes.entries - chip.routes.reserved
    for (source, index), own in rows.items():
        if source in spec.populations and most is not None and len(own) > most:
            found.append(f"{source} {index} uses {len(own)} routes of {most}")
        for r in own if source in spec.populations else ():
            home, columns = homes[source, index][0], chip.board.columns
            across, down = r.target_chip % columns - home % columns, r.target_chip // columns - home // columns
            if chip.routes.max_hop is not None and max(abs(across), abs(down)) > chip.routes.max_hop:
                found.append(f"{source} {index} hops from chip {home} to {r.target_chip}")
    return hears, found


def _tag_problems(chip, r, homes):
    own = 2**chip.tags.own_bits
    if not 0 <= r.tag < 2**chip.tags.bits or r.tag in chip.tags.forbidden:
        return [f"{r.source} {r.index} has tag {r.tag}"]
    if chip.tags.own_bits and (r.source, r.index) in homes and r.tag % own != homes[r.source, r.index][2] % own:
        return [f"{r.source} {r.index} has tag {r.tag}, which is not its own id {homes[r.source, r.index][2]}"]
    return []


def _meetings(plan, hears):
    """What every core must hear, hears, and may tell apart."""
    spec, chip, found = plan.spec, plan.chip, []
    wanted = defaultdict(set)
    for p in spec.projections:
        size = spec.inputs.get(p.source) or spec.populations[p.source].size
        for row in plan.locations[p.target]:
            wanted[int(row[0]), int(row[1])] |= {(p.source, i) for i in range(size)}
    for core in {*wanted, *hears}:
        heard = hears[core]
        sources = sorted((s, i) for s, i, _, _ in heard)
        shared = spec.candidates == "reachable"  # some may be left out, but nobody else may be heard, nor one twice
        good = set(sources) <= wanted[core] and len(set(sources)) == len(sources) > 0 if shared else False
        if sources != sorted(wanted[core]) and not good:
            found.append(f"core {core} hears {len(heard)} of {len(wanted[core])} sources, or others")
        if len({tag for _, _, tag, _ in heard}) != len(heard):
            found.append(f"core {core}: two sources with one tag")
        if chip.cores.axons is not None and len(heard) > chip.cores.axons:
            found.append(f"core {core} hears {len(heard)} sources, has {chip.cores.axons} axons")
        for source, index, _, delay in heard:
            if delay != (0 if source in spec.inputs else spec.populations[source].route_delay):
                found.append(f"{source} {index} reaches {core} after {delay}")
    for target in {c for c, _ in hears}:
        channels = {(r.source, r.index) for r in plan.inputs if r.target_chip == target}
        if chip.inputs.channels is not None and len(channels) > chip.inputs.channels:
            found.append(f"chip {target} receives {len(channels)} channels of {chip.inputs.channels}")
    return found
