"""Make a plan, or say which resource is short, where, by how much."""

from __future__ import annotations

from collections.abc import Mapping

from neuro.descriptor import Chip, SynapseType
from neuro.errors import DescriptionError, FitError
from neuro.placement.budgets import refuse_rows, words_of_sources
from neuro.placement.circuits import refuse_unreachable, refuse_unreachable_lines, refuse_untrainable
from neuro.placement.cores import assign_cores, assign_neurons, latches
from neuro.placement.fanout import lay_out_crossbars
from neuro.placement.graph import Graph
from neuro.placement.known import lay_out_graph
from neuro.placement.parameters import currents_in_use, parameter_set
from neuro.placement.plan import Plan
from neuro.placement.routing import route
from neuro.task import NetworkSpec


def place(
    spec: NetworkSpec,
    chip: Chip,
    seed: int = 0,
    graph: Mapping[str, Mapping[str, object]] | Graph | None = None,
    start: str = "best",
) -> Plan:
    """Lay a network out on a chip: every population its own cores while cores last, then shared ones.

    graph: connections that are known, target -> source -> [n, m] (what is not 0; latents, arrays, sparse matrices). Neurons
    are then put together so that sources reach few chips and cores, and routes lead to these alone. start: where the
    search for that begins: "best" of "order" and "grown", or "mtkahypar", if that package is installed. The same seed
    gives the same plan. Raises FitError (resource, place, have, allowed, what to do) where the network cannot fit,
    DescriptionError where it asks for what the chip does not have.
    """
    _check_delays(spec, chip)
    currents = currents_in_use(spec, chip)
    for name, population in spec.populations.items():
        refuse_unreachable(name, population, chip)
    parameters = {name: parameter_set(name, spec, chip, currents) for name in spec.populations}
    refuse_untrainable(spec, chip, parameters, currents)
    fanouts, routes, inputs = {}, (), ()
    if graph is not None:
        locations, routes, inputs = lay_out_graph(spec, chip, parameters, graph, seed, start)
    elif chip.weights.axon_types is None:
        locations, routes, inputs = _lay_out(spec, chip, parameters)
    else:  # who gets an axon where, training decides
        locations, fanouts = lay_out_crossbars(spec, chip)
    plan = Plan(
        spec=spec,
        chip=chip,
        currents=currents,
        types=_types_in_use(spec, chip, currents),
        parameters=parameters,
        locations=locations,
        routes=routes,
        inputs=inputs,
        latches=latches(spec, chip, parameters, locations),
        fanouts=fanouts,
        budgets=words_of_sources(spec, chip, locations, len(currents)) if _by_source(chip) else {},
    )
    _check_projections(plan)
    refuse_rows(plan)
    return plan


def _lay_out(spec: NetworkSpec, chip: Chip, parameters):
    """Give each population cores of its own; where that cannot be, let populations share cores, then sources share out
    routes and tags if the network takes whom it can reach.

    A source's sign belongs to the axon of a core, so on chips of that kind populations that share a source never share;
    nor do any where a pair of conductances weighs something at rest, for then a neuron hears every row of its core.
    """
    alone = _rest_weighs(chip)
    for thinned in (False, True) if spec.candidates == "reachable" else (False,):
        for shared in (False,) if alone else (False, True):
            try:
                cores = assign_cores(spec, chip, parameters, shared)
                locations = assign_neurons(spec, chip, cores)
                return locations, *route(spec, chip, locations, thinned)
            except FitError as error:
                refusal = error
    raise refusal


def _rest_weighs(chip: Chip) -> bool:
    """Whether a pair of conductances that nobody programmed has a weight."""
    return chip.weights.kind == "conductance" and chip.devices.ratio is not None and chip.devices.gain != 1


def _by_source(chip: Chip) -> bool:
    """Whether the chip limits the words of a source; the float twin has none."""
    limits = (chip.cores.memory, chip.weights.fan_out, chip.weights.fan_out_mean)
    return chip.weights.kind != "float" and any(limit is not None for limit in limits)


def _types_in_use(spec: NetworkSpec, chip: Chip, currents: tuple[str, ...]) -> tuple[SynapseType, ...]:
    names = set()
    for current in chip.currents:
        if current.name in currents:
            names.update(current.types)
            if spec.shunting_as_subtractive:
                names.update(current.shunting)
    return tuple(t for t in chip.types if t.name in names)


def _check_delays(spec: NetworkSpec, chip: Chip) -> None:
    delays = chip.delays
    if len(spec.delay_lines) > delays.lines or max(spec.delay_lines) > delays.line_max:
        raise DescriptionError(
            f"delay_lines are {list(spec.delay_lines)}, allowed on {chip.label}: {delays.lines} of at most "
            f"{delays.line_max} steps"
        )
    delayed, most = sum(steps > 0 for steps in spec.delay_lines), delays.lines - 1
    if delays.undelayed and delayed > most:
        raise DescriptionError(
            f"delay_lines are {list(spec.delay_lines)}, allowed on {chip.label}: 0 and at most {most} others; the other "
            "words take no delay"
        )
    refuse_unreachable_lines(spec, chip)
    for name, population in spec.populations.items():
        if population.route_delay > delays.route_max:
            raise DescriptionError(
                f"populations.{name}.route_delay is {population.route_delay}, allowed on {chip.label}: 1 to "
                f"{delays.route_max} steps"
            )


def _check_projections(plan: Plan) -> None:
    spec, chip = plan.spec, plan.chip
    for p in spec.projections:
        if p.source == p.target and not p.autapses and _rest_weighs(chip):
            raise FitError(
                f"the projection {p.source} → {p.target} has no autapses, but on {chip.label} no pair weighs 0 at rest and "
                "a neuron hears every row of its core; set autapses: true, or devices.gain to 1"
            )
        start = plan.source_delay(p.source)
        reachable = sorted(start + line for line in spec.delay_lines)
        if p.delay is not None and p.delay not in reachable:
            splits = p.source in plan.fanouts and plan.fanouts[p.source].splits
            raise DescriptionError(
                f"the projection {p.source} → {p.target} has delay {p.delay}, allowed: "
                f"{', '.join(map(str, reachable))} steps (route {start}{', splitter included,' if splits else ''} + "
                f"delay_lines {list(spec.delay_lines)}) on {chip.label}"
            )
