"""Plans of random networks obey every limit of the chip; what must fit is placed; refusals say what is short."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plan_checker import problems

import neuro
from neuro.errors import DescriptionError, FitError
from neuro.task import NetworkSpec

CHIPS = ("dynapse1", "dynapse2", "binary-core", "generic")
OVERRIDES = {
    "dynapse1": ["board.columns=1", "board.rows=1", "cores.neurons=12", "cores.per_chip=2", "routes.entries=2",
                 "inputs.channels=20", "slots=4", "routes.max_hop=0", "neuron.distinct_per_core.tau_mem=1"],
    "dynapse2": ["board.columns=2", "board.columns=9", "cores.neurons=10", "cores.per_chip=1", "tags.bits=6",
                 "routes.entries=2", "slots=8", "delays.lines=1", "routes.max_hop=1"],
    "binary-core": ["cores.axons=40", "cores.neurons=8", "board.columns=2", "cores.per_chip=3"],
    "generic": ["slots=16", "cores.neurons=64", "cores.per_chip=2", "tags.bits=7"],
}  # fmt: skip


def network(inputs, populations, projections, **more):
    """Make a spec: populations name -> size or fields, projections as pairs or triples with a delay."""
    fields = {n: {"size": p} if isinstance(p, int) else p for n, p in populations.items()}
    return NetworkSpec.model_validate(
        {
            "dt_s": 1e-3,
            "inputs": inputs,
            "populations": {n: {"decay_mem": 0.5, "decay_syn": 0.5} | p for n, p in fields.items()},
            "projections": tuple(dict(zip(("from", "to", "delay"), p, strict=False)) for p in projections),
            "outputs": {"y": {"population": next(iter(populations))}},
        }
        | more
    )


@st.composite
def networks(draw, chip):
    lines = draw(st.sampled_from([(0,), (0, 2), (1, 0, 5)][: 3 if chip.delays.lines > 2 else chip.delays.lines]))
    inputs = {f"x{i}": draw(st.integers(1, 30)) for i in range(draw(st.integers(1, 2)))}
    names = [f"p{i}" for i in range(draw(st.integers(1, 5)))]
    populations = {
        name: {
            "size": draw(st.integers(1, 30)),
            "decay_mem": draw(st.sampled_from([0.5, 0.75, 0.875])),
            "threshold": draw(st.sampled_from([1.0, 1.0, 2.0])),
            "refractory_s": draw(st.sampled_from([0.0, 0.0, 0.002])),
            "route_delay": draw(st.integers(1, min(3, chip.delays.route_max))),
            "decay_syn": draw(st.sampled_from([0.5, {"fast": 0.5}, *([{"slow": 0.9, "fast": 0.5}, {"slow": 0.9}]
                                               if len(chip.currents) > 1 else [])])),
        }
        for name in names
    }  # fmt: skip
    projections = []
    for target in names:
        others = draw(st.lists(st.sampled_from([*inputs, *names]), min_size=1, max_size=4, unique=True))
        for source in others:
            start = populations[source]["route_delay"] if source in populations else 0
            delay = draw(st.sampled_from([None, start + lines[-1]]))
            projections.append((source, target) if delay is None else (source, target, delay))
    candidates = draw(st.sampled_from(["all", "reachable"]))
    return network(inputs, populations, projections, delay_lines=lines, candidates=candidates)


@pytest.mark.parametrize("name", CHIPS)
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_plans_obey_the_chip_or_say_what_is_short(name, data):
    overrides = data.draw(st.lists(st.sampled_from(OVERRIDES[name]), max_size=2, unique_by=lambda o: o.split("=")[0]))
    chip = neuro.load_chip(name, overrides)
    spec = data.draw(networks(chip))
    try:
        plan = neuro.place(spec, chip)
    except FitError as error:
        assert str(error).split(":")[0] in RESOURCES and any(c.isdigit() for c in str(error))
        return
    assert problems(plan) == []
    assert same(plan, neuro.place(spec, chip))
    assert_allowed_words(plan)
    plan.describe()


RESOURCES = ("neurons", "tags", "tags of one core", "axons of one core", "routes", "hops", "input channels")


def same(a, b):
    return (
        a.locations.keys() == b.locations.keys()
        and all(np.array_equal(a.locations[n], b.locations[n]) for n in a.locations)
        and (a.routes, a.inputs, a.latches, a.currents, a.types) == (b.routes, b.inputs, b.latches, b.currents, b.types)
        and a.parameters == b.parameters
    )


def assert_allowed_words(plan):
    """Words a population may use: whom its core hears, its projections' delays, no autapses, currents it is given."""
    spec = plan.spec
    heard = {(r.source, r.index, r.target_chip, k) for r in (*plan.routes, *plan.inputs) for k in r.cores}
    for target, population in spec.populations.items():
        sources = [s for s in (*spec.inputs, *spec.populations) if s in {p.source for p in spec.projections
                                                                        if p.target == target}]  # fmt: skip
        decays = population.decay_syn if isinstance(population.decay_syn, dict) else {"fast": 0.5}
        rows = []
        for source in sources:
            projection = next(p for p in spec.projections if (p.source, p.target) == (source, target))
            start = 0 if source in spec.inputs else spec.populations[source].route_delay
            for j in range(spec.inputs.get(source) or spec.populations[source].size):
                for current, line in itertools.product(plan.currents, spec.delay_lines):
                    fits = current in decays and projection.delay in (None, start + line)
                    rows.append([
                        fits and (source, j) != (target, i) and (source, j, int(c), int(k)) in heard
                        for i, (c, k, _) in enumerate(plan.locations[target])
                    ])  # fmt: skip
        wanted = np.array(rows).T
        got = plan.allowed(target)
        assert wanted.all() if got is None else np.array_equal(got.reshape(population.size, -1), wanted)
        columns = plan.columns(target)
        assert list(columns) == sources and next(iter(columns.values())).start == 0


@pytest.mark.parametrize("name, overrides, size, hears, rows", [
    ("dynapse1", (), 4092, 1023, {2, 3}),
    ("dynapse2", ("board.columns=5", "tags.bits=8", "cores.neurons=25"), 500, 256, {1, 2}),
])  # fmt: skip
def test_a_full_board_shares_out_its_tags(name, overrides, size, hears, rows):
    """A recurrent population on every chip: no tag is left unused, all sources get about the same."""
    chip = neuro.load_chip(name, overrides)
    spec = network({"x": 64}, {"r": size}, [("x", "r"), ("r", "r")], candidates="reachable")
    plan = neuro.place(spec, chip)
    assert problems(plan) == []
    per_neuron = plan.heard("r").sum(1)
    assert set(per_neuron) == {hears}
    reach = np.bincount([r.index for r in plan.routes], minlength=size)
    cores = np.bincount([r.index for r in plan.routes for _ in r.cores], minlength=size)
    index = plan.core_index("r")
    heard = np.array([plan.heard("r")[index == k][0, 64:] for k in range(len(plan.cores))])  # [cores, sources]
    pairs = np.array([np.bincount(index, row, len(plan.cores)) for row in heard])
    assert pairs.min() > pairs.mean() / 3 and pairs.max() < 2 * pairs.mean(), "a core hears some of every core"
    assert set(reach) == rows and np.ptp(cores) <= chip.cores.per_chip, (np.bincount(reach), np.bincount(cores))


def test_hops_share_out_a_line_of_chips():
    chip = neuro.load_chip("dynapse2", ["cores.per_chip=1", "board.columns=9", "cores.neurons=20"])
    spec = network({"x": 4}, {"r": 180}, [("x", "r"), ("r", "r")], candidates="reachable")
    plan = neuro.place(spec, chip)
    assert problems(plan) == []
    homes = plan.locations["r"][:, 0]
    assert {abs(r.target_chip - homes[r.index]) for r in plan.routes} <= set(range(8))
    with pytest.raises(FitError, match="routes|hops"):
        neuro.place(network({"x": 4}, {"r": 180}, [("x", "r"), ("r", "r")]), chip)


def test_the_checker_finds_seeded_mistakes():
    chip = neuro.load_chip("dynapse1")
    spec = network({"x": 3}, {"a": 5, "b": {"size": 4, "decay_mem": 0.75}}, [("x", "a"), ("a", "b"), ("b", "a")])
    plan = neuro.place(spec, chip)
    assert problems(plan) == []

    def broken(**fields):
        return problems(type(plan)(**{f: getattr(plan, f) for f in plan.__dataclass_fields__} | fields))

    route = plan.routes[0]
    changed = lambda **f: type(route)(**{n: getattr(route, n) for n in route.__dataclass_fields__} | f)  # noqa: E731
    assert broken(routes=plan.routes[1:])
    assert broken(routes=(changed(tag=route.tag + 1), *plan.routes[1:]))
    assert broken(routes=(changed(tag=0), *plan.routes[1:]))
    assert broken(routes=(changed(delay=2), *plan.routes[1:]))
    assert broken(routes=(*plan.routes, *(changed(target_chip=c) for c in (1, 2, 3))))
    assert broken(inputs=(plan.inputs[0], *plan.inputs[:1], *plan.inputs[2:]))
    assert broken(locations=plan.locations | {"a": plan.locations["a"][[0, 0, 1, 2, 3]]})
    assert broken(locations=plan.locations | {"a": np.array([[0, 0, n] for n in range(5)])})
    assert broken(latches=((0, 0, 255, "TAU2_SET"),))


def fan_in(sizes, target=3, inputs=2, heard=False):
    """Populations s0, s1, … of some sizes that all project to one target."""
    names = [f"s{i}" for i in range(len(sizes))]
    populations = dict(zip(names, sizes, strict=True)) | {"target": target}
    pairs = [("x", n) for n in names] + [(n, "target") for n in names] + ([("x", "target")] if heard else [])
    return network({"x": inputs}, populations, pairs)


@pytest.mark.parametrize(
    "sizes",
    [[10] * 4, [10] * 5, [1] * 12, [10] * 14, [200] * 5, [255] * 4, [256, 256, 256, 255], [70] * 14, [68] * 15,
     [100, 3, 250, 250, 250, 170], [1] * 14],
    ids=str,
)  # fmt: skip
def test_sources_with_few_tags_are_placed_by_spreading_their_ids(sizes):
    plan = neuro.place(fan_in(sizes), neuro.load_chip("dynapse1"))
    assert problems(plan) == []


@pytest.mark.parametrize("sources, inputs", [([256, 256, 256, 255], 0), ([256, 256, 256, 250], 5), ([1], 1022)])
def test_one_core_of_dynapse1_hears_1023_sources_and_no_more(sources, inputs):
    chip = neuro.load_chip("dynapse1")
    plan = neuro.place(fan_in(sources, inputs=inputs or 2, heard=bool(inputs)), chip)
    assert problems(plan) == []
    sources[-1] += 1
    with pytest.raises(
        FitError, match=r"tags of one core: population target .* 1024 sources, allowed: 1023 on dynapse1"
    ):
        neuro.place(fan_in(sources, inputs=inputs or 2, heard=bool(inputs)), chip)


def test_1023_input_channels_reach_a_core_of_dynapse1_and_1024_do_not():
    chip = neuro.load_chip("dynapse1")
    plan = neuro.place(network({"x": 1023}, {"a": 3}, [("x", "a")]), chip)
    assert problems(plan) == [] and sorted(r.tag for r in plan.inputs) == list(range(1, 1024))
    with pytest.raises(FitError, match="population a may listen to 1024 sources, allowed: 1023"):
        neuro.place(network({"x": 1024}, {"a": 3}, [("x", "a")]), chip)


def test_core_0_of_dynapse1_offers_255_sources():
    chip = neuro.load_chip("dynapse1", ["board.columns=1", "board.rows=1", "cores.per_chip=1"])
    assert problems(neuro.place(network({"x": 2}, {"a": 255}, [("x", "a"), ("a", "a")]), chip)) == []
    assert problems(neuro.place(network({"x": 2}, {"a": 256}, [("x", "a")]), chip)) == []  # nobody listens to it
    with pytest.raises(FitError, match="neurons: 1 of the 256 neurons of population a "):
        neuro.place(network({"x": 2}, {"a": 256}, [("x", "a"), ("a", "a")]), chip)


@pytest.mark.parametrize("first", ["a", "t"])
def test_a_neuron_nobody_hears_takes_the_silent_place(first):
    chip = neuro.load_chip("dynapse1", ["board.columns=1", "board.rows=1", "cores.per_chip=1"])
    sizes = dict(sorted({"a": 255, "t": 1}.items(), key=lambda item: item[0] != first))
    plan = neuro.place(network({"x": 2}, sizes, [("x", "a"), ("a", "t")]), chip)
    assert problems(plan) == [] and plan.locations["t"].tolist() == [[0, 0, 0]]


def test_a_source_of_many_small_populations_keeps_to_the_chips_it_can_reach():
    targets = {f"t{i}": 10 for i in range(14)}
    spec = network({"x": 2}, {"a": 10} | targets, [("x", "a"), *(("a", t) for t in targets)])
    assert problems(neuro.place(spec, neuro.load_chip("dynapse1"))) == []


def test_populations_share_cores_when_cores_run_out():
    names = [f"p{i}" for i in range(40)]
    spec = network({"x": 2}, dict.fromkeys(names, 20), [("x", n) for n in names])
    plan = neuro.place(spec, neuro.load_chip("dynapse1"))
    assert problems(plan) == [] and len(plan.cores) <= 16


def test_two_membrane_constants_share_a_core_by_a_latch_and_three_do_not():
    chip = neuro.load_chip("dynapse1", ["board.columns=1", "board.rows=1", "cores.per_chip=1"])
    kinds = {"a": 0.5, "b": 0.75, "c": 0.875}
    populations = {n: {"size": 4, "decay_mem": d} for n, d in kinds.items()}
    two = {n: populations[n] for n in "ab"}
    plan = neuro.place(network({"x": 2}, two, [("x", n) for n in two]), chip)
    assert problems(plan) == [] and len(plan.latches) == 4
    with pytest.raises(FitError, match="neurons: 4 of the 4 neurons of population c "):
        neuro.place(network({"x": 2}, populations, [("x", n) for n in populations]), chip)


def test_refusals_name_resource_place_have_and_allowed():
    small = neuro.load_chip("dynapse2", ["cores.per_chip=1", "board.columns=9"])
    wide = network({"x": 2}, {"a": 256, "b": 9 * 256 - 256}, [("x", "a"), ("a", "b"), ("x", "b")])
    with pytest.raises(FitError, match=r"routes: neurons of population a must reach 8 chips, allowed: 3 on dynapse2"):
        neuro.place(wide, small)
    free = neuro.load_chip("dynapse2", ["cores.per_chip=1", "board.columns=9", "routes.entries=20"])
    with pytest.raises(FitError, match=r"hops: population a on chip 0 must reach chip 8, 8 chips away .* allowed: 7"):
        neuro.place(wide, free)
    few = neuro.load_chip("dynapse1", ["inputs.channels=20"])
    with pytest.raises(FitError, match=r"input channels: chip 0 would receive 21, allowed: 20 .*take 1 channels away"):
        neuro.place(network({"x": 21}, {"a": 3}, [("x", "a")]), few)
    with pytest.raises(FitError, match=r"axons of one core: population a .* 257 sources, allowed: 256 on binary-core"):
        neuro.place(network({"x": 257}, {"a": 3}, [("x", "a")]), neuro.load_chip("binary-core"))
    assert problems(neuro.place(network({"x": 256}, {"a": 3}, [("x", "a")]), neuro.load_chip("binary-core"))) == []
    full = neuro.load_chip("dynapse2", ["cores.per_chip=1", "cores.neurons=10"])
    with pytest.raises(FitError, match=r"neurons: 2 of the 12 neurons of population a .* 1 cores of 10 neurons"):
        neuro.place(network({"x": 2}, {"a": 12}, [("x", "a")]), full)
    tags = neuro.load_chip("dynapse2", ["tags.bits=5"])
    assert problems(neuro.place(network({"x": 32}, {"a": 3}, [("x", "a")]), tags)) == []
    with pytest.raises(FitError, match="tags of one core: population a may listen to 33 sources, allowed: 32"):
        neuro.place(network({"x": 33}, {"a": 3}, [("x", "a")]), tags)


@pytest.mark.parametrize("chip, delay, lines, allowed", [
    ("dynapse1", 2, (0,), "1 steps"),
    ("dynapse2", 2, (0, 3), "1, 4 steps"),
    ("generic", 3, (0, 1), "1, 2 steps"),
])  # fmt: skip
def test_a_delay_no_route_and_line_make_is_refused(chip, delay, lines, allowed):
    spec = network({"x": 2}, {"a": 3, "b": 3}, [("x", "a"), ("a", "b", delay)], delay_lines=lines)
    with pytest.raises(DescriptionError, match=rf"projection a → b has delay {delay}, allowed: {allowed}"):
        neuro.place(spec, neuro.load_chip(chip))


@pytest.mark.parametrize("chip, fields, more, match", [
    ("dynapse1", {}, {"delay_lines": (0, 1)}, r"delay_lines are \[0, 1\], allowed on dynapse1: 1 of at most 0 steps"),
    ("dynapse2", {}, {"delay_lines": (0, 21)}, "at most 20 steps"),
    ("dynapse2", {}, {"delay_lines": (1, 2, 3)}, r"are \[1, 2, 3\], allowed on dynapse2: 0 and at most 2 others"),
    ("dynapse2", {}, {"delay_lines": (0, 1, 20), "dt_s": 0.1}, "one of them 2 s, .* to 0.587 s, what bias SYPD_DLY2_P"),
    ("dynapse2", {"route_delay": 2}, {}, "populations.a.route_delay is 2, allowed on dynapse2: 1 to 1"),
    ("generic", {"route_delay": 16}, {}, "1 to 15"),
    ("binary-core", {"adaptation": {"strength": 0.1, "decay": 0.5}}, {}, "populations.a.adaptation"),
    ("binary-core", {"decay_syn": {"slow": 0.5}}, {}, "current 'slow' .* allowed: fast"),
    ("dynapse1", {"decay_mem": None, "leak": 0.1}, {}, "leaks exponentially"),
    ("dynapse1", {"decay_syn": {}}, {}, "populations.a"),
])  # fmt: skip
def test_what_a_chip_does_not_have_is_refused_by_name(chip, fields, more, match):
    spec = network({"x": 2}, {"a": {"size": 3} | fields}, [("x", "a")], **more)
    with pytest.raises(DescriptionError, match=match):
        neuro.place(spec, neuro.load_chip(chip))


def test_constants_are_float32_made_once_in_float64():
    fields = {"size": 2, "decay_mem": None, "tau_mem_s": 0.02, "decay_syn": None, "tau_syn_s": {"slow": 0.1},
              "refractory_s": 0.003, "adaptation": {"strength": 0.1, "tau_s": 0.3}}  # fmt: skip
    plan = neuro.place(network({"x": 2}, {"a": fields, "b": 2}, [("x", "a"), ("x", "b")]), neuro.load_chip("dynapse1"))
    a, b = plan.parameters["a"], plan.parameters["b"]
    assert plan.currents == ("fast", "slow")
    assert a.leak == float(np.float32(np.exp(np.float64(-0.05)))) and a.refractory_steps == 3
    assert a.decay_syn == (0.0, float(np.float32(np.exp(np.float64(-0.01))))) and b.decay_syn == (0.5, 0.0)
    assert (a.beta, a.decay_a) == (float(np.float32(0.1)), float(np.float32(np.exp(-0.001 / 0.3))))
    assert a.floor == 0.0 and [t.name for t in plan.types] == ["GABA_B", "NMDA", "AMPA"]
