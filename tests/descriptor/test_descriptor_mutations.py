"""Shipped files, damaged at random: they load or are refused with a message, and nothing else ever happens."""

import random
import shutil

import pytest

from neuro.descriptor import chip_from_json, chip_names, chip_to_json, describe, load_chip, orphans, unsourced
from neuro.descriptor.shipped import shipped
from neuro.errors import NeuroError

PIECES = ["null", "true", "-1", "0", "1e400", ".nan", "1e-3", "9" * 30, "[]", "{}", "[[0, 0]]", "''", "x", "é", "&a"]
PIECES += ["*a", "!!int", "<<", "\t", ": ", "- ", "#", "\x00", "\n", "---\n", '"', "%", "../x.csv", "dynapse1-bias.csv"]
KEYS = ["weights", "slots", "types", "AMPA", "0", "id", "neuron", "floor", "distinct_per_core", "tau_mem", "bias_dac"]
KEYS += ["N", "sources", "board", "tags", "silent_sources", "changed", "notes", "real", ""]


def damage(text, rng):
    for _ in range(rng.randint(1, 3)):
        lines = text.splitlines(keepends=True) or [""]
        i, j = rng.randrange(len(lines)), rng.randrange(len(lines))
        match rng.randrange(6):
            case 0:
                del lines[i]
            case 1:
                lines[i], lines[j] = lines[j], lines[i]
            case 2:
                lines.insert(i, lines[j])
            case 3:
                key, colon, _ = lines[i].partition(": ")
                lines[i] = f"{key}{colon}{rng.choice(PIECES)}\n"
            case 4:
                k = rng.randrange(len(lines[i]) + 1)
                lines[i] = lines[i][:k] + rng.choice(PIECES) + lines[i][k + rng.randrange(3) :]
            case 5:
                lines[i] = " " * rng.randrange(4) + lines[i]
        text = "".join(lines)
    return text


@pytest.mark.parametrize("name", chip_names())
def test_damaged_files(name, tmp_path):
    rng = random.Random(name)
    text = (shipped("chips") / f"{name}.yaml").read_text()
    for table in shipped("chips").glob("*.csv"):
        shutil.copy(table, tmp_path)
    loaded = 0
    for _ in range(100):
        (tmp_path / "chip.yaml").write_text(damage(text, rng))
        try:
            chip = load_chip(tmp_path / "chip.yaml")
        except NeuroError as error:
            assert str(error)
            continue
        loaded += 1
        describe(chip), unsourced(chip), orphans(chip)
        assert chip_from_json(chip_to_json(chip), "json") == chip
    assert 0 < loaded < 100


def test_damaged_tables(tmp_path):
    rng = random.Random(5)
    for file in ("dynapse1.yaml", "dynapse1-bias.csv"):
        shutil.copy(shipped("chips") / file, tmp_path)
    text = "".join((tmp_path / "dynapse1-bias.csv").read_text().splitlines(keepends=True)[:20])
    for _ in range(50):
        (tmp_path / "dynapse1-bias.csv").write_text(damage(text, rng))
        try:
            load_chip(tmp_path / "dynapse1.yaml")
        except NeuroError as error:
            assert str(error)


def test_random_overrides():
    rng = random.Random(6)
    for _ in range(150):
        key = ".".join(rng.choices(KEYS, k=rng.randint(1, 3)))
        try:
            load_chip("generic", [f"{key}={rng.choice(PIECES)}"])
        except NeuroError as error:
            assert str(error)
