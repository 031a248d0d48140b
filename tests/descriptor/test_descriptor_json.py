"""Chips as JSON, and the sources of their numbers."""

import json
import math

import pytest

from neuro.descriptor import (
    Assumption,
    chip_from_json,
    chip_names,
    chip_to_json,
    load_chip,
    number_paths,
    orphans,
    source_of,
    unsourced,
)
from neuro.errors import DescriptionError


@pytest.mark.parametrize("name", chip_names())
@pytest.mark.parametrize("overrides", [[], ["slots=7", "weights.kind=float"]])
def test_round_trip(name, overrides):
    chip = load_chip(name, overrides)
    again = chip_from_json(chip_to_json(chip), "manifest.json")
    assert again == chip
    assert again.label == chip.label
    assert chip_to_json(again) == chip_to_json(chip)


def bad(text):
    with pytest.raises(DescriptionError) as caught:
        chip_from_json(text, "manifest.json")
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "manifest.json: the chip is not JSON"),
        ("{", "manifest.json: the chip is not JSON"),
        ("[]", "manifest.json: the chip is not a JSON object"),
        ("[" * 100_000, "manifest.json: the chip is not JSON"),
        ('{"a":' * 40 + "1" + "}" * 40, "manifest.json: the chip is nested more than 32 deep"),
        ('{"name": ' + "1" * 10_000 + "}", "manifest.json: the chip is not JSON"),
        ("{}", "8 mistakes in this chip:\nmanifest.json: name: is missing, needed: a name"),
    ],
)
def test_bad_json(text, message):
    assert bad(text).startswith(message)


@pytest.mark.parametrize(
    "value", [math.inf, math.nan, 10**400, 10**4000, 2**31, -1, True, "4", "\ud800", [4], {"4": 4}]
)
def test_bad_values(value):
    tree = json.loads(chip_to_json(load_chip("generic")))
    tree["weights"]["slots"] = value
    assert bad(json.dumps(tree)).startswith("manifest.json: weights.slots: have ")


def test_a_manifest_names_no_files(folder):
    tree = json.loads(chip_to_json(load_chip("generic")))
    tree["bias_dac"] = {"N": "dynapse1-bias.csv", "P": [[0, 0, 0.0]]}
    assert bad(json.dumps(tree)).startswith('manifest.json: bias_dac.N: have "dynapse1-bias.csv", allowed: a list')


def test_paths_of_numbers(chip_file):
    paths = number_paths(load_chip(chip_file()))
    assert paths[:6] == [
        "board.columns",
        "board.rows",
        "cores.per_chip",
        "cores.neurons",
        "neuron.floor",
        "neuron.distinct_per_core.tau_mem",
    ]
    assert {"types.plus.id", "types.minus.sign", "tags.forbidden.0", "tags.silent_sources.0.1", "bias_dac.N"} < set(
        paths
    )
    assert not any("name" in path or "real" in path for path in paths)


def test_the_longest_key_wins(chip_file):
    chip = load_chip(
        chip_file(added="  neuron: the neuron\n  types.1.id: the second\n  types: all types\n  bias_dac: table\n")
    )
    assert source_of(chip, "neuron.floor") == Assumption(assumption="it is so")
    assert source_of(chip, "neuron.distinct_per_core.tau_mem") == "the neuron"
    assert source_of(chip, "types.minus.id") == source_of(chip, "types.1.id") == "the second"
    assert source_of(chip, "types.plus.id") == "all types"
    assert source_of(chip, "bias_dac.N.5.2") == "table"
    assert source_of(chip, "weights.slots") is None
    assert source_of(chip, "nonsense") is None


def test_missing_and_idle_sources(chip_file):
    chip = load_chip(chip_file(added="  weights.sltos: a slip\n  core: a slip\n  types.7: a slip\n  bias_dac: table\n"))
    assert orphans(chip) == ["weights.sltos", "core", "types.7"]
    lacking = unsourced(chip)
    assert "weights.slots" in lacking
    assert not {"cores.neurons", "neuron.floor", "bias_dac.N"} & set(lacking)
