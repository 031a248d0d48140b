"""Overrides: what they change, how the chip is marked, and messages that name the override."""

import pytest

from neuro.descriptor import load_chip

CHANGES = [
    ("slots=16", lambda c: c.weights.slots, 16, "weights.slots=16"),
    (" weights.slots = 16 ", lambda c: c.weights.slots, 16, "weights.slots=16"),
    ("weights.kind=float", lambda c: c.weights.kind, "float", "weights.kind=float"),
    ("neuron.floor=null", lambda c: c.neuron.floor, None, "neuron.floor=null"),
    ("neuron.floor=1e-3", lambda c: c.neuron.floor, 1e-3, "neuron.floor=1e-3"),
    ("tags.forbidden=[0, 1]", lambda c: c.tags.forbidden, (0, 1), "tags.forbidden=[0, 1]"),
    ("types.minus.id=9", lambda c: c.types[1].id, 9, "types.minus.id=9"),
    ("types.1.id=9", lambda c: c.types[1].id, 9, "types.minus.id=9"),
    ("tags.silent_sources.0.1=6", lambda c: c.tags.silent_sources, ((1, 6),), "tags.silent_sources.0.1=6"),
    ("delays.lines=3", lambda c: c.delays.lines, 3, "delays.lines=3"),
    (
        "neuron.distinct_per_core.tau_syn=1",
        lambda c: c.neuron.distinct_per_core["tau_syn"],
        1,
        "neuron.distinct_per_core.tau_syn=1",
    ),
    ("delays={lines: 2, line_max: 5}", lambda c: c.delays.line_max, 5, "delays={lines: 2, line_max: 5}"),
    ("bias_dac.N=[[3, 4, 1e-9]]", lambda c: c.bias_dac.N, ((3, 4, 1e-9),), "bias_dac.N=[[3, 4, 1e-9]]"),
]


@pytest.mark.parametrize(("text", "value", "expected", "changed"), CHANGES, ids=[c[0] for c in CHANGES])
def test_changes(chip_file, text, value, expected, changed):
    chip = load_chip(chip_file(), [text])
    assert value(chip) == expected
    assert chip.changed == (changed,)
    assert chip.label == f"small (not the real chip: {changed})"


def test_what_changes_nothing_is_no_change(chip_file):
    chip = load_chip(chip_file(), ["slots=4", "delays.lines=1", "bias_dac.N=table.csv"])
    assert chip == load_chip(chip_file())
    assert chip.label == "small"


def test_the_last_one_wins(chip_file):
    chip = load_chip(chip_file(), ["slots=8", "delays.lines=2", "slots=16"])
    assert chip.weights.slots == 16
    assert chip.changed == ("delays.lines=2", "weights.slots=16")


def test_two_that_only_fit_together(chip_file):
    chip = load_chip(
        chip_file(), ["weights.kind=levels", "weights.bases=[{name: scale, bias: W}]", "weights.levels=[1, 2]"]
    )
    assert chip.weights.levels == (1.0, 2.0)


WHOLE = "a whole number from 1 to 2147483647, or null"
REFUSED = [
    ("slots=0", f"--set slots=0: weights.slots: have 0, allowed: {WHOLE}"),
    ("slots=[1, 2]", f"--set slots=[1, 2]: weights.slots: have [1, 2], allowed: {WHOLE}"),
    (
        "slots=1e400",
        f"--set slots=1e400: weights.slots: have 1e400, which is not finite, allowed: {WHOLE}",
    ),
    ("slots=null", "--set slots=null: weights.slots: is missing; kind counts needs the words per neuron"),
    ("slots", "--set slots: allowed: key=value, such as slots=16"),
    ("weights", "--set chip.weights: allowed: key=value, such as chip.weights.slots=16"),
    ("=4", "--set chip.=4: allowed: key=value, such as chip.weights.slots=16"),
    ("slots=", "--set slots=: the value is empty; write null to leave weights.slots out"),
    ("slots=[1", "--set slots=[1: expected ',' or ']', but got '<stream end>'"),
    ("slots=&a 1", "--set slots=&a 1: anchors and aliases (& and *) are not allowed; write the value out"),
    (
        "weight.slots=4",
        "--set chip.weight.slots=4: weight: unknown key, did you mean weights? allowed: name, "
        "title, real, board, cores, neuron, types, currents, weights, tags, routes, inputs, "
        "delays, bias_dac, circuits, mismatch, energy, devices, tiles, defects, formats, notes, changed, sources",
    ),
    (
        "types.plas.id=4",
        "--set chip.types.plas.id=4: types.plas: unknown key, did you mean plus? allowed: plus, minus, 0, 1",
    ),
    ("types.2.id=4", "--set chip.types.2.id=4: types.2: unknown key, allowed: plus, minus, 0, 1"),
    (
        "weights.slots.x=4",
        "--set chip.weights.slots.x=4: weights.slots.x: unknown key; a single value stands here, it has no keys",
    ),
    (
        "neuron.distinct_per_core.tau=4",
        "--set chip.neuron.distinct_per_core.tau=4: neuron.distinct_per_core.tau: unknown key, "
        "did you mean tau_syn? allowed: tau_mem, tau_syn, threshold, v_reset, refractory, "
        "adaptation, bias",
    ),
    ("types.minus.id=0", "--set chip.types.minus.id=0: types: the id 0 stands more than once"),
    (
        "bias_dac.N=../x.csv",
        "--set chip.bias_dac.N=../x.csv: bias_dac.N: have '../x.csv', allowed: a file in the folder of the chip file",
    ),
]


@pytest.mark.parametrize(("text", "message"), REFUSED, ids=[text for text, _ in REFUSED])
def test_refused(chip_file, mistakes, text, message):
    assert mistakes(chip_file(), [text]) == [message]


def test_every_override_at_fault_is_named(chip_file, mistakes):
    lines = mistakes(chip_file(), ["slots=0", "tags.bits=x", "delays.lines=2"])
    assert lines[0] == "2 mistakes in this chip:"
    assert [line.split(": ")[0] for line in lines[1:]] == ["--set slots=0", "--set chip.tags.bits=x"]


def test_a_mistake_of_the_file_is_not_laid_on_an_override(chip_file, mistakes):
    lines = mistakes(chip_file(("word_bits: 6", "word_bits: 0")), ["slots=8"])
    assert lines == ["chip.yaml:20: weights.word_bits: have 0, allowed: a whole number from 1 to 64"]


def test_an_override_that_disagrees_with_the_file(chip_file, mistakes):
    assert mistakes(chip_file(), ["cores.neurons=9"]) == [
        "chip.yaml:26 with --set chip.cores.neurons=9: tags.own_bits: "
        "have 3, which name 8 neurons, but cores.neurons is 9"
    ]
