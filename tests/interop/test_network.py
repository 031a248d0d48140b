"""The whole way: a converted model, placed on the generic chip, spikes as the original does."""

import subprocess
import sys

import norse.torch as norse
import pytest
import snntorch as snn
import torch
from torch import nn

import neuro
from neuro.interop import chip_overrides, shift_of

WORDS = {"bases": {"excitatory": 1 / 64, "inhibitory": 1 / 64}}


def spikes_of(model, converted, x, overrides, **kwargs):
    spec, latents = converted
    chip = neuro.load_chip("generic", [*chip_overrides(model), *overrides])
    network = neuro.Network(neuro.place(spec, chip), latents, **kwargs)
    shift = shift_of(spec, spec.outputs["output"].population)
    outputs, _ = network(torch.cat([x, torch.zeros(shift, *x.shape[1:])]))
    assert network.violations() == []
    return outputs[shift:].detach()


@pytest.mark.parametrize("overrides, kwargs", [(["weights.kind=float"], {}), (["slots=4096"], WORDS)])
@pytest.mark.parametrize("cell", [snn.Leaky, snn.RLeaky, snn.Synaptic, snn.RSynaptic])
def test_snntorch(draw, cell, overrides, kwargs):
    weights, spikes = draw(11)

    def layer(n, m):
        linear = nn.Linear(n, m, bias=False)
        linear.weight.data = weights(m, n)
        decays = (0.75,) if cell in (snn.Leaky, snn.RLeaky) else (0.5, 0.75)
        options = {"reset_mechanism": "subtract" if cell is snn.Leaky else "zero", "init_hidden": True}
        if cell in (snn.Leaky, snn.Synaptic):
            return linear, cell(*decays, **options)
        neurons = cell(*decays, linear_features=m, **options)
        neurons.recurrent.weight.data, neurons.recurrent.bias = weights(m, m), None
        return linear, neurons

    model, x = nn.Sequential(*layer(12, 10), *layer(10, 8)), spikes(30, 4, 12)
    with torch.no_grad():
        original = torch.stack([model(now) for now in x])
    assert 0.01 < original.mean() < 0.9
    assert torch.equal(spikes_of(model, neuro.from_snntorch(model), x, overrides, **kwargs), original)


@pytest.mark.parametrize("overrides, kwargs", [(["weights.kind=float"], {}), (["slots=4096"], WORDS)])
def test_norse(draw, overrides, kwargs):
    weights, spikes = draw(12)
    p = norse.LIFParameters(tau_syn_inv=torch.tensor(0.25), tau_mem_inv=torch.tensor(0.5))

    def layer(n, m):
        own = {"input_weights": 2 * weights(m, n), "recurrent_weights": 2 * weights(m, m, -48, 32)}
        return norse.LIFRecurrent(n, m, p, autapses=True, dt=1.0, **own)

    model, x = norse.SequentialState(layer(12, 10), layer(10, 8)), spikes(30, 4, 12)
    original = model(x)[0].detach()
    assert 0.01 < original.mean() < 0.9
    assert torch.equal(spikes_of(model, neuro.from_norse(model, 1.0), x, overrides, **kwargs), original)


def test_importing_the_room_imports_no_simulator():
    code = "import sys, neuro.interop; assert not {'norse', 'snntorch'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
