"""Small networks for the tests of this room."""

import pytest
import torch

import neuro
from neuro.task import NetworkSpec


def spec(inputs=None, populations=None, projections=None, **more):
    populations = populations or {"hidden": {"size": 6}, "out": {"size": 4}}
    pairs = projections or (("x", "hidden"), ("hidden", "hidden"), ("hidden", "out"))
    filled = {}
    for name, p in populations.items():
        mem = {} if {"tau_mem_s", "leak"} & set(p) else {"decay_mem": 0.75}
        syn = {} if "tau_syn_s" in p else {"decay_syn": 0.5}
        filled[name] = {"init_gain": 2.0} | mem | syn | p
    return NetworkSpec.model_validate(
        {
            "dt_s": 1e-3,
            "inputs": inputs or {"x": 5},
            "populations": filled,
            "projections": tuple(
                p if isinstance(p, dict) else dict(zip(("from", "to", "delay"), p, strict=False)) for p in pairs
            ),
            "outputs": {"y": {"population": list(filled)[-1]}},
        }
        | more
    )


@pytest.fixture(scope="session")
def make():
    """Build a network: chip name, overrides, seed, fields of the spec."""

    def build(chip="dynapse1", overrides=(), seed=0, **fields):
        return neuro.Network(neuro.place(spec(**fields), neuro.load_chip(chip, overrides)), seed=seed)

    return build


@pytest.fixture(scope="session")
def events():
    """Draw events {input: [T, B, n]} of a network."""

    def draw(network, steps=12, batch=2, seed=0, p=0.5):
        g = torch.Generator().manual_seed(seed)
        sizes = network.plan.spec.inputs
        return {n: (torch.rand(steps, batch, size, generator=g) < p).float() for n, size in sizes.items()}

    return draw
