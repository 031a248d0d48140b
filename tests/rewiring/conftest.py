"""A small network with two currents and a linear read-out, and the loss that moves it."""

import pytest
import torch

import neuro
from neuro.task import NetworkSpec


@pytest.fixture(scope="session")
def make():
    def build(chip="dynapse1", overrides=("slots=6",), seed=0, linear=False, **fields):
        chip = neuro.load_chip(chip, [o for o in overrides if chip != "binary-core" or "slots" not in o])
        syn = dict.fromkeys([c.name for c in chip.currents], 0.75)
        fields = {"delay_lines": (0, 2) if chip.delays.lines > 1 else (0,)} | fields
        output = {"readout": "linear", "classes": 2, "tau_out_s": 0.01} if linear else {}
        spec = NetworkSpec.model_validate(
            {
                "dt_s": 1e-3,
                "inputs": {"x": 8},
                "populations": {
                    "hidden": {"size": 7, "decay_mem": 0.75, "decay_syn": syn, "init_gain": 3.0},
                    "out": {"size": 4, "decay_mem": 0.75, "decay_syn": 0.5, "init_gain": 3.0},
                },
                "projections": (
                    {"from": "x", "to": "hidden"},
                    {"from": "hidden", "to": "hidden"},
                    {"from": "hidden", "to": "out"},
                ),
                "outputs": {"y": {"population": "out"} | output},
            }
            | fields
        )
        return neuro.Network(neuro.place(spec, chip), seed=seed)

    return build


@pytest.fixture(scope="session")
def loss():
    g = torch.Generator().manual_seed(3)
    x = (torch.rand(8, 4, 8, generator=g) < 0.5).float()

    def of(network):
        outputs, record = network(x, record=("hidden", "out"))
        return (outputs.mean() - 0.5) ** 2 + sum((0.1 * (v - 0.3) ** 2).mean() for v in record.v.values())

    return of
