"""Fan-out where a neuron has one destination: plans against a checker of their own, and which way is chosen, by hand."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import neuro
from neuro.errors import DescriptionError, FitError
from neuro.task import NetworkSpec

SMALL = ["cores.neurons=8", "cores.axons=6", "cores.per_chip=40"]


def network(populations, pairs, read=(), inputs=5, **more):
    """Make a spec: populations name -> size, pairs (from, to[, delay]), `read` the names of those read out."""
    fields = {"tau_mem_s": 0.02, "tau_syn_s": 0.005}
    return NetworkSpec.model_validate(
        {
            "dt_s": 1e-3,
            "inputs": {"x": inputs},
            "populations": {n: fields | (p if isinstance(p, dict) else {"size": p}) for n, p in populations.items()},
            "projections": tuple(dict(zip(("from", "to", "delay"), p, strict=False)) for p in pairs),
            "outputs": {f"y{i}": {"population": n} for i, n in enumerate(read or list(populations)[-1:])},
        }
        | more
    )


def problems(plan):
    """Follow every neuron's one spike: it must reach each core that listens, once, and the outside where it is read."""
    spec, chip, found, homes = plan.spec, plan.chip, [], Counter()
    heard_by = {name: [p.target for p in spec.projections if p.source == name] for name in spec.populations}
    read = {output.population for output in spec.outputs.values()}
    fed = Counter()
    for name, population in spec.populations.items():
        fanout = plan.fanouts[name]
        own = plan.locations[name]
        wanted = {(int(c), int(k)) for target in heard_by[name] for c, k, _ in plan.locations[target]}
        if set(fanout.targets) != wanted or len(fanout.ways) != len(wanted):
            found.append(f"{name} reaches {fanout.targets}, wanted {wanted}")
        together = [own, *fanout.copies]
        for part in together:
            homes.update(map(tuple, part.tolist()))
            if len(part) != population.size or (part[:, :2] != own[:, :2]).any():
                found.append(f"{name}: a copy is not beside its neuron")
        speakers = [fanout.feeders.tolist()] if fanout.splits else fanout.ways.tolist()
        if fanout.splits:
            for places in fanout.ways:
                homes.update(map(tuple, places.tolist()))
                if (places[:, :2] != fanout.axons[:, :2]).any():
                    found.append(f"{name}: a splitter's neurons are not in its core")
            fed.update(map(tuple, fanout.axons.tolist()))
        if name in read and own.tolist() in speakers:
            found.append(f"{name} is read out and listened to by the same neurons")
        if any(speaker not in [part.tolist() for part in together] for speaker in speakers):
            found.append(f"{name}: somebody else speaks for it")
        if any(speakers.count(speaker) > 1 for speaker in speakers):
            found.append(f"{name}: one neuron goes two ways")
    found += [f"{times} neurons at {place}" for place, times in homes.items() if times > 1]
    found += [f"{place} outside" for place in homes if not inside(place, chip)]
    found += [f"{times} sources on axon {axon}" for axon, times in fed.items() if times > 1]
    found += [f"axon {axon} of a splitter" for axon in fed if axon[2] >= chip.cores.axons]
    shared = Counter(
        (int(c), int(k), name)
        for name, place in plan.locations.items()
        for c, k, _ in np.unique(place * [1, 1, 0], axis=0)
    )
    cores = Counter((c, k) for c, k, _ in shared)
    return found + [f"core {core} of two populations" for core, times in cores.items() if times > 1]


def inside(place, chip):
    c, k, n = place
    return 0 <= c < chip.chips and 0 <= k < chip.cores.per_chip and 0 <= n < chip.cores.neurons


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_every_core_that_listens_is_reached_once(data):
    names = [f"p{i}" for i in range(data.draw(st.integers(1, 4)))]
    sizes = {name: data.draw(st.integers(1, 30)) for name in names}
    pairs = [("x", names[0]), *((a, b) for a in names for b in names if data.draw(st.booleans()))]
    pairs += [("x", b) for b in names[1:] if b not in {t for _, t in pairs}]
    read = data.draw(st.lists(st.sampled_from(names), min_size=1, unique=True))
    chip = neuro.load_chip("truenorth", [*SMALL, *data.draw(st.sampled_from([[], ["board.columns=2"]]))])
    try:
        plan = neuro.place(network(sizes, pairs, read), chip)
    except FitError as error:
        assert "allowed" in str(error) or "left of" in str(error)
        return
    assert problems(plan) == []


def test_one_listening_core_needs_nothing():
    plan = neuro.place(network({"a": 8, "b": 4}, [("x", "a"), ("a", "b")]), neuro.load_chip("truenorth", SMALL))
    fanout = plan.fanouts["a"]
    assert fanout.targets == ((0, 1),) and not len(fanout.copies) and not fanout.splits
    assert np.array_equal(fanout.ways[0], plan.locations["a"]) and plan.source_delay("a") == 1
    assert plan.fanouts["b"].targets == () and plan.routes == plan.inputs == ()


def test_copies_where_they_take_no_core_more_and_splitters_elsewhere():
    chip = neuro.load_chip("truenorth", SMALL)
    pairs = [("x", "a"), ("a", "b"), ("a", "c")]
    copies = neuro.place(network({"a": 4, "b": 4, "c": 4}, pairs), chip)
    assert len(copies.fanouts["a"].copies) == 1 and not copies.fanouts["a"].splits
    assert copies.source_delay("a") == 1 and problems(copies) == []
    split = neuro.place(network({"a": {"size": 5, "route_delay": 3}, "b": 4, "c": 4}, pairs), chip)
    fanout = split.fanouts["a"]
    assert fanout.splits and not len(fanout.copies) and split.source_delay("a") == 4 and problems(split) == []
    # two ways each: four sources fill the eight neurons of a splitter's core
    assert Counter(map(tuple, fanout.axons[:, :2].tolist())) == {(0, 3): 4, (0, 4): 1}
    assert "2 cores of splitters, one step more" in split.describe()


def test_who_is_read_and_listened_to_has_a_copy():
    plan = neuro.place(network({"a": 4}, [("x", "a"), ("a", "a")], ["a"]), neuro.load_chip("truenorth", SMALL))
    fanout = plan.fanouts["a"]
    assert fanout.targets == ((0, 0),) and np.array_equal(fanout.ways, fanout.copies) and len(fanout.copies) == 1


def test_fixed_delays_count_a_splitter():
    chip = neuro.load_chip("truenorth", SMALL)
    sizes = {"a": {"size": 5, "route_delay": 2}, "b": 4, "c": 4}
    neuro.place(network(sizes, [("x", "a"), ("a", "b", 3), ("a", "c")]), chip)
    with pytest.raises(DescriptionError, match="has delay 2, allowed: 3 steps .route 3, splitter included"):
        neuro.place(network(sizes, [("x", "a"), ("a", "b", 2), ("a", "c")]), chip)


@pytest.mark.parametrize(
    ("sizes", "pairs", "overrides", "message"),
    [
        ({"a": 400}, [("x", "a")], [], "cores: population a needs 50, has 40 left of 40"),
        (
            {"a": 8, "b": 80},
            [("x", "a"), ("a", "b")],
            [],
            "population a must reach 10 cores, allowed .* 8, the neurons",
        ),
        ({"a": 100, "b": 9}, [("x", "a"), ("a", "b")], ["cores.per_chip=20"], r"population a \(splitters\) needs 1"),
        ({"a": 4}, [("x", "a")], ["inputs.channels=4"], "input channels: chip 0 would receive 5, allowed: 4"),
        ({"a": 4}, [("x", "a"), ("a", "a")], ["cores.neurons=1"], "cores: population a needs 41"),
    ],
)
def test_what_cannot_fit_says_what_is_short(sizes, pairs, overrides, message):
    with pytest.raises(FitError, match=message):
        neuro.place(network(sizes, pairs), neuro.load_chip("truenorth", [*SMALL, *overrides]))


@pytest.mark.parametrize(
    ("fields", "theta", "leak", "v_reset"),
    [
        ({"tau_mem_s": 0.02}, 128, 3, 0),  # 64 · (1 − exp(−1/20)) = 3.12
        ({"leak": 0.1}, 128, 13, 0),
        ({"leak": 0.1, "bias": 0.2, "v_reset": 0.25}, 128, -13, 32),
        ({"leak": 0.0, "threshold": 0.3}, 77, 0, 0),  # a unit of 2^-8: 0.3 · 1.9 is below 255 of them
    ],
)
def test_constants_are_whole_numbers_of_weight_units(fields, theta, leak, v_reset):
    population = {"size": 4, "tau_mem_s": None, "tau_syn_s": 0.01, "refractory_s": 0.002} | fields
    plan = neuro.place(network({"a": population}, [("x", "a")]), neuro.load_chip("truenorth"))
    constants, unit = plan.parameters["a"], 2.0 ** -(8 if "threshold" in fields else 7)
    assert (constants.theta, constants.leak, constants.v_reset) == (theta * unit, leak * unit, v_reset * unit)
    assert (constants.decay_syn, constants.refractory_steps, constants.bias) == ((0.0,), 0, 0.0)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"leak": 3.0}, "tau_mem is 3, 384 units of 0.0078125, allowed on truenorth: at most 255"),
        ({"decay_mem": 0.9}, "give `leak`, or tau_mem_s"),
        ({"leak": 0.1, "tau_syn_s": None, "decay_syn": 0.5}, "decay_syn: events act in their own step alone"),
        ({"leak": 0.1, "route_delay": 16}, "route_delay is 16, allowed on truenorth: 1 to 15"),
    ],
)
def test_constants_a_crossbar_cannot_have(fields, message):
    population = {"size": 4, "tau_mem_s": None, "tau_syn_s": 0.01} | fields
    with pytest.raises(DescriptionError, match=message):
        neuro.place(network({"a": population}, [("x", "a")]), neuro.load_chip("truenorth"))
