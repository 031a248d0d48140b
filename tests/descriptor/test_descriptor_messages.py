"""What a broken chip file is told: file and line, key, what stands there, what is allowed."""

import os
from itertools import pairwise

import pytest

from neuro.descriptor import load_chip
from neuro.errors import DescriptionError


def test_the_small_chip_loads(chip_file):
    chip = load_chip(chip_file())
    assert chip.bias_dac.N == ((0, 1, 1e-9), (0, 2, 2e-9), (1, 1, 1e-6))
    assert chip.weights.weight_unit_a == 1e-6
    assert chip.neuron.floor == -0.5


WHOLE = "a whole number from 1 to 2147483647"
NAME = "a name (letters, digits, _ and -; first a letter or _)"

ONE_MISTAKE = [
    ("slots: 4", "slots: 0", f"19: weights.slots: have 0, allowed: {WHOLE}, or null"),
    ("slots: 4", "slots: four", f"19: weights.slots: have four, allowed: {WHOLE}, or null"),
    ("slots: 4", "slots: '4'", f"19: weights.slots: have '4', allowed: {WHOLE}, or null"),
    ("slots: 4", "slots: 4.5", f"19: weights.slots: have 4.5, allowed: {WHOLE}, or null"),
    ("slots: 4", "slots: yes", f"19: weights.slots: have yes, allowed: {WHOLE}, or null"),
    ("slots: 4", "slots: 010", f"19: weights.slots: have 010, allowed: {WHOLE}, or null"),
    ("slots: 4", "slots: true", f"19: weights.slots: have true, allowed: {WHOLE}, or null"),
    ("slots: 4", "slots: [4]", f"19: weights.slots: have [4], allowed: {WHOLE}, or null"),
    ("slots: 4", "slots: {a: 4}", f"19: weights.slots: have a mapping with the keys a, allowed: {WHOLE}, or null"),
    ("slots: 4", "slots:", "19: weights.slots: is missing; kind counts needs the words per neuron"),
    (
        "leak: exponential",
        "leak: expo",
        "5: neuron.leak: have expo, allowed: exponential, linear, linear_to_zero, fraction or shift",
    ),
    ("floor: -0.5", "floor: 1e400", "8: neuron.floor: have 1e400, which is not finite, allowed: a number, or null"),
    ("floor: -0.5", "floor: .nan", "8: neuron.floor: have .nan, which is not finite, allowed: a number, or null"),
    ("floor: -0.5", "floor: -.inf", "8: neuron.floor: have -.inf, which is not finite, allowed: a number, or null"),
    ("id: 1, sign: -1", "id: 1, sign: true", "14: types.minus.sign: have true, allowed: -1 or 1"),
    ("id: 1, sign", "id: 0, sign", "12: types: the id 0 stands more than once"),
    (
        "  slots: 4",
        "  sltos: 4\n  slots: 4",
        "19: weights.sltos: unknown key, did you mean slots? allowed: kind, slots, word_bits, "
        "bases, levels, axon_types, weight_bits, sign, shifts, fan_out, fan_out_mean, base_max, dac, weight_unit_a",
    ),
    (
        "{tau_mem: 2}",
        "{tau_mem: 2, tau: 1}",
        "10: neuron.distinct_per_core.tau: unknown key, did you mean tau_syn? allowed: tau_mem, "
        "tau_syn, threshold, v_reset, refractory, adaptation, bias",
    ),
    (
        "  kind: counts\n",
        "",
        "17: weights.kind: is missing, needed: counts, masks, levels, crossbar, conductance or float",
    ),
    ("[plus, minus]", "[]", f"16: currents.fast.types: have [], allowed: a list of at least 1, each {NAME}"),
    ("[plus, minus]", "[plus, minsu]", "16: currents.fast.types: have minsu, allowed: plus, minus"),
    ("[plus, minus]", "[plus, 'a b']", f"16: currents.fast.types.1: have 'a b', allowed: {NAME}"),
    ("[[1, 7]]", "[[2, 7]]", "26: tags.silent_sources.0: have core 2, neuron 7, allowed: core 0 to 1, neuron 0 to 7"),
    ("[[1, 7]]", "[[1]]", "26: tags.silent_sources.0.1: is missing, needed: a whole number from 0 to 2147483647"),
    ("forbidden: [0]", "forbidden: [16]", "26: tags.forbidden.0: have 16, allowed: 0 to 15, the tags of 4 bits"),
    ("own_bits: 3", "own_bits: 2", "26: tags.own_bits: have 2, which name 4 neurons, but cores.neurons is 8"),
    ("reserved: 1", "reserved: 2", "27: routes.reserved: have 2, allowed: 0 to 1 of 2 entries"),
    (
        "{tau_mem: 2}",
        "{tau_mem: 3}",
        "11: neuron.latches.tau_mem: a latch picks one of two values, but neuron.distinct_per_core "
        "allows 3; allowed: 1 or 2",
    ),
    (
        "  weight_unit_a: 1e-6\n",
        "",
        "17: weights.weight_unit_a: is missing; dac needs the bias current of a base weight of 1",
    ),
    (
        "    - {name: minus, bias: W_MINUS_N}\n",
        "",
        "16: currents.fast.types: have minus, allowed: plus, the types that have a base weight",
    ),
    ("bias_dac: {N: table.csv, P: table.csv}\n", "", "1: bias_dac: is missing; weights.dac is N and needs its tables"),
    (
        "{assumption: it is so}",
        "5",
        "31: sources.neuron.floor: have 5, allowed: text, or a mapping with the keys assumption",
    ),
    ("{assumption: it is so}", "{assumption: 5}", "31: sources.neuron.floor.assumption: have 5, allowed: text"),
    ("name: small", 'name: "\\ud800"', f"1: name: have '\\ud800', which is no valid text, allowed: {NAME}"),
    (
        "name: small",
        "name: small\n  x: 1",
        "2:4: this key is indented further than the line above allows; line it up with the keys beside it",
    ),
    ("name: small", "name: very: small", "1:11: a ':' is not allowed here; put text that holds ': ' in quotes"),
    (
        "name: small",
        "name: small\n  and: very: small",
        "2:6: this key is indented further than the line above allows; line it up with the keys beside it",
    ),
    (
        "name: small",
        "name: small\n\tx: 1",
        "2:1: a tab cannot indent a line, or a character stands here that needs quotes",
    ),
    ("name: small", "name: small\nname: again", "2:1: the key name stands twice, first at chip.yaml:1"),
    ("name: small", "name: &a small", "1:7: anchors and aliases (& and *) are not allowed; write the value out"),
    ("name: small", "name: *a", "1:7: anchors and aliases (& and *) are not allowed; write the value out"),
    (
        "name: small",
        "name: !!str small",
        "1:7: tags such as tag:yaml.org,2002:str are not allowed; put text that starts with ! in quotes",
    ),
    ("name: small", "1: small", "1:1: the key 1 is no name; put it in quotes if it is"),
    ("name: small", "[a]: small", "1:1: a list or a mapping stands as a key, allowed: a name"),
    ("name: small", "name: " + "[" * 1000, "1:38: nested more than 32 deep"),
    ("name: small", "name: small\n---", "2:1: a second document starts here, allowed: one"),
    ("name: small", 'name: "\\UFFFFFFFF"', "1: is not YAML: an escape or a directive holds a number out of range"),
    ("name: small", "name: sm\x01ll", "1: holds the control character #x01"),
]


@pytest.mark.parametrize(("old", "new", "message"), ONE_MISTAKE, ids=[new.strip()[:30] for _, new, _ in ONE_MISTAKE])
def test_one_mistake(chip_file, mistakes, old, new, message):
    assert mistakes(chip_file((old, new))) == [f"chip.yaml:{message}"]


KINDS = [
    (
        "kind: counts",
        "kind: masks\n  base_max: 1e7",
        "19: weights.base_max: have 1e7, allowed: a number from 1e-06 to 1000000",
    ),
    ("kind: counts", "kind: levels", "17: weights.levels: is missing; kind levels needs the values a word can take"),
    (
        "kind: counts",
        "kind: levels\n  levels: [-1, 1]\n  sign: row",
        "19: weights.levels: have -1.0, allowed: > 0, as sign row gives the sign",
    ),
    (
        "kind: counts",
        "kind: levels\n  levels: [0, 1]",
        "19: weights.levels: hold 0, allowed: other numbers; leave it out, an empty slot weighs nothing",
    ),
    ("kind: counts", "kind: levels\n  levels: [1]", "22: weights.bases: have 2, allowed: at most 1 of kind levels"),
    ("{name: minus, bias: W_MINUS_N}", "{name: plus}", "21: weights.bases: the name plus stands more than once"),
    (
        "{name: minus, bias: W_MINUS_N}",
        "{name: minus}",
        "23: weights.bases.minus.bias: is missing; dac N needs the name of the parameter that sets the base weight",
    ),
    ("  dac: N\n", "", "17: weights.dac: is missing; weight_unit_a needs the table base weights are read from"),
    (
        "kind: counts",
        "kind: crossbar\n  weight_bits: 4",
        "17: weights.axon_types: is missing; kind crossbar needs the signed weights of a neuron",
    ),
    (
        "kind: counts",
        "kind: counts\n  axon_types: 4",
        "19: weights.axon_types: belongs to kind crossbar, but kind is counts; leave it out",
    ),
    (
        "kind: counts\n  slots: 4",
        "kind: crossbar\n  axon_types: 4\n  weight_bits: 9",
        "22: weights.bases: have 2, allowed: at most 0 of kind crossbar",
    ),
    ("bits: 4, own", "bits: 2, own", "26: tags.own_bits: have 3, allowed: 0 to bits = 2"),
]


@pytest.mark.parametrize(("old", "new", "message"), KINDS, ids=[new.strip()[:30] for _, new, _ in KINDS])
def test_parts_that_disagree(chip_file, mistakes, old, new, message):
    assert mistakes(chip_file((old, new))) == [f"chip.yaml:{message}"]


CROSSBARS = [
    ("routes.entries=2", "routes.entries: have 2, allowed on a crossbar: 1 row: a neuron has one destination"),
    ("routes.cores=4", "routes.cores: have 4, allowed on a crossbar: 1 core: a neuron has one destination"),
    ("inputs.events_per_step=3", "inputs.events_per_step: have 3, allowed on a crossbar: 1 event: an axon is active"),
    ("delays.lines=2", "delays.lines: have 2, allowed on a crossbar: 1 line: a crosspoint has no delay of its own"),
    ("neuron.constant_bits={tau_syn: 4}", "neuron.constant_bits.tau_syn: unknown key"),
    ("cores.axons=300", "cores.axons: have 300, allowed on a crossbar: 1 to 256, what tags.bits name"),
    ("cores.axons=null", "cores.axons: have None, allowed on a crossbar: 1 to 256, what tags.bits name"),
    ("slots=8", "weights.slots: have 8, allowed: none; a neuron may close its crosspoint with every axon of its core"),
]


def test_what_goes_with_a_crossbar_alone():
    with pytest.raises(DescriptionError, match="neuron.constant_bits: needs weights.axon_types"):
        load_chip("dynapse1", ["neuron.constant_bits={threshold: 8}"])
    with pytest.raises(DescriptionError, match="weights.weight_bits: goes with axon_types"):
        load_chip("truenorth", ["weights.kind=float", "weights.weight_bits=null"])


@pytest.mark.parametrize(("override", "message"), CROSSBARS, ids=[override for override, _ in CROSSBARS])
def test_a_crossbar_that_disagrees(override, message):
    with pytest.raises(DescriptionError) as caught:
        load_chip("truenorth", [override])
    assert message in str(caught.value)


ARRAYS = [
    ("devices.ratio=1.0", "devices.ratio: have 1.0, allowed: a number > 1"),
    ("devices.states=1", "devices.states: have 1, allowed: a whole number from 2 to 1024"),
    ("devices.g_max_us=-5.0", "devices.g_max_us: have -5.0"),
    ("devices=null", "devices: is missing; kind conductance needs it"),
    ("tiles=null", "tiles: is missing; kind conductance needs it"),
    ("tiles.input.bits=1", "tiles.input.bits: have 1, allowed: a whole number from 2 to 16"),
    ("cores.axons=null", "cores.axons: is missing; kind conductance needs the rows"),
    ("weights.slots=8", "weights.slots: have 8, allowed: none; an array has a pair at every crosspoint"),
    ("delays.lines=2", "delays.lines: have 2, allowed for conductances: 1 line"),
    ("devices.programming_us=[0.1, -1.0]", "devices.programming_us: give -"),
    ("currents=[{name: fast, types: [excitatory]}]", "lack a sign, allowed for conductances: a type of each sign"),
]


@pytest.mark.parametrize(("override", "message"), ARRAYS, ids=[override for override, _ in ARRAYS])
def test_an_array_that_disagrees(override, message):
    with pytest.raises(DescriptionError) as caught:
        load_chip("pcm-crossbar", [override])
    assert message in str(caught.value)


def test_pairs_that_cannot_make_both_signs():
    for gain in (0.5, 2.0, 3.0):
        with pytest.raises(DescriptionError, match="between 1 / ratio and ratio = 2, or one sign is missing"):
            load_chip("pcm-crossbar", ["devices.ratio=2.0", f"devices.gain={gain}"])
    two = "weights.bases=[{name: plus}, {name: minus}]"
    with pytest.raises(DescriptionError, match="two need devices that switch off"):
        load_chip("pcm-crossbar", [two, "devices.ratio=9.0"])
    with pytest.raises(DescriptionError, match="belongs to kind conductance, but kind is levels"):
        load_chip("pcm-crossbar", ["weights.kind=levels", "weights.levels=[1.0]"])
    assert load_chip("pcm-crossbar", ["weights.kind=float"]).devices is not None


def test_all_mistakes_at_once_in_the_order_of_the_file(chip_file, mistakes):
    path = chip_file(
        ("slots: 4", "slots: none"), ("bits: 4,", "bits: 1e400,"), ("leak: exponential", "leek: exponential")
    )
    assert mistakes(path) == [
        "4 mistakes in this chip:",
        "chip.yaml:4: neuron.leak: is missing, needed: exponential, linear, linear_to_zero, fraction or shift",
        "chip.yaml:5: neuron.leek: unknown key, did you mean leak? allowed: leak, reset, refractory, floor, "
        "adaptation, distinct_per_core, sets_per_core, constant_bits, constant_steps, decay_bits, latches",
        f"chip.yaml:19: weights.slots: have none, allowed: {WHOLE}, or null",
        "chip.yaml:26: tags.bits: have 1e400, which is not finite, allowed: a whole number from 1 to 32",
    ]


def test_no_more_than_twenty_mistakes_are_told(chip_file, mistakes):
    lines = mistakes(chip_file(added="notes: [" + ", ".join(["1"] * 100) + "]\n"))
    assert lines[0] == "100 mistakes in this chip:"
    assert len(lines) == 22
    assert lines[-1] == "... and 80 more"


def test_long_values_are_cut(chip_file, mistakes):
    (line,) = mistakes(chip_file(("slots: 4", f"slots: {'9' * 5000}")))
    assert f"have {'9' * 57}..., which is not finite" in line


def test_billion_laughs(folder, mistakes):
    names = "abcdefghi"
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]" for a, b in pairwise(names)]
    (folder / "chip.yaml").write_text("\n".join(lines))
    assert mistakes(folder / "chip.yaml") == [
        "chip.yaml:1:4: anchors and aliases (& and *) are not allowed; write the value out"
    ]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "chip.yaml:1: is empty, allowed: a mapping of keys to values"),
        (b"# nothing\n", "chip.yaml:1: is empty, allowed: a mapping of keys to values"),
        (b"- a\n", "chip.yaml:1: holds a list, allowed: a mapping of keys to values"),
        (b"5\n", "chip.yaml:1: holds only 5, allowed: a mapping of keys to values"),
        (b"a: 1\nb: \xff\n", "chip.yaml:2: is not UTF-8 text; save the file as UTF-8"),
        ("name: x".encode("utf-16"), "chip.yaml:1: is not UTF-8 text; save the file as UTF-8"),
        (b"\x7fELF\x02\x01\x01\x00", "chip.yaml:1: holds the control character #x7f"),
        (b" " * (2**20 + 1), "chip.yaml: is larger than 1048576 bytes, the most a description may have"),
    ],
)
def test_what_is_no_description(folder, mistakes, data, message):
    (folder / "chip.yaml").write_bytes(data)
    assert mistakes(folder / "chip.yaml") == [message]


def test_windows_files_are_read(folder):
    text = (folder / "chip.yaml").read_text()
    (folder / "chip.yaml").write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    assert load_chip(folder / "chip.yaml").name == "small"


def test_what_is_no_file(folder, mistakes):
    assert mistakes(folder / "none.yaml") == ["none.yaml: no such file"]
    (folder / "sub").mkdir()
    assert mistakes(f"{folder}/sub") == ["sub: is a folder, allowed: a file"]
    os.mkfifo(folder / "pipe.yaml")
    assert mistakes(folder / "pipe.yaml") == ["pipe.yaml: is not a regular file"]
    assert mistakes(folder / ("x" * 5000 + ".yaml"))[0].endswith("cannot be read: File name too long")
    assert mistakes(folder / "x\0.yaml")[0].endswith((": no such file", ": cannot be read: embedded null byte"))
