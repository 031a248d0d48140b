"""Rockpool's own reader of DYNAP-SE2 configurations recovers every weight and dendrite of an export.

Rockpool is looked for in this Python, or in the one NEURO_ROCKPOOL names (pip install rockpool jax; samna is not needed).
Its reader keeps one word a source and neuron, takes every neuron to hear inputs and neurons alike, and the first of two
destinations with one tag: so one current, one delay, and no monitors here.
"""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from random_networks import chip_of

import neuro
from neuro.formats import samna
from neuro.task import NetworkSpec

PYTHON = os.environ.get("NEURO_ROCKPOOL") or (sys.executable if importlib.util.find_spec("rockpool") else None)
DENDRITES = {1: 1024, -1: 512}  # AMPA, GABA_B

pytestmark = pytest.mark.skipif(
    PYTHON is None,
    reason="Rockpool is not here: pip install rockpool jax, or name a Python that has it in NEURO_ROCKPOOL",
)


@pytest.mark.parametrize("seed, size, inputs", [(0, 40, 12), (1, 200, 50)])
def test_rockpool_recovers_every_weight_and_dendrite(tmp_path, seed, size, inputs):
    spec = NetworkSpec.model_validate(
        {
            "dt_s": 1e-3,
            "inputs": {"x": inputs},
            "populations": {"r": {"size": size, "tau_mem_s": 0.02, "tau_syn_s": 0.01}},
            "projections": ({"from": "x", "to": "r"}, {"from": "r", "to": "r"}),
            "outputs": {"y": {"population": "r"}},
        }
    )
    network = neuro.Network(neuro.place(spec, chip_of("dynapse2", ("routes.reserved=0",))), seed=seed)
    samna.write(neuro.export(network), tmp_path / "out")
    script = Path(__file__).with_name("rockpool_reads.py")
    done = subprocess.run(
        [PYTHON, "-W", "ignore", script, tmp_path / "out"], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = {key: np.array(value) for key, value in json.loads(done.stdout.splitlines()[-1]).items()}
    code = network.memories["r"].code[:, :, 0, 0].numpy().astype(int).T  # [inputs, then neurons; targets]
    assert (code != 0).any(0).all()
    heard = code[(code != 0).any(1)]  # a source nobody listens to has no word
    inputs_heard = int((code[:inputs] != 0).any(1).sum())
    for part, wanted in (("in", heard[:inputs_heard]), ("rec", heard[inputs_heard:])):
        weights, dendrites = found[f"weights_{part}"], found[f"dendrites_{part}"]
        weights, dendrites = weights[: len(wanted)], dendrites[: len(wanted)]
        assert np.array_equal(weights, np.abs(wanted)), part
        assert np.array_equal(dendrites, np.select([wanted > 0, wanted < 0], [DENDRITES[1], DENDRITES[-1]])), part
        assert not found[f"weights_{part}"][len(wanted) :].any()
    assert found["core_map"].tolist() == [[0, 0]] * size
