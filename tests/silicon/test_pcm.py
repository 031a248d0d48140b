"""Devices: means and spreads of many draws against the published formulas, written out again in plain numbers."""

import math

import numpy as np
import pytest
import torch

import neuro
from neuro.errors import DataError
from neuro.silicon.pcm import drifted_us, program, read_us, replace_part, spread_us, without_noise

DEVICES = neuro.load_chip("pcm-crossbar").devices
MANY = 40_000
TARGETS = [2.5, 8.0, 16.0, 25.0]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def many(target):
    return torch.full((MANY,), float(target), dtype=torch.float64)


@pytest.mark.parametrize("target", TARGETS)
def test_programming(target):
    r = target / 25
    wanted = 0.26348 + 1.9650 * r - 1.1731 * r * r
    assert float(spread_us(DEVICES, torch.tensor(target))) == pytest.approx(wanted)
    g = program(DEVICES, many(target), 0.0, generator()).g_us
    assert float(g.mean()) == pytest.approx(target, abs=5 * wanted / math.sqrt(MANY))
    assert float(g.std()) == pytest.approx(wanted, rel=0.02)


def test_a_device_that_is_off_is_never_negative():
    g = program(DEVICES, many(0), 0.0, generator()).g_us
    assert float(g.min()) == 0 and float((g == 0).double().mean()) == pytest.approx(0.5, abs=0.02)
    assert float(g.mean()) == pytest.approx(0.26348 / math.sqrt(2 * math.pi), rel=0.05)


@pytest.mark.parametrize("target", TARGETS)
def test_drift_exponents_and_the_power_law(target):
    log = math.log(target / 25)
    mean = min(max(-0.0155 * log + 0.0244, 0.049), 0.1)
    spread = min(max(-0.0125 * log - 0.0059, 0.008), 0.045)
    programmed = program(DEVICES, many(target), 100.0, generator(1))
    nu = np.abs(np.random.default_rng(0).normal(mean, spread, MANY))
    assert float(programmed.nu.mean()) == pytest.approx(nu.mean(), abs=5 * spread / math.sqrt(MANY))
    assert float(programmed.nu.std()) == pytest.approx(nu.std(), rel=0.03)
    for since in (0.0, 20.0, 1e6):
        wanted = programmed.g_us.numpy() * ((since + 20) / 20) ** -programmed.nu.numpy()
        np.testing.assert_allclose(drifted_us(DEVICES, programmed, 100.0 + since).numpy(), wanted, rtol=1e-12)


@pytest.mark.parametrize("since", [1.0, 3600.0, 3e7])
def test_reading(since):
    still = replace_part(DEVICES, programming_us=(), drift=None)
    g = read_us(still, program(still, many(10), 0.0, generator()), since, generator(2))
    q = min(0.2, 0.0088 / 0.4**0.65)
    assert float(g.mean()) == pytest.approx(10, rel=0.01)
    assert float(g.std()) == pytest.approx(10 * q * math.sqrt(math.log((since + 250e-9) / 500e-9)), rel=0.03)


@pytest.mark.parametrize("since", [0.0, 3600.0, 3e7])
def test_reading_what_drifts(since):
    programmed = program(DEVICES, many(10), 7.0, generator())
    drifted = drifted_us(DEVICES, programmed, 7.0 + since)
    g = read_us(DEVICES, programmed, 7.0 + since, generator(2))
    r = programmed.g_us.numpy() / 25
    q = np.minimum(0.2, 0.0088 / r**0.65) * math.sqrt(math.log((since + 20 + 250e-9) / 500e-9))
    noise = torch.randn(MANY, generator=generator(2), dtype=torch.float64).numpy()
    np.testing.assert_allclose(g.numpy(), np.maximum(drifted.numpy() * (1 + q * noise), 0), rtol=1e-9)


def same_draws(seed, size=2000):
    """Targets [size] in both packages, which draw the same numbers from one seed."""
    pytest.importorskip("aihwkit", reason="aihwkit is not installed: pip install --no-deps aihwkit")
    torch.manual_seed(seed)
    return torch.linspace(0, 1, size, dtype=torch.float64)


def test_phase_change_devices_are_those_of_aihwkit():
    shares = same_draws(3)
    from aihwkit.inference.noise.pcm import PCMLikeNoiseModel

    model, targets = PCMLikeNoiseModel(g_max=25.0), 25 * shares
    programmed = program(DEVICES, targets, 50.0, generator(3))
    torch.testing.assert_close(
        programmed.g_us, model.apply_programming_noise_to_conductance(targets), rtol=1e-12, atol=0
    )
    torch.testing.assert_close(programmed.nu, model.generate_drift_coefficients(targets), rtol=1e-12, atol=0)
    for since in (0.0, 300.0, 86400.0, 3e7):
        torch.manual_seed(4)
        wanted = model.apply_drift_noise_to_conductance(programmed.g_us, programmed.nu, since)
        torch.testing.assert_close(
            read_us(DEVICES, programmed, 50.0 + since, generator(4)), wanted, rtol=1e-9, atol=1e-12
        )


def test_resistive_devices_are_those_of_aihwkit():
    shares = same_draws(5)
    from aihwkit.inference.noise.reram import ReRamWan2022NoiseModel

    devices, model = neuro.load_chip("rram-crossbar").devices, ReRamWan2022NoiseModel(g_max=40.0)
    g = program(devices, 40 * shares, 0.0, generator(5)).g_us
    torch.testing.assert_close(g, model.apply_programming_noise_to_conductance(40 * shares), rtol=1e-9, atol=1e-12)


def test_ideal_devices_hold_what_they_are_given():
    ideal = without_noise(DEVICES)
    programmed = program(ideal, many(7.5), 0.0, generator())
    assert torch.equal(read_us(ideal, programmed, 1e9, generator()), many(7.5))


def test_resistive_devices_have_their_own_polynomial():
    devices = neuro.load_chip("rram-crossbar").devices
    r = 0.5
    wanted = 0.348 + 16.030 * r - 43.853 * r**2 + 45.393 * r**3 - 16.815 * r**4
    g = program(devices, many(20), 0.0, generator()).g_us
    assert float(g.std()) == pytest.approx(wanted, rel=0.02)


def test_times_and_targets_that_cannot_be_are_refused():
    programmed = program(DEVICES, many(5)[:3], 60.0, generator())
    for now in (59.0, math.nan):
        with pytest.raises(DataError, match="were programmed at 60 s; allowed: that time or later"):
            read_us(DEVICES, programmed, now, generator())
    for target in (-1.0, 26.0, math.nan):
        with pytest.raises(DataError, match="allowed: 0 to 25"):
            program(DEVICES, torch.tensor([target]), 0.0, generator())
