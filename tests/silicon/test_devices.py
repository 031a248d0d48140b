"""Draws by their statistics, the independence of streams, and one message for each mistake."""

import numpy as np
import pytest

import neuro
from neuro.descriptor import Mismatch
from neuro.errors import DescriptionError


def chip(**mismatch):
    found = Mismatch(**{"distribution": "lognormal", **mismatch})
    return neuro.load_chip("dynapse1").model_copy(update={"mismatch": found})


def pooled(chip, parameter, seeds=20, scale=1.0):
    return np.concatenate(
        [neuro.virtual_chip(chip, s, scale).factors[parameter].astype(float).ravel() for s in range(seeds)]
    )


# 20 boards of 4,096 neurons: 81,920 draws; the mean of that many is 0.2 / 286 = 0.0007 off, a standard deviation 0.0005
@pytest.mark.parametrize("distribution", ["lognormal", "gaussian"])
def test_factors_have_mean_one_and_the_stated_spread(distribution):
    f = pooled(chip(distribution=distribution, neuron={"threshold": 0.2}), "threshold")
    assert abs(f.mean() - 1) < 0.003 and abs(f.std() - 0.2) < 0.003


def test_logarithms_of_lognormal_factors_are_normal():
    f = np.log(pooled(chip(neuron={"tau_mem": 0.5}), "tau_mem"))
    # s² = ln(1 + 0.25) = 0.22314; mean −s²/2; a normal's skewness is 0, its kurtosis 3
    assert abs(f.mean() + 0.11157) < 0.006 and abs(f.std() - 0.47238) < 0.005
    z = (f - f.mean()) / f.std()
    assert abs((z**3).mean()) < 0.05 and abs((z**4).mean() - 3) < 0.1


def test_gaussian_factors_are_never_below_the_least():
    f = pooled(chip(distribution="gaussian", least=0.4, neuron={"weight": 0.5}), "weight")
    assert f.min() == np.float32(0.4) and 0.1 < (f == np.float32(0.4)).mean() < 0.13  # Φ(−1.2) = 0.115


def test_neurons_of_a_core_share_its_factor():
    f = neuro.virtual_chip(chip(core={"weight": 0.3}), 3).factors["weight"].reshape(16, 256, 4)
    assert (f == f[:, :1]).all() and len(np.unique(f[:, 0])) == 64


def test_spreads_of_cores_and_neurons_multiply():
    f = pooled(chip(core={"weight": 0.3}, neuron={"weight": 0.4}), "weight", seeds=60)
    assert abs(f.std() - np.sqrt(1.09 * 1.16 - 1)) < 0.03  # variances of products of factors with mean 1


def test_parameters_and_their_kinds_are_independent():
    virtual = neuro.virtual_chip(neuro.load_chip("dynapse1"), 1)
    columns = [f.reshape(4096, -1) for f in virtual.factors.values()]
    correlation = np.corrcoef(np.concatenate(columns, 1).T)
    assert abs(correlation - np.eye(len(correlation))).max() < 0.12  # cores share a part of their factors


def test_another_spread_of_one_parameter_leaves_the_others_as_they_are():
    one, other = (neuro.virtual_chip(chip(neuron={"threshold": s, "tau_mem": 0.2}), 5) for s in (0.1, 0.3))
    assert (one.factors["tau_mem"] == other.factors["tau_mem"]).all()
    assert (one.factors["threshold"] != other.factors["threshold"]).all()


def test_seeds_and_scales():
    kind = chip(neuron={"threshold": 0.2})
    first, again, other = (neuro.virtual_chip(kind, s).factors["threshold"] for s in (1, 1, 2))
    assert (first == again).all() and (first != other).mean() > 0.99
    assert (neuro.virtual_chip(kind, 1, scale=0.0).factors["threshold"] == 1).all()
    assert abs(pooled(kind, "threshold", scale=0.5).std() - 0.1) < 0.002


@pytest.mark.parametrize(
    ("seed", "scale", "words"),
    [
        (-1, 1, "seed"),
        (True, 1, "seed"),
        (0.5, 1, "seed"),
        (0, -1, "scale"),
        (0, 20, "400%"),
        (0, float("nan"), "scale"),
    ],
)
def test_what_is_no_device_is_refused(seed, scale, words):
    with pytest.raises(DescriptionError, match=words):
        neuro.virtual_chip(chip(neuron={"threshold": 0.2}), seed, scale)


def test_a_chip_without_mismatch_has_no_devices():
    with pytest.raises(DescriptionError, match="states no mismatch"):
        neuro.virtual_chip(neuro.load_chip("truenorth"), 0)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("mismatch.neuron.tau_mem=4.0", "have 4.0, allowed: a number from 0 to 1"),
        ("mismatch.core.weight=-0.1", "have -0.1, allowed: a number from 0 to 1"),
        ("mismatch.neuron.taumem=0.1", "unknown key, did you mean tau_mem"),
        ("mismatch.distribution=uniform", "allowed: lognormal or gaussian"),
        ("mismatch.neuron.base=0.1", "belongs to kind masks"),
    ],
)
def test_descriptions_that_cannot_be(override, words):
    with pytest.raises(DescriptionError, match=words):
        neuro.load_chip("dynapse1", [override])


def test_devices_of_other_chips_are_refused():
    virtual = neuro.virtual_chip(neuro.load_chip("dynapse2"), 0)
    with pytest.raises(DescriptionError, match="not a dynapse1 of 4 chips"):
        virtual.refuse_other(neuro.load_chip("dynapse1"))


def test_a_part_of_a_device_is_what_the_whole_has_there():
    kind = neuro.load_chip("dynapse1")
    places = np.array([[1, 2, 7], [0, 3, 255], [1, 2, 3]])
    whole, part = neuro.virtual_chip(kind, 4), neuro.virtual_chip(kind, 4, 1.0, places)
    assert part.held == ((0, 3, 256), (1, 2, 8))
    for name, factor in whole.of_neurons(places).items():
        assert (factor == part.of_neurons(places)[name]).all()
        assert (factor == whole.factors[name][[6 * 256 + 7, 3 * 256 + 255, 6 * 256 + 3]]).all()
    with pytest.raises(DescriptionError, match="holds nothing of chip 1 core 2 neuron 9"):
        part.of_neurons(np.array([[1, 2, 3], [1, 2, 9]]))


def test_conductances_vary_by_their_devices_not_by_words():
    with pytest.raises(DescriptionError, match="how conductances vary stands in devices"):
        neuro.load_chip("pcm-crossbar", ["mismatch={distribution: gaussian, neuron: {weight: 0.1}}"])
    some = neuro.load_chip("pcm-crossbar", ["mismatch={distribution: gaussian, neuron: {threshold: 0.1}}"])
    assert set(neuro.virtual_chip(some, 0).factors) == {"threshold"}
