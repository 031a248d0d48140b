"""A small chip that uses every kind of value, as text on known lines."""

import pytest

from neuro.descriptor import load_chip
from neuro.errors import DescriptionError

CHIP = """\
name: small
title: A chip to test with
cores: {per_chip: 2, neurons: 8}
neuron:
  leak: exponential
  reset: to_value
  refractory: hold
  floor: -0.5
  adaptation: none
  distinct_per_core: {tau_mem: 2}
  latches: {tau_mem: SECOND}
types:
  - {name: plus, id: 0, sign: 1}
  - {name: minus, id: 1, sign: -1}
currents:
  - {name: fast, types: [plus, minus]}
weights:
  kind: counts
  slots: 4
  word_bits: 6
  bases:
    - {name: plus, bias: W_PLUS_N}
    - {name: minus, bias: W_MINUS_N}
  dac: N
  weight_unit_a: 1e-6
tags: {bits: 4, own_bits: 3, forbidden: [0], silent_sources: [[1, 7]]}
routes: {entries: 2, reserved: 1}
bias_dac: {N: table.csv, P: table.csv}
sources:
  cores: Somebody 2020, doi:10.1000/1
  neuron.floor: {assumption: it is so}
"""

TABLE = "coarse,fine,current_a\n0,1,1e-9\n0,2,2e-9\n1,1,1e-6\n"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "table.csv").write_text(TABLE)
    (tmp_path / "chip.yaml").write_text(CHIP)
    return tmp_path


@pytest.fixture
def chip_file(folder):
    """Write the small chip with texts replaced, and return its path."""

    def write(*replacements, added=""):
        text = CHIP
        for old, new in replacements:
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        (folder / "chip.yaml").write_text(text + added)
        return folder / "chip.yaml"

    return write


@pytest.fixture
def mistakes(folder):
    """Load a chip that cannot be loaded and return the lines of the message, `chip.yaml` without its folder."""

    def message(path, overrides=()):
        with pytest.raises(DescriptionError) as caught:
            load_chip(path, overrides)
        return str(caught.value).replace(f"{folder}/", "").split("\n")

    return message
