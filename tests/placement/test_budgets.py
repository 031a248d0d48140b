"""Words shared out by source: whatever codes hold within the shares, no core and no source has more than it may."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_networks import chip_of

import neuro
from neuro.errors import DescriptionError, FitError
from neuro.task import NetworkSpec


def spec(sizes=(9, 4), inputs=6, projections=None, outputs=None, lines=(0,), **each):
    names = [f"p{i}" for i in range(len(sizes))]
    pairs = projections or [("x", "p0"), *zip(names, names[1:], strict=False)]
    constants = {"tau_mem_s": 0.02, "tau_syn_s": 0.005} | each
    return NetworkSpec.model_validate(
        {
            "dt_s": 1e-3,
            "inputs": {"x": inputs},
            "populations": {name: {"size": size, **constants} for name, size in zip(names, sizes, strict=True)},
            "projections": tuple({"from": a, "to": b} for a, b in pairs),
            "outputs": {"y": {"population": outputs or names[-1]}},
            "delay_lines": lines,
        }
    )


def bits(words, per_word, memory):
    """Bits of one source's words, block by block."""
    total = 0
    while words:
        block = min(words, memory.block_words)
        total += -(-(block * per_word + memory.header_bits) // memory.align_bits) * memory.align_bits
        words -= block
    return total


def most_words(plan):
    """The most words of every source in every core, by core and by source, if training took all it may."""
    by_core, by_source = {}, {}
    for name in plan.spec.populations:
        neurons = np.unique(plan.core_index(name), return_counts=True)
        each = len(plan.currents) * len(plan.spec.delay_lines)
        for k, n in zip(*neurons, strict=True):
            for source, columns in plan.columns(name).items():
                for i in range(plan.spec.size_of(source)):
                    words = n * each
                    if name in plan.budgets:
                        words = min(words, plan.budgets[name][k, columns.start + i])
                    by_core.setdefault(int(k), {}).setdefault((source, i), 0)
                    by_core[int(k)][source, i] += int(words)
                    by_source[source, i] = by_source.get((source, i), 0) + int(words)
    return by_core, by_source


@settings(deadline=None, max_examples=40, derandomize=True, database=None)
@given(st.data())
def test_a_core_of_loihi_cannot_overflow(data):
    size, memory = data.draw(st.integers(3, 90)), data.draw(st.integers(7, 200)) * 128
    chip = chip_of("loihi", (f"cores.memory.bits={memory}", f"cores.neurons={data.draw(st.integers(8, 80))}"))
    lines = data.draw(st.sampled_from([(0,), (0, 3)]))
    recurrent = [("x", "p0"), ("p0", "p0"), ("p0", "p1")]
    try:
        plan = neuro.place(spec((size, 5), data.draw(st.integers(1, 30)), recurrent, lines=lines), chip)
    except FitError as error:
        assert "synapse memory" in str(error) and str(memory) in str(error)
        return
    word = chip.weights.word_bits + (6 if len(lines) > 1 else 0)
    for words in most_words(plan)[0].values():
        assert sum(bits(n, word, chip.cores.memory) for n in words.values()) <= memory


def test_memory_is_used_as_far_as_whole_words_go():
    chip = chip_of("loihi", ("cores.memory.bits=12800",))
    plan = neuro.place(spec((60, 5), 40), chip)
    words = most_words(plan)[0][0]
    assert set(words.values()) == {17}  # 17 x 18 + 10 bits are 316, 320 rounded up; 40 sources of them fill 12,800
    assert sum(bits(n, 18, chip.cores.memory) for n in words.values()) == 12800
    assert "p0: a source has 17 to 17 words in a core" in plan.describe()


def test_what_needs_little_leaves_memory_to_others():
    chip = chip_of("loihi", ("cores.memory.bits=4608", "cores.per_chip=1", "cores.neurons=70"))
    plan = neuro.place(spec((60, 2), 4), chip)
    by_core, _ = most_words(plan)
    assert by_core[0]["p0", 0] == 2  # two words are 46 bits, 64 rounded up; 60 sources of them take 3,840
    assert by_core[0]["x", 0] == 10  # of 768 bits left each of 4 channels has 192: 10 words and a header


@settings(deadline=None, max_examples=40, derandomize=True, database=None)
@given(st.data())
def test_a_neuron_of_xylo_has_no_more_targets_than_it_may(data):
    most, mean = data.draw(st.integers(1, 12)), data.draw(st.integers(1, 4))
    hidden = data.draw(st.integers(1, 25))
    chip = chip_of("xylo-audio2", (f"weights.fan_out={most}", f"weights.fan_out_mean={mean}", "cores.neurons=48"))
    plan = neuro.place(
        spec((hidden, 7, 5), 3, [("x", "p0"), ("p0", "p0"), ("p0", "p1"), ("p1", "p2"), ("p0", "p2")]), chip
    )
    words = {place: n for place, n in most_words(plan)[1].items() if place[0] != "x"}
    assert max(words.values()) <= most
    assert sum(words.values()) <= mean * 40


@pytest.mark.parametrize("name, overrides, network, error, words", [
    ("loihi", ("routes.per_core=11", "cores.neurons=9"), spec((9, 12, 4)), FitError, "need 18 rows, allowed: 11"),
    ("loihi", ("cores.axons=5",), spec(), FitError, "axons of one core: population p0 may listen to 6 .* allowed: 5"),
    ("loihi", (), spec(v_reset=0.5), DescriptionError, "v_reset is 0.5.*at most 0 units"),
    ("loihi", (), spec(bias=0.9), DescriptionError, "bias is 0.9.*at most 4095 units"),
    ("loihi", (), spec(adaptation={"strength": 0.1, "tau_s": 0.1}), DescriptionError, "do not adapt"),
    ("xylo-audio2", (), spec((1001, 4)), FitError, "neurons: 1 of the 1001 .* 1000 neurons a core that are not read out"),
    ("xylo-audio2", (), spec((9, 10)), FitError, "outputs: 2 of the 10 .* 8 neurons a core that are read out"),
    ("xylo-audio2", (), spec(inputs=17), FitError, "input channels: chip 0 would receive 17, allowed: 16"),
    ("xylo-audio2", (), spec((5,), projections=[("x", "p0")]), FitError, "p0 is read out and listens to input x"),
    ("xylo-audio2", (), spec(projections=[("x", "p0"), ("p0", "p1"), ("p1", "p0")]), FitError, "read out and listened to"),
    ("xylo-audio2", (), spec(tau_syn_s={"fast": 0.01, "slow": 0.02}), DescriptionError, "have no current 'slow'"),
    ("xylo-audio2", (), spec(tau_mem_s=100.0), DescriptionError, "too slow.*time constants up to 32768 steps"),
    ("brainscales2", (), spec((257, 4), 10), FitError, "axons of one core: population p1 may listen to 257"),
    ("brainscales2", (), spec((9, 4), 257), FitError, "axons of one core: population p0 may listen to 257"),
    ("odin", (), spec((200, 60)), FitError, "neurons: 4 of the 60"),
    ("odin", (), spec((200, 40), 20), FitError, "tags: x needs 20 tags"),
    ("odin", (), spec(projections=[("x", "p0"), ("x", "p1"), ("p0", "p1")]), FitError, "one sign for each source"),
    ("odin", (), spec(bias=0.2), DescriptionError, "bias is 0.2"),
])  # fmt: skip
def test_what_cannot_fit_is_refused_before_training(name, overrides, network, error, words):
    with pytest.raises(error, match=words):
        neuro.place(network, chip_of(name, overrides))


def test_constants_are_those_the_chips_hold():
    network = spec(tau_mem_s=0.02, tau_syn_s=0.005, threshold=1.0)
    loihi = neuro.place(network, chip_of("loihi", ())).parameters["p0"]
    assert (loihi.leak * 4096, loihi.decay_syn[0] * 4096) == (3896, 3354)  # 4096 e^(−1/20), 4096 e^(−1/5), rounded
    assert loihi.unit == 2.0**-13 and loihi.theta / loihi.unit == 8192
    xylo = neuro.place(network, chip_of("xylo-audio2", ())).parameters["p0"]
    assert (xylo.leak, xylo.decay_syn[0], xylo.theta / xylo.unit) == (1 - 2**-4, 1 - 2**-2, 512)  # log2 20, log2 5
    odin = neuro.place(network, chip_of("odin", ())).parameters["p0"]
    assert (odin.theta * 32, odin.leak * 32, odin.v_reset) == (32, 1, 0)  # half of 32 (1 − e^(−1/20)), rounded


def test_thresholds_of_loihi_are_multiples_of_64():
    plan = neuro.place(spec(threshold=0.7), chip_of("loihi", ()))
    parameters = plan.parameters["p0"]
    assert parameters.theta / parameters.unit % 64 == 0
    assert parameters.theta == pytest.approx(0.7, rel=64 / 0.7 / 8192)


def test_an_input_of_odin_takes_the_row_of_no_neuron_in_use():
    plan = neuro.place(spec((200, 40), 16), chip_of("odin", ()))
    ids = {int(n) for places in plan.locations.values() for n in places[:, 2]}
    assert {r.tag for r in plan.inputs}.isdisjoint(ids)
    assert all(r.tag == plan.locations[r.source][r.index][2] for r in plan.routes)
