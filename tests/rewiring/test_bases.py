"""Base weights: they move when it is their turn, only to values a DAC code gives, read here from the CSV tables."""

import csv
import math
from fractions import Fraction

import pytest
import torch

import neuro
from neuro.descriptor import find_shipped

TABLES = {"dynapse1": "dynapse1-bias.csv", "dynapse2": "dynapse2-bias-p.csv"}
UNITS = {"dynapse1": lambda slots: slots, "dynapse2": lambda slots: 4 * slots, "generic": lambda slots: slots}


def allowed_units(chip, slots, theta):
    """Grid exponent, and the values of all DAC codes on it: round half even of I / unit / 2^e, between 1 and 2^B."""
    bits = 24 - math.ceil(math.log2(UNITS[chip](slots)))
    e = -60
    while Fraction(4) * Fraction(theta) >= Fraction(2) ** (bits + e):
        e += 1
    if chip not in TABLES:
        return e, range(1, 2**bits)
    with (find_shipped(chip, "chips").parent / TABLES[chip]).open() as file:
        currents = [float(row["current_a"]) for row in csv.DictReader(file)]
    unit = neuro.load_chip(chip).weights.weight_unit_a
    values = {round(i / unit / 2.0**e) for i in currents}  # python rounds half to even
    return e, sorted(v for v in values if 0 < v < 2**bits)


@pytest.mark.parametrize("chip", ["dynapse1", "dynapse2", "generic"])
@pytest.mark.parametrize("slots", [6, 64])
def test_base_weights_are_values_of_the_table_and_the_nearest_ones(make, chip, slots):
    network = make(chip, [f"slots={slots}"])
    e, allowed = allowed_units(chip, slots, 1.0)
    assert set(network.bases.exponents.tolist()) == {e}
    optimizer = neuro.QRewiring(torch.optim.SGD(network.parameter_groups(lr=0.1, base_lr=0.3)), network, base_every=1)
    g = torch.Generator().manual_seed(0)
    seen = set()
    for _ in range(15):
        network.bases.latent.grad = torch.randn(network.bases.latent.shape, generator=g)
        optimizer.step()
        for latent, units in zip(network.bases.latent.flatten().tolist(), network.bases.units.flatten().tolist(),
                                 strict=True):  # fmt: skip
            assert units in allowed
            wanted = math.exp(latent) / 2.0**e
            near = allowed if chip in TABLES else [v for v in (units - 1, units, units + 1) if v in allowed]
            distance = min(abs(v - wanted) for v in near)
            assert abs(units - wanted) <= distance + 1e-9 * wanted
            seen.add(units)
        assert torch.equal(network.bases.values().double(), network.bases.units.double() * 2.0**e)
        assert network.violations() == []
    assert len(seen) > 10


@pytest.mark.parametrize("chip", ["dynapse1", "dynapse2", "generic", "binary-core"])
def test_base_weights_move_only_when_it_is_their_turn(make, loss, chip):
    network = make(chip)
    optimizer = neuro.QRewiring(torch.optim.Adam(network.parameter_groups(lr=0.01, base_lr=0.2)), network, base_every=4)
    for step in range(1, 13):
        before, units = network.bases.latent.detach().clone(), network.bases.units.clone()
        optimizer.zero_grad()
        loss(network).backward()
        grad = network.bases.latent.grad
        assert grad is not None and grad.any()
        optimizer.step()
        assert network.bases.latent.grad is grad  # a log of gradients sees it, turn or not
        moved = not torch.equal(before, network.bases.latent)
        assert moved == (step % 4 == 0)
        assert torch.equal(units, network.bases.units) or moved
    weights = {n: m.weight for n, m in network.memories.items()}
    assert all(torch.equal(m.scheme.decode(m.code), weights[n]) for n, m in network.memories.items())


@pytest.mark.parametrize("optimizer_of, groups_of, share", [
    (torch.optim.SGD, lambda n: [{"params": list(n.parameters()), "lr": 0.5}], 0.1),
    (torch.optim.SGD, lambda n: n.parameter_groups(lr=0.5, base_lr=0.5), 1.0),
    (torch.optim.SGD, lambda n: n.parameter_groups(lr=0.5), 0.1),
])  # fmt: skip
def test_the_step_of_base_weights(make, loss, optimizer_of, groups_of, share):
    network = make()
    optimizer = neuro.QRewiring(optimizer_of(groups_of(network)), network, base_every=2)
    optimizer.zero_grad()
    loss(network).backward()
    optimizer.step()
    before = network.bases.latent.detach().clone()
    optimizer.zero_grad()
    loss(network).backward()
    grad, latent = network.bases.latent.grad.clone(), network.latents["out"].detach().clone()
    to_latent = network.latents["out"].grad.clone()
    optimizer.step()
    torch.testing.assert_close(network.bases.latent.detach(), before - share * 0.5 * grad, rtol=1e-5, atol=1e-7)
    assert not torch.equal(network.bases.latent, before)
    torch.testing.assert_close(network.latents["out"].detach(), latent - 0.5 * to_latent)


def test_weight_decay_does_not_pull_base_weights_to_one(make):
    """The latent of a base weight is a logarithm: decay would draw its value to 1, not to 0."""
    network = make()
    optimizer = neuro.QRewiring(
        torch.optim.AdamW(network.parameter_groups(lr=0.1, base_lr=0.1), weight_decay=0.5), network, base_every=1
    )
    before = network.bases.latent.detach().clone()
    for p in network.parameters():
        p.grad = torch.zeros_like(p)
    optimizer.step()
    assert torch.equal(network.bases.latent, before)
