"""A plain loop over `neuro.dynamics.step`: what a converted network computes, without placement or memories."""

import warnings

import pytest
import torch

from neuro.dynamics import NeuronModel, ParameterSet, State, stack, step

with warnings.catch_warnings():  # norse 1.1 compiles with torch.jit as it is imported, which torch 2.13 deprecates
    warnings.simplefilter("ignore", DeprecationWarning)
    import norse.torch  # noqa: F401


def constants(population, dt_s):
    rest = round(population.refractory_s / dt_s)
    return ParameterSet(
        population.decay_mem, (population.decay_syn,), population.threshold, population.v_reset, refractory_steps=rest
    )


def loop(spec, latents, overrides, x):
    """Give the spikes {population: [T, B, N]} of input x [T, B, n]; every projection has its delay."""
    model = NeuronModel(**{key.removeprefix("neuron."): value for key, value in (o.split("=") for o in overrides)})
    past = {"input": x} | {name: torch.zeros(len(x), x.shape[1], p.size) for name, p in spec.populations.items()}
    fixed = {name: stack([constants(p, spec.dt_s)], [p.size]) for name, p in spec.populations.items()}
    states = {name: State.zero(x.shape[1], p.size, 1) for name, p in spec.populations.items()}
    for t in range(len(x)):
        for name in spec.populations:
            drive = torch.zeros(x.shape[1], spec.populations[name].size)
            for source, weights in latents[name].items():
                if (sent := t - spec.projection(source, name).delay) >= 0:
                    drive = drive + past[source][sent] @ weights.T
            past[name][t], states[name] = step(model, fixed[name], states[name], [drive])
    return past


@pytest.fixture
def run():
    """Run a converted model on x and give its output spikes, shifted back to the original's steps."""
    from neuro.interop import shift_of

    def aligned(spec, latents, overrides, x):
        shift = shift_of(spec, spec.outputs["output"].population)
        padded = torch.cat([x, torch.zeros(shift, *x.shape[1:])])
        return loop(spec, latents, overrides, padded)[spec.outputs["output"].population][shift:]

    return aligned


@pytest.fixture
def draw():
    """Draw dyadic weights [n_out, n_in], multiples of 1/64, and spike trains [T, B, n]."""

    def make(seed):
        generator = torch.Generator().manual_seed(seed)

        def weights(n_out, n_in, low=-32, high=48):
            return torch.randint(low, high, (n_out, n_in), generator=generator) / 64

        def spikes(steps, batch, n, p=0.3):
            return (torch.rand(steps, batch, n, generator=generator) < p).float()

        return weights, spikes

    return make
