"""Training towards conductance pairs: continuously differentiable stages beside their rivals, over bits, ratio, bend, gain.

Two networks 784-32-10 on the first 12,000 training pictures, weights on pairs (one base a layer, least squares on the float
weights); the whole test part, read once a row. `mlp` holds its hidden activations to so many bits, apart from those of the
weights, at the full scale of least squared error (in place of the largest activation's it brings back 0.3 points at 3 x 3
bits, on pictures no row reads). `spiking` takes every pixel as evenly spaced spikes over 12 steps, its hidden neurons leak,
spike and are reset by subtraction, its outputs are mean currents: its activations are spikes, so it has no such bits. Every
way starts from the same float network and trains on for the same number of epochs:

    float    trains on as floats: the twin the gap is taken to
    mapped   the float twin put on the device without training
    stages   sums of scaled sigmoids, from ordinary training to the hard device (`neuro.silicon.staircase`)
    through  straight-through gradients with the same table (`neuro.QRewiring`)
    noisy    the same with 2 % of g_max as programming noise in training

`with_noise`: the same devices with that noise, mean and standard deviation of 20 draws. No figure of arXiv 1809.04982
stands here: its tables were not at hand. Fashion-MNIST is `--dataset fashion_mnist`; EMNIST is read by the same loader:
`--dataset emnist-balanced`. Rows go on one by one; the other options choose which are run.

    python benchmarks/hardware_aware.py [--seeds 0] [--dataset mnist] [--network mlp] [--weight-bits 3]
        [--activation-bits 3] [--plain] [--methods stages through] [--table] [--figure]
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import statistics
import textwrap
from collections import OrderedDict
from functools import cache, partial
from itertools import product
from pathlib import Path

import torch
from pair_network import accuracy, batches
from pictures import pictures
from rows import RESULTS, Rows, write_between
from torch import nn
from torch.nn import functional

import neuro
from neuro.silicon.programming import add_programming_noise, pair_spread
from neuro.silicon.staircase import STAGES, StaircaseActivation, at_stage, staged
from neuro.weights import ConductanceScheme, spaced_levels

HIDDEN, SAMPLES, BATCH = 32, 12_000, 100
FLOAT_EPOCHS, EPOCHS, LR = 8, 8, 1e-3
NOISE, DRAWS = 0.02, 20
LAYERS = ("first", "second")
STEPS, DECAY = 12, 0.9  # of the spiking network
TOPS = 50  # full scales of activations that are tried
NETWORKS, DATASETS = ("mlp", "spiking"), ("mnist", "fashion_mnist")
EMNIST = "emnist: to be run where the data are"
METHODS = ("float", "mapped", "stages", "through", "noisy")
BITS = (3, 4, 2, 1, 8)
PLAIN = {"weight_bits": 3, "activation_bits": 3, "ratio": math.inf, "nonlinearity": 0.0, "gain": 1.0}
AXES = {
    "weight_bits": BITS,
    "activation_bits": BITS,
    "ratio": (5.0, 2.0, 10.0, 100.0),
    "gain": (0.75, 0.5),
    "nonlinearity": (2.0, 4.0),
}


class ThroughActivation(StaircaseActivation):
    """The hard activation, with gradients passed straight through where it does not clip."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.clamp(0, self.top)
        return x + (self.stairs(x) - x).detach()


class Spikes(nn.Module):
    """Turn numbers 0..1 into spikes, evenly spaced: [B, n] -> [T, B, n]."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        until = torch.arange(STEPS + 1)[:, None, None] * x
        return until.floor().diff(dim=0)


class Neurons(nn.Module):
    """Leaky neurons that spike at 1 and are reset by subtraction, [T, B, n]; the slope of a spike is a fast sigmoid's."""

    def forward(self, currents: torch.Tensor) -> torch.Tensor:
        u, spikes = torch.zeros_like(currents[0]), []
        for current in currents:
            u = DECAY * u + current
            spikes.append(Spike.apply(u))
            u = u - spikes[-1].detach()
        return torch.stack(spikes)


class Spike(torch.autograd.Function):
    """1 from the threshold on."""

    @staticmethod
    def forward(ctx, u):
        ctx.save_for_backward(u)
        return (u >= 1).to(u.dtype)

    @staticmethod
    def backward(ctx, grad):
        return grad / (1 + (ctx.saved_tensors[0] - 1).abs()) ** 2


class Mean(nn.Module):
    """The mean over time: [T, B, n] -> [B, n]."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean(0)


def train(model, optimizer, data, seed: int, epochs: int) -> None:
    for epoch in range(epochs):
        model.train()
        for a, b in batches(data["train"], seed, epoch, BATCH):
            optimizer.zero_grad()
            functional.cross_entropy(model(a), b).backward()
            optimizer.step()
    model.eval()


def first_float(data, seed: int, network: str) -> nn.Sequential:
    """Train the float network everything starts from."""
    torch.manual_seed(seed)
    classes = int(data["train"][1].max()) + 1
    first, second = nn.Linear(784, HIDDEN), nn.Linear(HIDDEN, classes)
    if network == "mlp":
        parts = {"first": first, "hidden": nn.ReLU(), "second": second}
    else:
        parts = {"spikes": Spikes(), "first": first, "hidden": Neurons(), "second": second, "mean": Mean()}
    model = nn.Sequential(OrderedDict(parts))
    train(model, torch.optim.Adam(model.parameters(), LR), data, seed, FLOAT_EPOCHS)
    return model


def schemes_for(model, device: dict) -> dict[str, ConductanceScheme]:
    """Give each layer the pairs of a device, with the base that suits its weights."""
    levels = spaced_levels(2 ** device["weight_bits"], device["ratio"], device["nonlinearity"])
    plain = ConductanceScheme(levels, (1.0,), device["gain"], variance=(NOISE**2,) * len(levels))
    found = {}
    for layer in LAYERS:
        base = plain.initial_bases(model.get_submodule(layer).weight)
        found[f"{layer}.weight"] = plain.with_bases(base)
    return found


def best_top(model, data, bits: int) -> float:
    """Give the full scale at which hidden activations of so many bits have the least squared error."""
    with torch.no_grad():
        hidden = functional.relu(model.first(data["train"][0][:2000]))

    def error(top: float) -> float:
        step = top / (2**bits - 1)
        return float(((hidden.clamp(max=top) / step).round() * step - hidden).square().mean())

    return min((share / TOPS * float(hidden.max()) for share in range(1, TOPS + 1)), key=error)


def with_activation(model, kind, device: dict, top: float | None) -> nn.Sequential:
    """Give a copy whose activations are held to the device's bits; spikes stay what they are."""
    model = copy.deepcopy(model)
    if top is not None:
        model.hidden = kind(device["activation_bits"], top)
    return model


def trained(method: str, device: dict, model, twin, data, seed: int):
    """Give the network on the hard device."""
    top = best_top(model, data, device["activation_bits"]) if "activation_bits" in device else None
    if method == "mapped":
        return neuro.constrain(with_activation(twin, ThroughActivation, device, top), schemes_for(twin, device)).eval()
    schemes, hard = schemes_for(model, device), with_activation(model, ThroughActivation, device, top)
    if method == "stages":
        smooth = with_activation(model, StaircaseActivation, device, top)
        stairs = staged(smooth, schemes)
        for number, stage in enumerate(STAGES[1:]):
            at_stage(stairs, stage)
            optimizer = torch.optim.Adam(smooth.parameters(), LR)
            train(smooth, optimizer, data, seed * 10 + number + 1, EPOCHS // len(STAGES[1:]))
        with torch.no_grad():
            for layer in LAYERS:
                own, its = hard.get_submodule(layer), smooth.get_submodule(layer)
                own.weight.copy_(its.parametrizations.weight.original)
                own.bias.copy_(its.bias)
        return neuro.constrain(hard, schemes).eval()
    held = neuro.constrain(hard, schemes)
    if method == "noisy":
        add_programming_noise(held, seed)
    train(held, neuro.QRewiring(torch.optim.Adam(held.parameters(), LR), held), data, seed, EPOCHS)
    return held


def row(method: str, device: dict, model, twin, data, seed: int) -> dict:
    """Train one way on one device and measure it."""
    if method == "float":
        return {"test": accuracy(twin(), data["test"])}
    held = trained(method, device, model(), twin() if method == "mapped" else None, data, seed)
    assert held.violations() == []
    found = {"test": accuracy(held, data["test"])}
    generator, plain = torch.Generator().manual_seed(seed), copy.deepcopy(model())
    plain.hidden, noisy = held.module.hidden, []
    for _ in range(DRAWS):
        with torch.no_grad():
            for layer, (_, _, memory) in zip(LAYERS, held.synapses(), strict=True):
                spread = pair_spread(memory.scheme, memory.code).float()
                noise = torch.randn(spread.shape, generator=generator)
                plain.get_submodule(layer).weight.copy_(memory.weight + spread * noise)
                plain.get_submodule(layer).bias.copy_(held.module.get_submodule(layer).bias)
        noisy.append(accuracy(plain, data["test"]))
    return {**found, "with_noise": statistics.mean(noisy), "noise_sd": statistics.stdev(noisy)}


def devices(network: str):
    """Give every device: each axis from the middle one, then the rest of weight by activation bits."""
    plain = {name: value for name, value in PLAIN.items() if network == "mlp" or name != "activation_bits"}
    yield plain
    for axis in plain:
        for value in AXES[axis]:
            if value != plain[axis]:
                # an unequal gain alone shifts nothing where devices switch off
                yield {**plain, axis: value, **({"ratio": 10.0} if axis == "gain" else {})}
    others = [bits for bits in BITS if bits != 3]
    for weight, activation in product(others, others) if network == "mlp" else ():
        yield {**plain, "weight_bits": weight, "activation_bits": activation}


def key_of(network: str, dataset: str, seed: int, method: str, device: dict) -> dict:
    ratio = "infinite" if device["ratio"] == math.inf else device["ratio"]
    plain = {} if method == "float" else {**device, "ratio": ratio}
    return {"network": network, "dataset": dataset, "seed": seed, "method": method, **plain}


def told(device: dict) -> str:
    """Name a device: weight by activation bits, and what differs from the plain one."""
    bits = f"{device['weight_bits']} x {device.get('activation_bits', 'spikes')}"
    words = [f"{name} {device[name]:g}" for name in ("ratio", "nonlinearity", "gain") if device[name] != PLAIN[name]]
    return ", ".join([bits, *words])


def table(rows: Rows, network: str, dataset: str, seeds) -> str:
    """Lay out accuracies, in percent, mean over seeds (their number); what was not run says so."""

    every = {json.dumps(found["key"], sort_keys=True): found for found in rows}

    def one(seed: int, device: dict, method: str) -> dict | None:
        return every.get(json.dumps(key_of(network, dataset, seed, method, device), sort_keys=True))

    def cell(device: dict, method: str) -> str:
        own = [
            s for s in seeds if any(one(s, device, m) for m in METHODS if m != "float")
        ]  # of twins, those beside rows
        found = [r for s in own if (r := one(s, device, method))]
        if not found:
            return "not run"
        noise = ""
        if "with_noise" in found[0]:
            noise = f" ({100 * statistics.mean(r['with_noise'] for r in found):.2f})"
        return f"{100 * statistics.mean(r['test'] for r in found):.2f}{noise} {len(found)}"

    lines = [f"{f'{network} on {dataset}':<28}" + "".join(f"{m:>18}" for m in METHODS)]
    missing = []
    for device in devices(network):
        cells = {method: cell(device, method) for method in METHODS}
        if all(found == "not run" for method, found in cells.items() if method != "float"):
            missing.append(told(device))
        else:
            lines.append(f"{told(device):<28}" + "".join(f"{found:>18}" for found in cells.values()))
    return "\n".join([*lines, *textwrap.wrap(f"not run: {'; '.join(missing)}" if missing else "", 110)])


def figure(rows: Rows, network: str, dataset: str, seeds, path: Path) -> None:
    """Draw the gap to the float twin along every axis, the others at the plain device's."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(1, len(AXES), figsize=(15, 4), sharey=True)
    for ax, axis in zip(axes, AXES, strict=True):
        for method in METHODS[1:]:
            points = []
            for device in devices(network):
                others = {k: v for k, v in PLAIN.items() if k != axis} | ({"ratio": 10.0} if axis == "gain" else {})
                if axis not in device or any(device.get(k, v) != v for k, v in others.items()):
                    continue
                keys = [[key_of(network, dataset, s, m, device) for m in ("float", method)] for s in seeds]
                pairs = [[rows.find(**key) for key in both] for both in keys]
                gaps = [100 * (a["test"] - b["test"]) for a, b in pairs if a and b]
                if gaps:
                    points.append((min(device[axis], 1000.0), statistics.mean(gaps)))
            if points:
                ax.plot(*zip(*sorted(points), strict=True), "o-", label=method)
        ax.set(xlabel=axis, xscale="log" if axis == "ratio" else "linear")
    axes[0].set(ylabel="points below the float twin", yscale="symlog")
    axes[0].legend()
    fig.tight_layout()
    fig.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--dataset", default="mnist")
    parser.add_argument("--network", choices=NETWORKS, default="mlp")
    parser.add_argument("--methods", choices=METHODS, nargs="+", default=METHODS)
    parser.add_argument("--weight-bits", type=int, choices=sorted(BITS), nargs="+", default=BITS)
    parser.add_argument("--activation-bits", type=int, choices=sorted(BITS), nargs="+", default=BITS)
    parser.add_argument("--plain", action="store_true", help="bits alone: infinite ratio, no bend, equal gains")
    parser.add_argument("--samples", type=int, default=SAMPLES, help="fewer for a quick try")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--table", action="store_true", help="run nothing; write the table of benchmarks/README.md")
    parser.add_argument("--figure", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)
    about = {
        "network": f"784-{HIDDEN}",
        "samples": args.samples,
        "float_epochs": FLOAT_EPOCHS,
        "epochs": EPOCHS,
        "noise": NOISE,
        "steps": STEPS,
        "decay": DECAY,
    }
    rows = Rows("hardware_aware", about, args.out)
    if not args.table:
        measure(rows, args)
    print(table(rows, args.network, args.dataset, args.seeds))
    if args.table:
        shown = [table(rows, network, dataset, range(10)) for network in NETWORKS for dataset in DATASETS]
        write_between("hardware-aware", "hardware_aware.py --table", "\n\n".join([*shown, EMNIST]))
    if args.figure:
        figure(rows, args.network, args.dataset, args.seeds, rows.path.with_suffix(".png"))


def measure(rows: Rows, args) -> None:
    """Run the rows that were asked for and are missing."""
    data = pictures(args.dataset)
    data["train"] = tuple(part[: args.samples] for part in data["train"])
    for seed in args.seeds:
        model = cache(partial(first_float, data, seed, args.network))

        @cache
        def twin(model=model, seed=seed):
            found = copy.deepcopy(model())
            train(found, torch.optim.Adam(found.parameters(), LR), data, seed, EPOCHS)
            return found

        for device in devices(args.network):
            bits = device["weight_bits"] in args.weight_bits
            bits = bits and device.get("activation_bits", args.activation_bits[0]) in args.activation_bits
            if not bits or (args.plain and any(device[k] != PLAIN[k] for k in ("ratio", "nonlinearity", "gain"))):
                continue
            for method in args.methods:
                job = partial(row, method, device, model, twin, data, seed)
                rows.measure(job, **key_of(args.network, args.dataset, seed, method, device))


if __name__ == "__main__":
    main()
