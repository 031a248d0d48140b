"""The header compiled: a small program in C, which knows nothing but it, spikes as the replay does."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from random_networks import random_events, random_network

import neuro
from neuro.errors import DescriptionError
from neuro.formats import c

COMPILER = shutil.which("cc") or shutil.which("gcc")
FLAGS = ("-std=c99", "-O1", "-Wall", "-Werror", "-pedantic")
PROGRAM = Path(__file__).with_name("reference.c")


@pytest.mark.skipif(COMPILER is None, reason="no C compiler is here: install gcc to compare exported headers with it")
@pytest.mark.parametrize("name", ["loihi", "xylo-audio2", "odin"])
def test_a_program_in_c_spikes_as_the_replay_does(tmp_path, name):
    fired = 0
    for seed in range(4):
        rng = np.random.default_rng([23, seed])
        network = random_network(rng, name)
        tables, folder = neuro.export(network), tmp_path / str(seed)
        c.write(tables, folder)
        events = random_events(rng, network, steps=60, batch=1, share=0.5)
        names = list(network.plan.spec.populations)
        _, record = neuro.replay(c.read(folder), events, record=names)
        expected = np.concatenate([record.spikes[n][:, 0].numpy() for n in names], 1).astype(int)
        told = np.concatenate([events[n][:, 0].numpy() for n in network.plan.spec.inputs], 1).astype(int)
        program = folder / "program"
        subprocess.run([COMPILER, *FLAGS, f"-I{folder}", str(PROGRAM), "-o", str(program)], check=True, timeout=60)
        lines = "\n".join(" ".join(map(str, row)) for row in told.tolist())
        done = subprocess.run([program], input=lines, capture_output=True, text=True, check=True, timeout=60)
        found = np.array([[int(z) for z in line] for line in done.stdout.split()])
        assert np.array_equal(found, expected), seed
        fired += int(expected.sum())
    assert fired > 40


@pytest.mark.parametrize("name, words", [("generic", "weights.shifts"), ("brainscales2", "weights.shifts")])
def test_chips_of_real_numbers_are_refused(tmp_path, name, words):
    tables = neuro.export(random_network(np.random.default_rng(1), name))
    with pytest.raises(DescriptionError, match=f"{words} of {name}.* not whole, allowed in format c"):
        c.write(tables, tmp_path / "a")
    assert not list(tmp_path.iterdir())
