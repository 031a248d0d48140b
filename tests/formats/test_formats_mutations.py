"""Damaged vendor files: a reader gives tables, or one message that names the file; never a traceback, never a hang."""

import shutil
import time

import numpy as np
import pytest
from random_networks import chip_of, random_spec

import neuro
from neuro.errors import DescriptionError, FitError, NeuroError
from neuro.formats import c, netparser, odin, samna, tiles, xylo

PAIRS = [
    ("dynapse1", samna),
    ("dynapse1", netparser),
    ("dynapse2", samna),
    ("odin", odin),
    ("xylo-audio2", xylo),
    ("xylo-audio2", c),
    ("loihi", c),
    ("pcm-crossbar", tiles),
]
PIECES = (
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    '"',
    "-",
    "->",
    "U04",
    "C",
    "N",
    "0",
    "-1",
    "1e9",
    "1.5",
    "9" * 30,
    "null",
    "true",
)
EVERY = 40  # rows of the bias tables that are left out, so that reading is quick


def small_export(folder, name, module):
    """An export of a small network, on a chip with a short bias table."""
    chip = chip_of(name, ())
    if chip.circuits is not None:
        kept = {setting.code for setting in chip.circuits.biases}
        short = {
            kind: tuple(row for i, row in enumerate(table) if i % EVERY == 0 or row[:2] in kept)
            for kind, table in chip.bias_dac.model_dump().items()
        }
        chip = chip.model_copy(update={"bias_dac": type(chip.bias_dac).model_validate(short)})
    rng = np.random.default_rng(3)
    while True:
        try:
            tables = neuro.export(neuro.Network(neuro.place(random_spec(rng, chip), chip), seed=0))
            module.write(tables, folder)
            return
        except (FitError, DescriptionError):
            continue


def mutate(path, rng) -> str:
    """Damage one file in place: a byte, a piece of text, a line gone or twice, a number changed, or the end cut off."""
    data = path.read_bytes()
    at = int(rng.integers(len(data)))
    lines = data.split(b"\n")
    number = int(rng.integers(len(lines)))
    match int(rng.integers(7)):
        case 0:
            new = data[:at] + bytes([int(rng.integers(256))]) + data[at + 1 :]
        case 1:
            new = data[:at] + str(rng.choice(PIECES)).encode() + data[at:]
        case 2:
            new = b"\n".join(lines[:number] + lines[number + 1 :])
        case 3:
            new = b"\n".join([*lines[:number], lines[number], *lines[number:]])
        case 4:
            new = data[:at]
        case 5:
            new = data[:at] + data[at + int(rng.integers(1, 8)) :]
        case _:
            digits = [i for i, byte in enumerate(data) if 48 <= byte < 58] or range(len(data))
            k = digits[rng.integers(len(digits))]
            new = data[:k] + str(rng.integers(0, 300)).encode() + data[k + 1 :]
    path.write_bytes(new)
    return f"{path.name}: {new[max(0, at - 40) : at + 40]!r}"


def attempt(folder, original, module, seeds):
    ends = {"read": 0, "refused": 0}
    files = sorted(p.name for p in original.rglob("*") if p.is_file() and p.name != "load.py")
    own = [name for name in files if (original / name).is_file()]
    for seed in seeds:
        rng = np.random.default_rng([5, seed])
        shutil.copytree(original, folder)
        name = str(rng.choice(own)) if seed % 10 else "network/manifest.json"
        told, begun = mutate(folder / name, rng), time.monotonic()
        try:
            tables = module.read(folder)
            for finding in neuro.check(tables):
                assert str(finding)
            ends["read"] += 1
        except NeuroError as error:
            ends["refused"] += 1
            assert len(str(error)) < 2000, told
        assert time.monotonic() - begun < 20, told
        shutil.rmtree(folder)
    return ends


@pytest.mark.parametrize("name, module", PAIRS)
def test_a_mutated_file_is_read_or_refused(tmp_path, name, module):
    small_export(tmp_path / "original", name, module)
    ends = attempt(tmp_path / "mutated", tmp_path / "original", module, range(100))
    least = {c: 0, xylo: 1, tiles: 1}.get(module, 3)  # a header or a tile says everything twice
    assert ends["read"] >= least and ends["refused"] >= 20, ends


@pytest.mark.slow
@pytest.mark.parametrize("name, module", PAIRS)
def test_a_mutated_file_is_read_or_refused_many_times(tmp_path, name, module):
    small_export(tmp_path / "original", name, module)
    ends = attempt(tmp_path / "mutated", tmp_path / "original", module, range(1000, 5400))
    assert ends["read"] >= {c: 0, xylo: 30, tiles: 30}.get(module, 100) and ends["refused"] >= 1000, ends


@pytest.mark.parametrize("text, words", [
    ("U00-C00-N001->3-1-U00-C00-N300", "neuron is 300"),
    ("U05-C00-N001->3-1-U00-C00-N001", "pre chip is 5"),
    ("U00-C00-N001->3-0-U00-C00-N001", "words is 0"),
    ("U00-C00-N001->4-1-U00-C00-N001", "type is 4"),
    ("U00-C00-N001=>3-1-U00-C00-N001", "no line of this file"),
    ("U01-C00-N009->3-1-U00-C00-N001\nU01-C00-N009->3-2-U00-C00-N001", "already"),
])  # fmt: skip
def test_a_wrong_line_is_named(tmp_path, text, words):
    small_export(tmp_path / "a", "dynapse1", netparser)
    file = tmp_path / "a" / "network.txt"
    lines = file.read_text().count("\n")
    file.write_text(file.read_text() + text + "\n")
    with pytest.raises(NeuroError, match=words) as caught:
        netparser.read(tmp_path / "a")
    assert f"network.txt:{lines + 1 + text.count(chr(10))}:" in str(caught.value)


def test_the_other_order_of_a_connection_is_read(tmp_path):
    """A comment in netparser's code writes the arrow after the words; its parser takes numbers in order."""
    small_export(tmp_path / "a", "dynapse1", netparser)
    file, wanted = tmp_path / "a" / "network.txt", netparser.read(tmp_path / "a").frames["synapses"]
    lines = file.read_text().splitlines()
    turned = [line if line[:1] == "#" else line.replace("->", "-").replace("-U", "->U") for line in lines]
    file.write_text("\n".join(["# comment", "", *turned]))
    assert netparser.read(tmp_path / "a").frames["synapses"].equals(wanted)
