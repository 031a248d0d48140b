"""Small networks of random structure, constants and base weights on any chip, and random events for them."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import torch

import neuro
from neuro.descriptor import Chip, Mismatch
from neuro.errors import FitError
from neuro.silicon import deviation_of
from neuro.task import NetworkSpec

CHIPS = {
    "dynapse1": [(), ("slots=5",), ("cores.neurons=8", "tags.own_bits=3"), ("inputs.events_per_step=3",)],
    "dynapse2": [
        (),
        ("slots=4",),
        ("board.columns=2", "board.rows=2", "cores.neurons=4"),
        ("cores.per_chip=2", "board.columns=3", "cores.neurons=6"),
    ],
    "generic": [(), ("slots=3",), ("inputs.events_per_step=5",), ("neuron.adaptation=current", "neuron.floor=-0.25")],
    "binary-core": [
        (),
        ("cores.neurons=5",),
        ("weights.levels=[-2.0, -0.5, 0.5, 1.0, 3.0]", "weights.sign=free", "weights.slots=6"),
        ("weights.levels=[-1.0, 0.25, 1.0]", "weights.sign=type", "weights.slots=9"),
        ("weights.levels=[0.5, 1.5]", "weights.sign=row", "neuron.adaptation=threshold"),
        ("cores.per_chip=40", "cores.neurons=4"),
        ("weights.slots=3", "neuron.adaptation=current", "inputs.events_per_step=2"),
    ],
    "pcm-crossbar": [
        (),
        ("devices.states=3", "devices.ratio=5.0", "devices.nonlinearity=2.0"),
        ("devices.states=4", "devices.ratio=4.0", "devices.gain=0.7", "cores.neurons=9"),
        ("devices.states=2", "devices.gain=0.5", "cores.per_chip=40", "cores.neurons=4"),
        ("weights.bases=[{name: plus}, {name: minus}]", "devices.states=5", "inputs.events_per_step=3"),
    ],
    "truenorth": [
        (),
        ("cores.neurons=5", "cores.axons=6", "cores.per_chip=32", "board.columns=2"),
        ("cores.neurons=4", "cores.axons=9", "cores.per_chip=60"),
        ("neuron.reset=subtract", "neuron.floor=null", "weights.weight_bits=5", "cores.axons=3"),
        ("neuron.leak=linear_to_zero", "weights.axon_types=1", "cores.neurons=7", "neuron.floor=-0.5"),
    ],
    "loihi": [
        ("weights.levels=[-3.0, -1.0, 1.0, 2.0, 5.0]",),
        ("cores.memory.bits=640", "cores.neurons=4", "cores.per_chip=6", "weights.levels=[-9.0, -4.0, 4.0, 9.0]"),
        ("cores.neurons=5", "neuron.sets_per_core=1", "neuron.distinct_per_core.threshold=1", "neuron.decay_bits=3"),
    ],
    "xylo-audio2": [
        ("weights.levels=[-7.0, -2.0, -1.0, 1.0, 3.0]",),
        ("weights.fan_out=3", "weights.fan_out_mean=1", "cores.neurons=20", "cores.outputs=8", "neuron.decay_bits=3"),
        ("weights.fan_out=2", "inputs.events_per_step=2", "weights.shifts=[0, 2]", "neuron.floor=0.0"),
    ],
    "brainscales2": [("weights.levels=[1.0, 4.0, 9.0]",), ("cores.neurons=5", "cores.per_chip=8"), ("cores.axons=9",)],
    "odin": [
        ("weights.base_max=0.125",),
        ("cores.neurons=16", "tags.own_bits=4", "tags.bits=6", "weights.base_max=0.125"),
        ("weights.shifts=[0, 1]", "tags.echo=false", "weights.base_max=0.125"),
    ],
}


@cache
def chip_of(name: str, overrides: tuple[str, ...]) -> Chip:
    return neuro.load_chip(name, overrides)


def random_network(rng: np.random.Generator, name: str) -> neuro.Network:
    """Draw until something fits."""
    for _ in range(50):
        overrides = CHIPS[name][rng.integers(len(CHIPS[name]))]
        chip = chip_of(name, overrides)
        try:
            plan = neuro.place(random_spec(rng, chip), chip)
        except FitError:
            continue
        network = neuro.Network(plan, seed=int(rng.integers(10**6)))
        if rng.random() < 0.7:
            with torch.no_grad():
                moved = torch.from_numpy(rng.normal(0, 0.7, network.bases.latent.shape)).float()
                network.bases.latent += moved
            network.project()
        if chip.weights.sign == "source" and rng.random() < 0.8:
            _excite(network)
        return network.eval()
    raise AssertionError(f"no network fitted on {name}")


def _excite(network: neuro.Network) -> None:
    """Let every input excite: where a source has one sign for all who hear it, chance alone keeps most networks silent."""
    with torch.no_grad():
        for target, latent in network.latents.items():
            for source, columns in network.plan.columns(target).items():
                if source in network.plan.spec.inputs:
                    latent[:, columns] = latent[:, columns].abs()
    network.project()


def with_mismatch(network: neuro.Network, rng: np.random.Generator, spread: float = 0.3) -> neuro.Network:
    """The same network on a chip whose devices differ in everything they can differ in."""
    chip = network.plan.chip
    names = ["tau_mem", "tau_syn", "threshold", "v_reset", "refractory", "adaptation", "adaptation_strength", "bias"]
    names += ["weight"] + ["base"] * (chip.weights.kind == "masks")
    found = Mismatch(
        distribution=str(rng.choice(["lognormal", "gaussian"])),
        neuron=dict.fromkeys(names, spread),
        core=dict.fromkeys(names, spread / 3),
    )
    plan = replace(network.plan, chip=chip.model_copy(update={"mismatch": found}))
    other = neuro.Network(plan, seed=0)
    other.load_state_dict(network.state_dict())
    return other.eval()


def random_spec(rng: np.random.Generator, chip: Chip) -> NetworkSpec:
    inputs = {f"in{k}": int(rng.integers(1, 6)) for k in range(rng.integers(1, 3))}
    lines = _lines(rng, chip)
    slow = "slow" in [c.name for c in chip.currents] and rng.random() < 0.6
    populations = {f"p{k}": _population(rng, chip, slow) for k in range(rng.integers(1, 4))}
    delays = {n: p.get("route_delay", 1) for n, p in populations.items()}
    projections = []
    for target in populations:
        sources = [s for s in (*inputs, *populations) if rng.random() < 0.55] or [next(iter(inputs))]
        for source in sources:
            projection = {"from": source, "to": target}
            if rng.random() < 0.3 and chip.weights.axon_types is None:  # there placement may add a splitter's step
                projection["delay"] = delays.get(source, 0) + int(rng.choice(lines))
            if source == target and rng.random() < 0.5:
                projection["autapses"] = True
            projections.append(projection)
    outputs = {f"out{k}": _output(rng, populations) for k in range(1 + (rng.random() < 0.3))}
    if chip.cores.outputs is not None:
        projections = _only_read(next(iter(inputs)), populations, projections, outputs)
    return NetworkSpec.model_validate(
        {
            "dt_s": 1e-3,
            "inputs": inputs,
            "populations": populations,
            "projections": tuple(projections),
            "outputs": outputs,
            "delay_lines": tuple(lines),
            "shunting_as_subtractive": bool(rng.random() < 0.3),
        }
    )


def _only_read(first: str, populations: dict, projections: list[dict], outputs: dict) -> list[dict]:
    """Read out populations that hear hidden ones through the first current alone, and that nobody hears."""
    read = {output["population"] for output in outputs.values()}
    if read == set(populations):
        populations["p9"] = {**populations[min(read)], "size": 4}
    hidden = sorted(set(populations) - read)
    kept = [p for p in projections if p["from"] not in read and (p["to"] not in read or p["from"] in populations)]
    heard = {p["to"] for p in kept}
    kept += [{"from": first, "to": name} for name in hidden if name not in heard]
    for name in read:
        kept += [] if name in heard else [{"from": hidden[0], "to": name}]
        if isinstance(populations[name].get("tau_syn_s"), dict):
            populations[name] = {**populations[name], "tau_syn_s": 0.005}
    return kept


def _lines(rng, chip: Chip) -> list[int]:
    most, longest = min(chip.delays.lines, 3), min(chip.delays.line_max, 6)
    if most == 1 or rng.random() < 0.3:
        return [0]
    lines = sorted(rng.choice(longest + 1, size=rng.integers(1, most + 1), replace=False).tolist())
    return [0, *lines[1:]] if chip.delays.undelayed and len(lines) == chip.delays.lines else lines


def _population(rng, chip: Chip, slow: bool) -> dict:
    p = {
        "size": int(rng.integers(1, 8)),
        "init_gain": float(rng.uniform(1, 5)),
        "threshold": float(rng.choice([1.0, 0.3, 2.5])),
        "refractory_s": 1e-3 * int(rng.integers(0, 4)),
    }
    whole = chip.neuron.constant_bits
    slowest = 0.99 if chip.neuron.decay_bits else 1
    exact = {"decay_mem": float(rng.choice([0, 0.9, slowest]))}
    if chip.neuron.leak.startswith("linear"):
        exact = {"leak": float(rng.choice([0.0, 0.1]))}
    p |= {"tau_mem_s": float(rng.uniform(2e-3, 4e-2))} if rng.random() < 0.7 else exact
    taus = {"fast": float(rng.uniform(1e-3, 1e-2)), "slow": float(rng.uniform(1e-2, 5e-2))}
    if not slow:
        p |= (
            {"tau_syn_s": taus["fast"]}
            if rng.random() < 0.7
            else {"decay_syn": 0.0 if chip.currents[0].instant else float(rng.choice([0.0, 0.6]))}
        )
    else:
        chosen = [("fast", "slow"), ("slow",), ("fast",)][rng.integers(3)]
        p["tau_syn_s"] = {c: taus[c] for c in chosen}
    if rng.random() < 0.3:
        p["bias"] = float(rng.normal(0, 0.1)) * (0.0 if whole.get("bias") == 1 else p["threshold"] if whole else 1.0)
    if chip.neuron.reset == "to_value" and whole.get("v_reset", 24) > 1 and rng.random() < 0.5:
        p["v_reset"] = float(rng.uniform(0, 0.2))
    if chip.neuron.adaptation != "none" and rng.random() < 0.5:
        p["adaptation"] = {"strength": float(rng.uniform(0.05, 0.5)), "tau_s": float(rng.uniform(5e-3, 5e-2))}
    if chip.delays.route_max > 1 and rng.random() < 0.5:
        p["route_delay"] = int(rng.integers(1, 5))
    return p


def _output(rng, populations: dict) -> dict:
    name = str(rng.choice(list(populations)))
    size = populations[name]["size"]
    if rng.random() < 0.3:
        return {"population": name, "readout": "linear", "classes": int(rng.integers(1, 4)), "tau_out_s": 0.02}
    divisors = [d for d in range(1, size + 1) if size % d == 0]
    return {"population": name, "classes": int(rng.choice(divisors)) if rng.random() < 0.6 else None}


def random_events(rng, network, steps: int = 24, batch: int = 3, share: float = 0.5) -> dict[str, torch.Tensor]:
    most = network.plan.chip.inputs.events_per_step
    events = {}
    for name, n in network.plan.spec.inputs.items():
        x = rng.integers(1, most + 1, (steps, batch, n)) * (rng.random((steps, batch, n)) < share)
        events[name] = torch.from_numpy(x).float()
    return events


def differences(network, tables, x, virtual=None) -> list[str]:
    """Everything in which a replay of tables is not the network, on one device: spikes, v bit for bit, outputs."""
    names = tuple(network.plan.spec.populations)
    deviation = None if virtual is None else deviation_of(network.plan, virtual)
    with torch.inference_mode():
        outputs, trained = network(x, record=names, deviation=deviation)
    again, emulated = neuro.replay(tables, x, record=names, virtual=virtual)
    found = [f"spikes of {n}" for n in names if not torch.equal(trained.spikes[n], emulated.spikes[n])]
    found += [f"v of {n}" for n in names if not torch.equal(_bits(trained.v[n]), _bits(emulated.v[n]))]
    spec = network.plan.spec.outputs
    pairs = ((outputs, again),) if len(spec) == 1 else ((outputs[n], again[n]) for n in spec)
    for (name, output), (a, b) in zip(spec.items(), pairs, strict=True):
        linear = output.readout == "linear"
        same = torch.allclose(a, b, rtol=1e-4, atol=1e-4) if linear else torch.equal(a, b)
        found += [] if same and a.shape == b.shape else [f"output {name}"]
    return found


def _bits(v: torch.Tensor) -> torch.Tensor:
    return (v + 0.0).contiguous().view(torch.int32)  # −0 and 0 are one membrane value
