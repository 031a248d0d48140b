"""Every limit of the digital chips, broken by hand in sound tables, is found; sound tables have no findings."""

import pytest
from handmade_tables import CHIP, make_chip, tables_of

from neuro.tables import check

UNIT = 2.0**-6
LEVELS = [-3.0, -1.0, 1.0, 2.0]
BASE = CHIP | {
    "board": {"columns": 1, "rows": 1},
    "cores": {"per_chip": 2, "neurons": 6},
    "neuron": {
        "leak": "fraction",
        "reset": "to_value",
        "refractory": "hold",
        "floor": None,
        "adaptation": "none",
        "sets_per_core": 2,
        "constant_bits": {"threshold": 9, "v_reset": 1, "bias": 4},
        "constant_steps": {"threshold": 4},
        "decay_bits": 4,
    },
    "types": [{"name": "exc", "id": 0, "sign": 1}, {"name": "inh", "id": 1, "sign": -1}],
    "currents": [{"name": "fast", "types": ["exc", "inh"]}],
    "weights": {
        "kind": "levels", "word_bits": 5, "bases": [{"name": "scale"}], "levels": LEVELS, "sign": "free",
        "shifts": [0, 1, 3],
    },
    "tags": {"bits": 4},
    "routes": {},
    "inputs": {"events_per_step": 1},
    "delays": {"route_max": 1, "lines": 2, "line_max": 3},
    "bias_dac": None,
}  # fmt: skip


def sound(chip=None, **changes):
    """Two channels and p of three neurons in core 0; q of two in core 1 hears p; the scale of both cores is 2."""
    chip = chip or make_chip(BASE, **changes)
    constants = {
        "leak": (14 / 16).hex(),
        "decay_syn": [(0.5).hex()],
        "theta": (64 * UNIT).hex(),
        "floor": float("-inf").hex(),
        "bias": (3 * UNIT).hex(),
    }
    manifest = {
        "chip": chip,
        "dt_s": 1e-3,
        "chips": [{"chip": 0, "x": 0, "y": 0}],
        "inputs": [{"name": "x", "channels": 2}],
        "populations": [{"name": "p", "size": 3}, {"name": "q", "size": 2}],
        "outputs": [{"name": "y", "population": "q", "kind": "spikes", "classes": None, "decay": None}],
        "currents": ["fast"],
        "delay_lines": [0],
        "grid_exponents": [{"chip": 0, "core": k, "exponent": -6} for k in range(2)],
        "parameter_sets": [{"id": 0, **constants}, {"id": 1, **constants, "bias": (0.0).hex()}],
    }
    levels = enumerate(LEVELS)
    rows = {
        "neurons": [(0, 0, i, 0, i, 0) for i in range(3)] + [(0, 1, 4 + i, 1, i, i) for i in range(2)],
        "weights": [(0, k, -1, int(v < 0), i, int(2 * v)) for i, v in levels for k in range(2)],
        "synapses": [
            (0, 0, 0, 0, 8, 0, -1, 2, 0),
            (0, 0, 0, 1, 9, 1, -1, 1, 0),
            (0, 0, 1, 0, 8, 0, -1, 3, 0),
            (0, 0, 2, 0, 9, 1, -1, 0, 0),
            *((0, 1, 4 + n, tag, tag, int(n == 1), -1, 2 - n, 0) for n in range(2) for tag in range(3)),
        ],
        "routes": [(0, 0, i, 0, i, 0, 0b10, 1) for i in range(3)],
        "inputs": [(0, i, 8 + i, 0, 0b01, 0) for i in range(2)],
    }
    return manifest, rows


def findings(manifest, rows):
    return [str(f) for f in check(tables_of(manifest, rows))]


def test_sound_tables_have_no_findings():
    assert findings(*sound()) == []


@pytest.mark.parametrize("changes, expected", [
    ({"weights__fan_out": 2}, {}),
    ({"weights__fan_out": 1}, {f"fan-out: chip 0 core 0 neuron {n}: have 2, allowed 1" for n in range(3)}),
    ({"weights__fan_out_mean": 1}, {}),
    ({"weights__fan_out_mean": 1, "cores__outputs": 2}, {"fan-out of a core: chip 0 core 0: have 6, allowed 4"}),
    ({"routes__per_core": 3}, {}),
    ({"routes__per_core": 2}, {"routes of a core: chip 0 core 0: have 3, allowed 2"}),
    ({"neuron__sets_per_core": 1}, {"sets of constants: chip 0 core 1: have 2, allowed 1"}),
    ({"neuron__decay_bits": 2}, {"leak: manifest parameter set 0: have 0.875, allowed 1 to 4, over 4"}),
    ({"neuron__constant_steps": {"threshold": 24}},
     {"threshold in weight units: manifest parameter set 0 on chip 0 core 0: have 64.0, allowed a multiple of 24"}),
    ({"neuron__constant_bits": {"threshold": 7, "v_reset": 1, "bias": 4}},
     {"threshold in weight units: manifest parameter set 0 on chip 0 core 0: have 64, allowed 63"}),
    ({"neuron__constant_bits": {"threshold": 9, "v_reset": 1, "bias": 2}},
     {"bias in weight units: manifest parameter set 0 on chip 0 core 0: have 3, allowed 1"}),
    ({"weights__shifts": [0, 3]}, {"scale of levels: chip 0 core 0: have 2, allowed 2^n, n one of 0, 3"}),
    ({"cores__outputs": 2}, {}),
    ({"cores__outputs": 1}, {"output neuron: chip 0 core 1 neuron 4: have read out, allowed neurons 5 to 5"}),
    ({"cores__outputs": 4},
     {"output neuron: chip 0 core 0 neuron 2: have not read out, allowed neurons 0 to 1",
      "route of an output: chip 0 core 0 neuron 2 route 0: have a route, allowed none: it is only read out"}),
    ({"cores__outputs": 2, "currents": [{"name": "fast", "types": ["exc", "inh"], "outputs": False}]},
     {"current of an output: chip 0 core 1 neuron 4 slot 0: have type 0, allowed of a current they have"}),
    ({"tags__own_bits": 3, "tags__echo": True}, {}),
])  # fmt: skip
def test_a_limit_of_the_chip_is_counted(changes, expected):
    found = findings(*sound(make_chip(BASE, **changes)))
    assert bool(found) == bool(expected), found
    for line in expected:
        assert any(f.startswith(line) for f in found), (line, found)


def memory(bits, **more):
    return {"bits": bits, "delay_bits": 3, "block_words": 2, "header_bits": 3, "align_bits": 8} | more


@pytest.mark.parametrize("core, lines, bits", [
    (0, [0], 16 + 16),  # each channel has two words in core 0: one block of 13 bits, 16
    (1, [0], 3 * 16),  # each neuron of p has two words in core 1
    (1, [0, 2], 3 * 24),  # words of 8 bits: 19 bits, 24
])  # fmt: skip
def test_memory_is_counted_block_by_block(core, lines, bits):
    for have, fits in ((bits, True), (bits - 1, False)):
        manifest, rows = sound(make_chip(BASE, cores__memory=memory(have)))
        manifest["delay_lines"] = lines
        found = [f for f in findings(manifest, rows) if f"core {core}:" in f]
        assert found == ([] if fits else [f"bits of synapse memory: chip 0 core {core}: have {bits}, allowed {have}"])


def test_a_third_word_begins_another_block():
    manifest, rows = sound(make_chip(BASE, cores__memory=memory(40 - 1)))
    rows["synapses"].append((0, 0, 2, 1, 8, 0, -1, 2, 0))  # channel 0: two blocks, 16 + 8; channel 1: 16
    assert "bits of synapse memory: chip 0 core 0: have 40, allowed 39" in findings(manifest, rows)


def test_an_input_under_the_id_of_a_neuron_that_echoes():
    manifest, rows = sound(make_chip(BASE, tags__own_bits=3, tags__echo=True))
    rows["inputs"][0] = (0, 0, 2, 0, 0b01, 0)
    rows["synapses"] = [(*w[:4], 2 if w[4] == 8 else w[4], *w[5:]) for w in rows["synapses"]]
    wanted = "tag of a neuron: chip 0 core 0 tag 2: have input x channel 0, beside the neuron of that id"
    assert any(f.startswith(wanted) for f in findings(manifest, rows))


def test_an_input_that_outputs_hear():
    manifest, rows = sound(make_chip(BASE, cores__outputs=2, inputs__to_outputs=False))
    assert findings(manifest, rows) == []
    rows["inputs"].append((0, 0, 8, 0, 0b10, 0))
    rows["synapses"].append((0, 1, 4, 3, 8, 0, -1, 2, 0))
    wanted = (
        "input of an output: chip 0 core 1 neuron 4 slot 3: have a word of an input, allowed words of other neurons"
    )
    assert wanted in findings(manifest, rows)


def test_decays_and_scales_between_those_of_the_chip():
    manifest, rows = sound()
    manifest["parameter_sets"][1]["decay_syn"] = [(1 / 32).hex()]
    assert any(f.startswith("decay_syn of fast: manifest parameter set 1") for f in findings(manifest, rows))
    manifest, rows = sound(make_chip(BASE, neuron__leak="shift"))
    found = findings(manifest, rows)
    assert found == []  # 14/16 = 1 − 2^−3 and 1/2 are decays of a shift too
    manifest["parameter_sets"][0]["leak"] = (0.9).hex()
    assert any("leak" in f for f in findings(manifest, rows))
    manifest, rows = sound()
    rows["weights"] = [(*w[:5], w[5] * 2 if w[1] else w[5]) for w in rows["weights"]]
    assert findings(manifest, rows) == ["scale of levels: chip 0 core 1: have 4, allowed 2^n, n one of 0, 1, 3"]


def test_a_reset_that_the_chip_has_not():
    manifest, rows = sound()
    manifest["parameter_sets"][0]["v_reset"] = UNIT.hex()
    assert any(f.startswith("v_reset in weight units") for f in findings(manifest, rows))


def test_the_exponent_of_a_core_is_the_unit_of_its_constants():
    manifest, rows = sound()
    manifest["grid_exponents"][0]["exponent"] = 0
    assert any("in weight units" in f for f in findings(manifest, rows))
