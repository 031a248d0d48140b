"""Networks on a device against a plain loop over neurons that reads codes, bases and factors itself."""

import math

import numpy as np
import pytest
import torch
from random_networks import random_events, random_network, with_mismatch

import neuro
from neuro.silicon import deviation_of

f32 = np.float32


def factor(virtual, parameter, place, name=None):
    before = [n for c, k, n in virtual.held if (c, k) < (place[0], place[1])]
    found = virtual.factors[parameter][sum(before) + place[2]]
    return float(found if name is None else found[virtual.names[parameter].index(name)])


def constants_of(plan, population, place, virtual):
    p = plan.parameters[population]

    def decay(value, f):
        return f32(math.exp(math.log(value) / f)) if value else f32(0)

    tau = factor(virtual, "tau_mem", place)
    exponential = plan.chip.neuron.leak == "exponential"
    return {
        "leak": decay(p.leak, tau) if exponential else f32(p.leak / tau),
        "syn": [
            decay(d, factor(virtual, "tau_syn", place, c)) for c, d in zip(plan.currents, p.decay_syn, strict=True)
        ],
        "theta": f32(p.theta * factor(virtual, "threshold", place)),
        "v_reset": f32(p.v_reset * factor(virtual, "v_reset", place)),
        "bias": f32(p.bias * factor(virtual, "bias", place)),
        "beta": f32(p.beta * factor(virtual, "adaptation_strength", place)),
        "decay_a": decay(p.decay_a, factor(virtual, "adaptation", place)),
        "rest": round(p.refractory_steps * factor(virtual, "refractory", place)),
        "floor": f32(p.floor),
    }


def word_value(network, population, n, column, current, line, virtual):
    """One entry's weight on the device, from the code alone."""
    plan, memory, place = network.plan, network.memories[population], network.plan.locations[population][n]
    core = plan.cores.index((int(place[0]), int(place[1])))
    grid = 2.0 ** int(network.bases.exponents[core])
    units = network.bases.units[core].tolist()
    rounded = lambda value: max(round(abs(value)), 1) if value else 0  # noqa: E731
    types = {t.name: t for t in plan.types}
    if plan.chip.weights.kind == "counts":
        total = 0
        for k, name in enumerate(network.bases.names):
            entry = next(c for c in plan.chip.currents if c.name == plan.currents[current])
            if name in (*entry.types, *entry.shunting):
                worth = rounded(units[k] * factor(virtual, "weight", place, name))
                total += types[name].sign * worth * int(memory.code[n, column, k, line])
        return total * grid
    code = int(memory.code[n, column, current, line])
    kind = plan.type_of(plan.currents[current], 1 if code > 0 else -1)
    total = 0
    for bit, unit in enumerate(units):
        if abs(code) >> bit & 1:
            total += rounded(
                unit * factor(virtual, "weight", place, kind.name) * factor(virtual, "base", place, f"W{bit}")
            )
    return math.copysign(total, code) * grid


def slow_spikes(network, x, virtual):
    """Spikes by (population, neuron, step) of one sample, every number a numpy scalar."""
    plan, spec = network.plan, network.plan.spec
    model = plan.chip.neuron
    steps = len(next(iter(x.values())))
    sent = {name: np.zeros((steps, n)) for name, n in spec.inputs.items()}
    sent = {name: x[name][:, 0].numpy() for name in sent}
    sent |= {name: np.zeros((steps, p.size)) for name, p in spec.populations.items()}
    neurons = []
    for name, p in spec.populations.items():
        for n in range(p.size):
            k = constants_of(plan, name, plan.locations[name][n], virtual)
            words = []
            for source, place in plan.columns(name).items():
                for m in range(place.start, place.stop):
                    for c in range(len(plan.currents)):
                        for line, extra in enumerate(spec.delay_lines):
                            w = word_value(network, name, n, m, c, line, virtual)
                            if w:
                                words.append((source, m - place.start, c, plan.source_delay(source) + extra, w))
            neurons.append(
                (name, n, k, words, {"v": f32(0), "a": f32(0), "i": [f32(0)] * len(plan.currents), "rest": 0})
            )
    for t in range(steps):
        for name, n, k, words, s in neurons:
            for c in range(len(plan.currents)):
                total = sum(w * sent[source][t - d, m] for source, m, cc, d, w in words if cc == c and t >= d)
                s["i"][c] = f32(f32(k["syn"][c] * s["i"][c]) + f32(total))
            u = f32(k["leak"] * s["v"]) if model.leak == "exponential" else f32(s["v"] - k["leak"])
            for current in s["i"]:
                u = f32(u + current)
            u = f32(u + k["bias"])
            if model.adaptation == "current":
                u = f32(u - f32(k["beta"] * s["a"]))
            if model.floor is not None:
                u = max(u, k["floor"])
            theta = f32(k["theta"] + f32(k["beta"] * s["a"])) if model.adaptation == "threshold" else k["theta"]
            fires = u >= theta and s["rest"] == 0
            jump = f32(u - k["theta"]) if model.reset == "subtract" else k["v_reset"]
            after = jump if fires else u
            if s["rest"] and model.refractory == "hold":
                after = k["v_reset"]
            s["rest"] = k["rest"] if fires else max(s["rest"] - 1, 0)
            s["a"] = f32(f32(k["decay_a"] * s["a"]) + f32(fires))
            s["v"] = after
            sent[name][t, n] = fires
    return {name: sent[name] for name in spec.populations}


@pytest.mark.parametrize("name", ["dynapse1", "dynapse2"])
def test_a_loop_over_neurons_gives_the_same_spikes(name):
    spikes = 0
    for seed in range(12):
        rng = np.random.default_rng([7, seed])
        network = with_mismatch(random_network(rng, name), rng)
        virtual = neuro.virtual_chip(network.plan.chip, seed)
        x = random_events(rng, network, batch=1)
        with torch.inference_mode():
            record = network(
                x, record=tuple(network.plan.spec.populations), deviation=deviation_of(network.plan, virtual)
            )[1]
        for population, z in slow_spikes(network, x, virtual).items():
            assert np.array_equal(z, record.spikes[population][:, 0].numpy()), (seed, population)
            spikes += int(z.sum())
    assert spikes > 100
