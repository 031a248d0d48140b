"""The chips that come with the package: complete, sourced, and what the literature says they are."""

import csv
import os
from itertools import pairwise

import pytest
import yaml

from neuro.descriptor import chip_names, describe, find_shipped, load_chip, number_paths, orphans, schema, unsourced
from neuro.descriptor.document import read_document
from neuro.descriptor.shipped import shipped
from neuro.errors import DescriptionError

NAMES = [
    "binary-core",
    "brainscales2",
    "dynapse1",
    "dynapse2",
    "generic",
    "loihi",
    "nvm-mac",
    "odin",
    "pcm-crossbar",
    "rram-crossbar",
    "truenorth",
    "xylo-audio2",
]
REAL = {"brainscales2", "dynapse1", "dynapse2", "loihi", "odin", "truenorth", "xylo-audio2"}


def test_names():
    assert chip_names() == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_loads_and_bears_its_name(name):
    chip = load_chip(name)
    assert chip.name == name
    assert chip.changed == ()
    assert chip.label == (name if chip.real else f"{name} (no chip)")


@pytest.mark.parametrize("name", NAMES)
def test_every_number_has_a_source_and_every_source_a_number(name):
    chip = load_chip(name)
    assert len(number_paths(chip)) > 15
    assert unsourced(chip) == []
    assert orphans(chip) == []


@pytest.mark.parametrize("name", NAMES)
def test_reader_agrees_with_yaml(name):
    path = shipped("chips") / f"{name}.yaml"
    assert read_document(path).tree == yaml.safe_load(path.read_text())


def test_real_and_not():
    assert {name for name in NAMES if load_chip(name).real} == REAL


def test_dynapse1_limits():
    chip = load_chip("dynapse1")
    assert (chip.chips, chip.cores.per_chip, chip.cores.neurons, chip.weights.slots) == (4, 4, 256, 64)
    assert chip.weights.word_bits == chip.tags.bits + 2
    assert chip.routes.entries - chip.routes.reserved == 3
    assert {t.name: (t.id, t.sign) for t in chip.types} == {
        "GABA_B": (0, -1),
        "GABA_A": (1, -1),
        "NMDA": (2, 1),
        "AMPA": (3, 1),
    }
    assert chip.neuron.distinct_per_core["tau_mem"] == 2
    assert chip.neuron.latches == {"tau_mem": "TAU2_SET"}


def test_dynapse1_dac_is_linear_in_the_fine_code():
    largest = [15e-12, 105e-12, 820e-12, 6.5e-9, 50e-9, 0.4e-6, 3.2e-6, 24e-6]
    dac = load_chip("dynapse1").bias_dac
    assert dac.N == dac.P
    for coarse, fine, current in dac.N:
        assert current == pytest.approx(fine / 255 * largest[coarse], rel=1e-5, abs=0.05e-12)
    assert max(current for *_, current in dac.N) == 24e-6
    assert list(dac.N) == sorted(dac.N, key=lambda row: row[2]), "the coarse ranges follow each other"


def test_dynapse2_limits():
    chip = load_chip("dynapse2")
    assert (chip.chips, chip.cores.per_chip, chip.cores.neurons, chip.weights.slots) == (1, 4, 256, 64)
    assert [base.bias for base in chip.weights.bases] == ["SYAM_W0_P", "SYAM_W1_P", "SYAM_W2_P", "SYAM_W3_P"]
    assert {t.name: t.id for t in chip.types} == {"AMPA": 1024, "GABA_B": 512, "NMDA": 256, "SHUNT": 128}
    lowest_dendrite_bit = min(t.id for t in chip.types).bit_length() - 1
    assert chip.weights.word_bits == chip.tags.bits + len(chip.types) + lowest_dendrite_bit


def test_dynapse2_dac_full_scale():
    dac = load_chip("dynapse2").bias_dac
    full = {"N": [71.8e-12, 573e-12, 4.57e-9, 36.4e-9, 290e-9, 2.28e-6]}
    full["P"] = [66.9e-12, 536e-12, 4.30e-9, 34.4e-9, 277e-9, 2.24e-6]
    for table in ("N", "P"):
        rows = {(coarse, fine): current for coarse, fine, current in getattr(dac, table)}
        assert len(rows) == 6 * 256
        for coarse, current in enumerate(full[table]):
            assert rows[coarse, 255] == pytest.approx(current, rel=5e-3)


def test_truenorth_limits():
    chip = load_chip("truenorth")
    assert (chip.cores.per_chip, chip.cores.columns, chip.cores.neurons, chip.cores.axons) == (4096, 64, 256, 256)
    assert (chip.weights.axon_types, chip.weights.weight_bits, chip.delays.route_max) == (4, 9, 15)
    assert (chip.routes.entries, chip.routes.cores) == (1, 1)


def test_loihi_limits():
    chip = load_chip("loihi")
    assert (chip.cores.per_chip, chip.cores.neurons, chip.cores.axons, chip.routes.per_core) == (128, 1024, 4096, 4096)
    assert chip.cores.memory.bits == 16384 * 64
    assert chip.weights.word_bits == 8 + (chip.cores.neurons - 1).bit_length()
    assert (max(chip.weights.levels), min(chip.weights.levels), len(chip.weights.levels)) == (127, -127, 254)
    largest = max(chip.weights.shifts)
    assert largest == 1 + 6 + 7  # sign mode mixed, real exponent 6 + 7
    assert (chip.neuron.sets_per_core, chip.neuron.decay_bits, chip.neuron.constant_steps) == (
        32,
        12,
        {"threshold": 64},
    )


def test_xylo_limits():
    chip = load_chip("xylo-audio2")
    assert (chip.cores.neurons - chip.cores.outputs, chip.cores.outputs, chip.inputs.channels) == (1000, 8, 16)
    assert (chip.inputs.events_per_step, chip.weights.fan_out, chip.weights.fan_out_mean) == (15, 64, 32)
    assert set(chip.weights.levels) == set(range(-128, 128)) - {0}
    assert [current.outputs for current in chip.currents] == [True, False] and not chip.inputs.to_outputs


def test_brainscales2_limits():
    chip = load_chip("brainscales2")
    assert (chip.cores.per_chip, chip.cores.neurons, chip.cores.axons, chip.weights.sign) == (2, 256, 256, "source")
    assert chip.weights.levels == tuple(range(1, 64))


def test_odin_limits():
    chip = load_chip("odin")
    assert (chip.cores.per_chip, chip.cores.neurons, chip.cores.axons, chip.weights.sign) == (1, 256, 256, "source")
    assert (chip.weights.levels, chip.weights.word_bits, chip.tags.echo) == (tuple(range(1, 8)), 4, True)
    assert chip.cores.neurons * 256 * chip.weights.word_bits == 8192 * 32


@pytest.mark.parametrize("name", ["dynapse1", "dynapse2"])
def test_dac_has_fine_steps_where_weights_live(name):
    chip = load_chip(name)
    table = getattr(chip.bias_dac, chip.weights.dac)
    weights = sorted(current / chip.weights.weight_unit_a for *_, current in table)
    assert 2 < weights[-1] < chip.weights.base_max
    used = [w for w in weights if w >= 0.01]
    assert max(b / a for a, b in pairwise(used)) < 1.04


@pytest.mark.parametrize("file", ["dynapse1-bias", "dynapse2-bias-n", "dynapse2-bias-p"])
def test_tables_are_written_so_that_they_read_back(file):
    with (shipped("chips") / f"{file}.csv").open() as lines:
        for row in csv.DictReader(lines):
            assert repr(float(row["current_a"])) == row["current_a"]


def test_a_path_wins_over_a_name(folder, monkeypatch):
    monkeypatch.chdir(folder)
    os.rename("chip.yaml", "dynapse1")
    assert load_chip("dynapse1").name == "small"


def test_a_folder_does_not_hide_a_name(folder, monkeypatch):
    monkeypatch.chdir(folder)
    (folder / "dynapse1").mkdir()
    assert load_chip("dynapse1").name == "dynapse1"


def test_unknown_name_lists_the_names_and_the_nearest():
    with pytest.raises(DescriptionError) as caught:
        find_shipped("dynaps1", "chips")
    assert str(caught.value) == (
        f"no chip is named 'dynaps1', did you mean dynapse1? allowed: {', '.join(NAMES)}, or a path to a .yaml file"
    )


def test_page_tells_assumptions_and_changes():
    page = dict(describe(load_chip("dynapse2", ["slots=16"])))
    weights = {key: (value, source) for key, value, source in page["weights"]}
    assert weights["weights.slots"] == ("16", "changed: weights.slots=16")
    assert weights["weights.word_bits"][1].startswith("assumption: tag 11 + dendrite 4")
    assert weights["weights.bases.W0"][0] == "bias SYAM_W0_P"
    assert page["chip"][0] == ("name", "dynapse2 (not the real chip: weights.slots=16)", "")
    assert ("cores.axons", "as many as tags") in [row[:2] for row in page["cores"]]
    assert page["bias_dac"][1][1] == "1536 currents, 3.728e-13 to 2.245e-06 A"


@pytest.mark.parametrize("name", NAMES)
def test_page_is_plain_text_and_complete(name):
    rows = [row for _, rows in describe(load_chip(name)) for row in rows]
    assert all(isinstance(text, str) for row in rows for text in row)
    keys = [key for key, _, _ in rows]
    for path in number_paths(load_chip(name)):
        assert any(f"{path}.".startswith(f"{key}.") for key in keys), path


def test_schema_has_the_form_of_the_file():
    form = schema()
    assert [choice["type"] for choice in form["$defs"]["BiasDac"]["properties"]["N"]["anyOf"]] == ["string", "array"]
    assert set(form["required"]) == {"name", "title", "cores", "neuron", "types", "currents", "weights", "tags"}
