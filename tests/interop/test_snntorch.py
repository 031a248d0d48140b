"""snnTorch models against their conversion: the same spikes, l − 1 steps later, in every mode that is accepted."""

import pytest
import snntorch as snn
import torch
from snntorch import surrogate
from torch import nn

from neuro.errors import DescriptionError
from neuro.interop import chip_overrides, from_snntorch

SIZES = (12, 10, 8, 7)
HIDDEN = {"init_hidden": True}


def linear(weights):
    layer = nn.Linear(*weights.shape[::-1], bias=False)
    layer.weight.data = weights
    return layer


def recurrent(cell, weights):
    cell.recurrent.weight.data, cell.recurrent.bias = weights, None
    return cell


def by_steps(model, x):
    with torch.no_grad():
        return torch.stack([model(now) for now in x])


def assert_same(run, model, x):
    original = by_steps(model, x)
    spikes = run(*from_snntorch(model), chip_overrides(model), x)
    assert 0.01 < original.mean() < 0.9
    assert torch.equal(spikes, original)


def build(cells, weights):
    shapes = zip(SIZES[1:], SIZES, strict=False)
    return nn.Sequential(
        *(part for cell, shape in zip(cells, shapes, strict=False) for part in (linear(weights(*shape)), cell))
    )


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("mode", [("zero", True), ("zero", False), ("subtract", True)])
@pytest.mark.parametrize("beta", [0.0, 0.5, 0.75, 0.875, 1.0])
def test_leaky(run, draw, depth, mode, beta):
    weights, spikes = draw(depth)
    reset, delay = mode
    cells = [snn.Leaky(beta, reset_mechanism=reset, reset_delay=delay, **HIDDEN) for _ in range(depth)]
    assert_same(run, build(cells, lambda *shape: 2 * weights(*shape)), spikes(40, 5, SIZES[0]))


def small(weights):
    """Weights so small that no membrane passes 2θ: their sum is at most θ·(2 − β) where β = 0.5 and θ = 1."""
    return lambda n_out, n_in: weights(n_out, n_in, 2, 9)


@pytest.mark.parametrize("theta", [1.0, 0.75])
def test_immediate_subtraction_below_twice_the_threshold(run, draw, theta):
    weights, spikes = draw(1)
    cell = snn.Leaky(0.5, threshold=theta, reset_delay=False, **HIDDEN)
    model = build([cell], lambda *shape: theta * small(weights)(*shape))
    assert model[0].weight.detach().sum(1).max() <= theta * 1.5
    x = spikes(60, 5, SIZES[0], p=0.7)
    assert_same(run, model, x)


def test_immediate_subtraction_above_twice_the_threshold_parts():
    """The documented exception: after mem = 4, snnTorch is silent at 1.5 because 3 was still above the threshold."""
    model = nn.Sequential(linear(torch.tensor([[4.0]])), snn.Leaky(0.5, reset_delay=False, **HIDDEN))
    assert by_steps(model, torch.tensor([[[1.0]], [[0.0]]])).flatten().tolist() == [1, 0]


def test_delayed_subtraction_is_ours_with_a_synapse_onto_itself(run):
    model = nn.Sequential(linear(torch.tensor([[4.0]])), snn.Leaky(0.75, **HIDDEN))
    spec, latents = from_snntorch(model)
    assert latents["layer1"]["layer1"].tolist() == [[-0.25]] and spec.projection("layer1", "layer1").autapses
    x = torch.tensor([1.0, 0, 0, 0, 0]).view(5, 1, 1)
    assert by_steps(model, x).flatten().tolist() == [1, 1, 0, 0, 0]  # mem 4, 2, 0.5, …
    assert run(spec, latents, chip_overrides(model), x).flatten().tolist() == [1, 1, 0, 0, 0]


@pytest.mark.parametrize("delay", [True, False])
@pytest.mark.parametrize("alpha, beta", [(0.5, 0.5), (0.75, 0.875), (0.0, 0.75), (0.875, 0.0)])
def test_synaptic_resets_to_zero(run, draw, delay, alpha, beta):
    weights, spikes = draw(6)
    cells = [snn.Synaptic(alpha, beta, reset_mechanism="zero", reset_delay=delay, **HIDDEN) for _ in range(3)]
    model = build(cells, weights)
    assert ("neuron.refractory=hold" in chip_overrides(model)) is delay
    assert_same(run, model, spikes(40, 5, SIZES[0]))


def test_synaptic_subtracts(run, draw):
    weights, spikes = draw(7)
    once = snn.Synaptic(0.5, 0.5, reset_delay=False, **HIDDEN)
    assert_same(run, build([once], lambda *shape: small(weights)(*shape) / 2), spikes(60, 5, SIZES[0], p=0.7))
    for alpha, beta in ((0.5, 1.0), (0.0, 0.75)):
        assert_same(run, build([snn.Synaptic(alpha, beta, **HIDDEN)], weights), spikes(40, 5, SIZES[0]))


@pytest.mark.parametrize("mode", [("zero", True), ("zero", False), ("subtract", True)])
@pytest.mark.parametrize("beta", [0.5, 0.875])
def test_rleaky(run, draw, mode, beta):
    weights, spikes = draw(8)
    options = dict(zip(("reset_mechanism", "reset_delay"), mode, strict=True)) | HIDDEN
    cells = [recurrent(snn.RLeaky(beta, linear_features=n, **options), weights(n, n, -40, 30)) for n in SIZES[1:3]]
    assert_same(run, build(cells, weights), spikes(40, 5, SIZES[0]))


@pytest.mark.parametrize("alpha, beta", [(0.5, 0.5), (0.75, 0.875)])
def test_rsynaptic(run, draw, alpha, beta):
    weights, spikes = draw(9)
    options = {"reset_mechanism": "zero", **HIDDEN}
    cells = [
        recurrent(snn.RSynaptic(alpha, beta, linear_features=n, **options), weights(n, n, -40, 20)) for n in (10, 8)
    ]
    assert_same(run, build(cells, weights), spikes(40, 5, SIZES[0]))


def test_layers_of_different_kinds_and_default_constants(run, draw):
    weights, spikes = draw(10)
    cells = [
        snn.Leaky(0.9, reset_mechanism="zero", **HIDDEN),
        snn.Synaptic(0.8, 0.9, reset_mechanism="zero", **HIDDEN),
        snn.Leaky(torch.full((7,), 0.95), reset_mechanism="zero", learn_beta=True, **HIDDEN),
    ]
    assert_same(run, build(cells, weights), spikes(40, 5, SIZES[0]))
    assert_same(run, build([snn.Leaky(0.9, **HIDDEN), snn.Leaky(0.9, **HIDDEN)], weights), spikes(40, 5, SIZES[0]))


def test_at_the_threshold_neither_fires(run):
    model = nn.Sequential(linear(torch.tensor([[1.0], [1.0 + 2.0**-20]])), snn.Leaky(0.5, **HIDDEN))
    x = torch.ones(1, 1, 1)
    assert by_steps(model, x).tolist() == [[[0.0, 1.0]]]
    assert run(*from_snntorch(model), chip_overrides(model), x).tolist() == [[[0.0, 1.0]]]


def test_the_time_step_is_the_users():
    spec, latents = from_snntorch(nn.Sequential(nn.Flatten(), linear(torch.ones(3, 2)), snn.Leaky(0.5)), dt_s=5e-3)
    assert spec.dt_s == 5e-3 and spec.inputs == {"input": 2}
    assert spec.populations["layer1"].decay_mem == 0.5 and spec.populations["layer1"].decay_syn == 0.0
    with pytest.raises(DescriptionError, match="dt_s is 0; allowed"):
        from_snntorch(nn.Sequential(linear(torch.ones(3, 2)), snn.Leaky(0.5)), dt_s=0)


def late_change():
    cell = snn.Leaky(0.5)
    cell.reset_mechanism = "zero"
    return cell


def three_neurons():
    return recurrent(snn.RLeaky(0.5, linear_features=3), torch.ones(3, 3))


TWO = torch.tensor([0.5, 0.6])
OWN = {"linear_features": 2}
REFUSED = [
    (
        lambda: snn.Leaky(0.5, reset_mechanism="none"),
        r"Leaky\) has reset_mechanism 'none'; supported: 'sub",
    ),
    (late_change, r"Leaky\) has reset_mechanism 'zero', set on a cell built with 'subtract'"),
    (lambda: snn.Leaky(TWO), r"Leaky\) has 2 values of beta; supported: one a layer"),
    (lambda: snn.Leaky(0.5, threshold=TWO), r"Leaky\) has 2 values of threshold"),
    (lambda: snn.Leaky(0.5, threshold=-1.0), r"Leaky\) has threshold = -1; "),
    (lambda: snn.Leaky(0.5, graded_spikes_factor=2.0), r"Leaky\) has graded_spikes_factor 2; supported: spikes of 1"),
    (lambda: snn.Leaky(0.5, state_quant=torch.round), r"Leaky\) has state_quant"),
    (lambda: snn.Leaky(0.5, spike_grad=torch.sigmoid), r"Leaky\) has a spike_grad that does not fire"),
    (
        lambda: snn.Synaptic(0.5, 0.5),
        r"Synaptic\) has .*'subtract' .* supported: reset_mechanism='zero', reset_delay=False;",
    ),
    (lambda: snn.RSynaptic(0.5, 0.5, **OWN), r"RSynaptic\) has .*'subtract' .* supported: reset_mechanism='zero';"),
    (lambda: snn.RSynaptic(0.5, 0.5, reset_delay=False, **OWN), r"RSynaptic\) has reset_delay=False, which"),
    (lambda: snn.RLeaky(0.5, **OWN), r"1.recurrent \(Linear\) has a bias .*, or set 1.recurrent.bias = None"),
    (lambda: snn.RLeaky(0.5, all_to_all=False), r"1.recurrent \(RecurrentOneToOne\) has no matrix"),
    (three_neurons, r"RLeaky\) has 3 recurrent neurons; supported: 2"),
    (lambda: snn.Alpha(0.9, 0.8), r"Alpha\) has no counterpart; supported: Linear, Leaky, Synaptic"),
    (lambda: snn.Lapicque(0.5), r"Lapicque\) has no counterpart"),
]


@pytest.mark.parametrize("cell, message", REFUSED)
def test_what_has_no_counterpart_is_refused_by_name(cell, message):
    with pytest.raises(DescriptionError, match=message) as refused:
        from_snntorch(nn.Sequential(linear(torch.ones(2, 2)), cell()))
    assert str(refused.value).startswith("1")


@pytest.mark.filterwarnings("ignore:Inhibition is an unstable feature")
def test_inhibition_is_refused():
    with pytest.raises(DescriptionError, match=r"^1 \(Leaky\) has inhibition=True"):
        from_snntorch(nn.Sequential(linear(torch.ones(2, 2)), snn.Leaky(0.5, inhibition=True)))


@pytest.mark.parametrize("name", ["atan", "fast_sigmoid", "sigmoid", "straight_through_estimator", "heaviside", "SFS"])
def test_every_surrogate_of_a_step_is_accepted(name):
    from_snntorch(nn.Sequential(linear(torch.ones(2, 2)), snn.Leaky(0.5, spike_grad=getattr(surrogate, name)())))
