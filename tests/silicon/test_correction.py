"""Arrays over time: what is programmed again starts anew, what is not goes on, and every pulse is counted."""

import math

import pytest
import torch

import neuro
from neuro.errors import DataError
from neuro.silicon.arrays import PairArray, level_variance
from neuro.silicon.correction import SingleDevices, WholeLayers, over_time
from neuro.silicon.pcm import replace_part, without_noise
from neuro.weights import ConductanceScheme

DEVICES = neuro.load_chip("pcm-crossbar").devices
SCHEME = ConductanceScheme(tuple(range(5)), (0.25, 0.2))
YEAR = 365 * 86400.0


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def array(devices=DEVICES, rows=20, seed=0, scheme=SCHEME):
    latent = torch.randn(rows, 30, generator=generator(seed)) * 0.5
    return PairArray.of(scheme.project(latent), scheme, devices, generator(seed + 1)), scheme.hold(latent)[1]


def no_figure(weights):
    return 0.0


@pytest.mark.parametrize("scheme", [SCHEME, ConductanceScheme((0.2, 0.6, 1.0), (0.7,), 0.9)])
def test_ideal_devices_give_the_weights_of_the_scheme(scheme):
    held, weight = array(without_noise(DEVICES), scheme=scheme)
    assert torch.allclose(held.targets, weight.double(), atol=1e-6)
    assert torch.equal(held.weights(YEAR, generator()), held.targets)


def test_the_spread_of_weights_is_that_of_both_devices():
    held, _ = array(replace_part(DEVICES, drift=None, read=None), rows=2000)
    variance = level_variance(DEVICES, SCHEME.levels)
    plus, minus = held.levels
    table = torch.tensor(variance, dtype=torch.float64)
    wanted = (0.25**2 * table[plus] + 0.2**2 * table[minus]).mean().sqrt()
    both_on = (plus > 0) & (minus > 0)
    found = (held.weights(0.0, generator()) - held.targets)[both_on]
    wanted = (0.25**2 * table[plus] + 0.2**2 * table[minus])[both_on].mean().sqrt()
    assert float(found.std()) == pytest.approx(float(wanted), rel=0.05)


def test_time_counts_from_the_last_programming_of_each_device():
    still = replace_part(DEVICES, programming_us=(), read=None)
    held, _ = array(still)
    which = torch.zeros(held.levels.shape, dtype=torch.bool)
    which[0] = True
    again = held.again(which, 6000.0, generator(5))
    g = again.conductances_us(6000.0, generator())
    assert torch.equal(g[0], held.targets_us[0]), "just programmed"
    drop = (6000.0 + 20) / 20
    assert torch.allclose(g[1], held.targets_us[1] * drop ** -held.programmed.nu[1]), "goes on from 0 s"


def test_pulses_by_hand():
    held, _ = array(replace_part(DEVICES, pulses=3))
    which = torch.zeros(held.levels.shape, dtype=torch.bool)
    which[0, 0, 0] = which[1, 3, 2] = True
    assert held.pulses(which) == 2 + 3 * int(held.levels[0, 0, 0] + held.levels[1, 3, 2])


def test_without_noise_nothing_is_ever_programmed_again():
    ideal = {"a": array(without_noise(DEVICES))[0]}
    for correction in (WholeLayers(), SingleDevices()):
        found = over_time(ideal, [0.0, 300.0, YEAR], no_figure, generator(), correction, start=True)
        assert [(check.programmed, check.pulses) for check in found] == [(0, 0)] * 3


def error(arrays, correction, **more):
    def distance(weights):
        return sum(float((weights[name] - arrays[name].targets).abs().mean()) for name in arrays)

    return over_time(arrays, [0.0, 300.0, 86400.0, YEAR], distance, generator(9), correction, **more)


def test_correcting_brings_weights_back_and_costs_pulses():
    arrays = {"a": array()[0], "b": array(seed=7)[0]}
    left, whole, single = (error(arrays, c) for c in (None, WholeLayers(0.02), SingleDevices(0.8)))
    assert left[-1].after > 2 * left[0].after and left[-1].programmed == 0
    for found in (whole, single):
        assert found[-1].after < 0.6 * left[-1].after
        assert all(check.after <= check.before for check in found[1:] if check.programmed)
        assert sum(check.pulses for check in found) > 0 and found[-1].energy_j is None
    assert single[-1].after < whole[-1].after, "devices that came out well are kept"
    paid = {
        name: PairArray(**{**vars(a), "devices": replace_part(DEVICES, pulse_j=1e-12)}) for name, a in arrays.items()
    }
    check = error(paid, WholeLayers(0.02))[-1]
    assert check.energy_j == pytest.approx(1e-12 * check.pulses) and check.pulses > 0


def test_programming_again_has_the_noise_of_programming():
    held, _ = array(replace_part(DEVICES, drift=None, read=None))
    again, times = WholeLayers(0.0).apply(held, held.targets, 300.0, generator(3))
    assert times.min() == 1 and not torch.equal(again.programmed.g_us, held.programmed.g_us)
    assert float((again.programmed.g_us - held.targets_us).abs().mean()) > 0.3


def test_compensation_undoes_what_all_devices_lose_alike():
    alike = replace_part(
        DEVICES, programming_us=(), read=None, drift={**DEVICES.drift.model_dump(), "spread": (0.0, 0.0, 0.0, 0.0)}
    )
    alike = replace_part(alike, drift={**alike.drift.model_dump(), "mean": (0.0, 0.05, 0.05, 0.05)})
    arrays = {"a": array(alike)[0]}
    assert error(arrays, None, compensate=True)[-1].after < 1e-12 < error(arrays, None)[-1].after


@pytest.mark.parametrize("checks", [[], [-1.0, 5.0], [0.0, 300.0, 300.0], [0.0, math.inf]])
def test_checks_that_do_not_rise_are_refused(checks):
    with pytest.raises(DataError, match="checks"):
        over_time({"a": array()[0]}, checks, no_figure, generator())
