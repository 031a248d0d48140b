"""Training towards conductance pairs: continuously differentiable stages beside their rivals, over bits, ratio, bend, gain.

An MLP 784-32-10 on the first 12,000 training pictures, weights on pairs (one base a layer, least squares on the float
weights), activations at the same bits; the whole test part, read once a row. Every way starts from the same float network
and trains on for the same number of epochs:

    float    trains on as floats: the twin the gap is taken to
    mapped   the float twin put on the device without training
    stages   sums of scaled sigmoids, from ordinary training to the hard device (`neuro.silicon.staircase`)
    through  straight-through gradients with the same table (`neuro.QRewiring`)
    noisy    the same with 2 % of g_max as programming noise in training

`with_noise`: the same devices with that noise, mean and standard deviation of 20 draws. No figure of arXiv 1809.04982
stands here: its tables were not at hand. EMNIST is read by the same loader: `--dataset emnist-balanced`.

    python benchmarks/hardware_aware.py [--seeds 0] [--dataset mnist] [--table] [--figure]
"""

from __future__ import annotations

import argparse
import copy
import math
import statistics
from functools import cache, partial
from pathlib import Path

import torch
from pair_network import batches
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
WEIGHTS = ("0.weight", "2.weight")
EMNIST = "emnist: to be run where the data are"
METHODS = ("float", "mapped", "stages", "through", "noisy")
PLAIN = {"bits": 3, "ratio": math.inf, "nonlinearity": 0.0, "gain": 1.0}
AXES = {
    "bits": (3, 4, 2, 1, 8),
    "ratio": (5.0, 2.0, 10.0, 100.0),
    "gain": (0.75, 0.5),
    "nonlinearity": (2.0, 4.0),
}


class ThroughActivation(StaircaseActivation):
    """The hard activation, with gradients passed straight through where it does not clip."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.clamp(0, self.top)
        return x + (self.stairs(x) - x).detach()


def train(model, optimizer, data, seed: int, epochs: int) -> None:
    for epoch in range(epochs):
        model.train()
        for a, b in batches(data["train"], seed, epoch, BATCH):
            optimizer.zero_grad()
            functional.cross_entropy(model(a), b).backward()
            optimizer.step()
    model.eval()


@torch.no_grad()
def accuracy(model, part) -> float:
    x, y = part
    return float((model(x).argmax(1) == y).float().mean())


def first_float(data, seed: int) -> nn.Sequential:
    """Train the float network everything starts from."""
    torch.manual_seed(seed)
    classes = int(data["train"][1].max()) + 1
    model = nn.Sequential(nn.Linear(784, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, classes))
    train(model, torch.optim.Adam(model.parameters(), LR), data, seed, FLOAT_EPOCHS)
    return model


def schemes_for(model, device: dict) -> dict[str, ConductanceScheme]:
    """Give each layer the pairs of a device, with the base that suits its weights."""
    levels = spaced_levels(2 ** device["bits"], device["ratio"], device["nonlinearity"])
    plain = ConductanceScheme(levels, (1.0,), device["gain"], variance=(NOISE**2,) * len(levels))
    found = {}
    for name in WEIGHTS:
        base = plain.initial_bases(model.get_parameter(name))
        found[name] = plain.with_bases(base)
    return found


def with_activation(model, activation) -> nn.Sequential:
    model = copy.deepcopy(model)
    model[1] = activation
    return model


def trained(method: str, device: dict, model, twin, data, seed: int):
    """Give the network on the hard device, its schemes and its top activation."""
    with torch.no_grad():
        hidden = functional.relu(model[0](data["train"][0][:2000]))
    top = float(hidden.flatten().quantile(0.999)) if hidden.numel() < 2**24 else float(hidden.max())
    if method == "mapped":
        return neuro.constrain(
            with_activation(twin, ThroughActivation(device["bits"], top)), schemes_for(twin, device)
        ).eval()
    schemes = schemes_for(model, device)
    if method == "stages":
        smooth = with_activation(model, StaircaseActivation(device["bits"], top))
        stairs = staged(smooth, schemes)
        for number, stage in enumerate(STAGES[1:]):
            at_stage(stairs, stage)
            optimizer = torch.optim.Adam(smooth.parameters(), LR)
            train(smooth, optimizer, data, seed * 10 + number + 1, EPOCHS // len(STAGES[1:]))
        hard = with_activation(model, ThroughActivation(device["bits"], top))
        with torch.no_grad():
            for layer in (0, 2):
                hard[layer].weight.copy_(smooth[layer].parametrizations.weight.original)
                hard[layer].bias.copy_(smooth[layer].bias)
        return neuro.constrain(hard, schemes).eval()
    held = neuro.constrain(with_activation(model, ThroughActivation(device["bits"], top)), schemes)
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
    plain[1], noisy = held.module[1], []
    for _ in range(DRAWS):
        with torch.no_grad():
            for layer, (_, _, memory) in zip((0, 2), held.synapses(), strict=True):
                spread = pair_spread(memory.scheme, memory.code).float()
                noise = torch.randn(spread.shape, generator=generator)
                plain[layer].weight.copy_(memory.weight + spread * noise)
                plain[layer].bias.copy_(held.module[layer].bias)
        noisy.append(accuracy(plain, data["test"]))
    return {**found, "with_noise": statistics.mean(noisy), "noise_sd": statistics.stdev(noisy)}


def devices():
    """Give every device of the axes, the middle one first."""
    yield dict(PLAIN)
    for axis, values in AXES.items():
        for value in values:
            if value != PLAIN[axis]:
                # an unequal gain alone shifts nothing where devices switch off
                yield {**PLAIN, axis: value, **({"ratio": 10.0} if axis == "gain" else {})}


def key_of(dataset: str, seed: int, method: str, device: dict) -> dict:
    ratio = "infinite" if device["ratio"] == math.inf else device["ratio"]
    plain = {} if method == "float" else {**device, "ratio": ratio}
    return {"dataset": dataset, "seed": seed, "method": method, **plain}


def table(rows: Rows, dataset: str, seeds) -> str:
    """Lay out accuracies, in percent, mean over seeds; what was not run says so."""
    lines = ["bits  ratio     bend  gain   " + "  ".join(f"{m:>18}" for m in METHODS)]
    for device in devices():
        cells = []
        for method in METHODS:
            found = [r for s in seeds if (r := rows.find(**key_of(dataset, s, method, device)))]
            mean = f"{100 * statistics.mean(r['test'] for r in found):.2f}" if found else "not run"
            if found and "with_noise" in found[0]:
                mean += f" ({100 * statistics.mean(r['with_noise'] for r in found):.2f})"
            cells.append(f"{mean:>18}")
        facts = f"{device['bits']:>4}  {device['ratio']:<8g}  {device['nonlinearity']:<4g}  {device['gain']:<5g}"
        lines.append("  ".join([facts, *cells]))
    return "\n".join(lines)


def figure(rows: Rows, dataset: str, seeds, path: Path) -> None:
    """Draw the gap to the float twin along every axis."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(1, len(AXES), figsize=(15, 4), sharey=True)
    for ax, axis in zip(axes, AXES, strict=True):
        for method in METHODS[1:]:
            points = []
            for device in devices():
                others = {k: v for k, v in PLAIN.items() if k != axis and not (axis == "gain" and k == "ratio")}
                if any(device[k] != v for k, v in others.items()):
                    continue
                pairs = [
                    (rows.find(**key_of(dataset, s, "float", device)), rows.find(**key_of(dataset, s, method, device)))
                    for s in seeds
                ]
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
    parser.add_argument("--samples", type=int, default=SAMPLES)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--table", action="store_true", help="run nothing; write the table of benchmarks/README.md")
    parser.add_argument("--figure", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)
    about = {
        "network": f"784-{HIDDEN}",
        "samples": SAMPLES,
        "float_epochs": FLOAT_EPOCHS,
        "epochs": EPOCHS,
        "noise": NOISE,
    }
    rows = Rows("hardware_aware", about, args.out)
    if not args.table:
        data = pictures(args.dataset)
        data["train"] = tuple(part[: args.samples] for part in data["train"])
        for seed in args.seeds:
            model = cache(partial(first_float, data, seed))

            @cache
            def twin(model=model, seed=seed):
                found = copy.deepcopy(model())
                train(found, torch.optim.Adam(found.parameters(), LR), data, seed, EPOCHS)
                return found

            for device in devices():
                for method in METHODS:
                    job = partial(row, method, device, model, twin, data, seed)
                    rows.measure(job, **key_of(args.dataset, seed, method, device))
    print(table(rows, args.dataset, args.seeds))
    if args.table:
        shown = [f"{name}\n{table(rows, name, args.seeds)}" for name in ("mnist", "fashion_mnist")]
        write_between("hardware-aware", "hardware_aware.py --table", "\n\n".join([*shown, EMNIST]))
    if args.figure:
        figure(rows, args.dataset, args.seeds, rows.path.with_suffix(".png"))


if __name__ == "__main__":
    main()
