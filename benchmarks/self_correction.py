"""Pairs of two bases for the 2,886-parameter MNIST network: accuracy by states, and over a year of drift.

Two tables, every row for five seeds of a float network trained by ourselves (`pair_network`, the test part read once a
row):

- levels: bases by the published annealed search on our float network, and bases and codes trained by Q-rewiring. Both
  begin with the same weights of the published training; the float network and the pairs then train equally long;
- drift: both devices of every pair programmed with noise, drifting, read with noise, at 24 checks from 300 s to a year,
  without and with global drift compensation and self-correction, whose programming has noise too. "published" holds the
  annealed search's pairs, "trained" pairs trained with the noise of programming, small conductances preferred.

    python benchmarks/self_correction.py [--seeds 0 1 2 3 4] [--tune 2] [--only levels|drift] [--table] [--figure]

No figure of the paper stands here: its tables were not at hand.
"""

from __future__ import annotations

import argparse
import copy
import statistics
from functools import cache, partial
from pathlib import Path

import numpy as np
import torch
from pair_network import WEIGHTS, accuracy, batches, mnist, network, trained_float
from rows import RESULTS, Rows, write_between
from torch.nn import functional

import neuro
from neuro.silicon.arrays import PairArray, level_variance
from neuro.silicon.correction import SingleDevices, WholeLayers, over_time
from neuro.silicon.pair_bases import anneal, nearest_levels, published_codes, published_levels
from neuro.silicon.programming import add_programming_noise
from neuro.weights import ConductanceScheme

STATES = (4, 3, 8, 2)
MINUTE, DAY, YEAR = 60.0, 86400.0, 365 * 86400.0
CHECKS = [0.0, *(300.0 * k for k in range(1, 21)), DAY, 7 * DAY, 30 * DAY, YEAR]
SHOWN = {"0 s": 0.0, "300 s": 300.0, "6000 s": 6000.0, "1 day": DAY, "1 month": 30 * DAY, "1 year": YEAR}
CORRECTIONS = {
    "none": {},
    "compensated": {"compensate": True},
    "layers": {"correction": WholeLayers()},
    "devices": {"correction": SingleDevices(), "start": True},
}
LR, BASE_LR = 6e-3, 2e-3


def tuned(model, data, seed: int, states: int, epochs: int, noisy: bool, devices) -> torch.nn.Module:
    """Train bases and codes of one pair for the whole network, from float weights; states 0: train on as floats."""
    if not states:
        twin = copy.deepcopy(model)
        return trained_on(twin, torch.optim.Adam(twin.parameters(), LR), data, seed, epochs)
    levels = tuple(range(states + 1))
    variance = level_variance(devices, levels) if noisy else None
    schemes = {name: ConductanceScheme(levels, (1.0, 1.0), variance=variance) for name in WEIGHTS}
    held = neuro.constrain(model, schemes, bases="network")
    if noisy:
        add_programming_noise(held, seed)
    inner = torch.optim.Adam(held.parameter_groups(LR, BASE_LR))
    trained_on(held, neuro.QRewiring(inner, held, base_every=5), data, seed, epochs, inner)
    assert held.violations() == []
    return held


def trained_on(model, optimizer, data, seed: int, epochs: int, inner=None) -> torch.nn.Module:
    """Train with cross-entropy in batches of 128, the learning rate falling to 0 along a cosine."""
    steps = epochs * -(-len(data["train"][0]) // 128)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(inner or optimizer, steps)
    for epoch in range(epochs):
        model.train()
        for x, y in batches(data["train"], seed, 100 + epoch, 128):
            optimizer.zero_grad()
            functional.cross_entropy(model(x), y).backward()
            optimizer.step()
            schedule.step()
        print(f"seed {seed} epoch {epoch}: validation {accuracy(model, data['validation']):.4f}", flush=True)
    return model


def with_weights(weights) -> torch.nn.Module:
    """Give the network with these weights."""
    model = network(0)
    with torch.no_grad():
        for name, value in weights.items():
            model.get_parameter(name).copy_(torch.as_tensor(np.asarray(value)))
    return model


def weights_of(model) -> dict[str, np.ndarray]:
    return {name: model.get_parameter(name).detach().double().numpy() for name in WEIGHTS}


def annealed(model, states: int, seed: int):
    """Search bases as published, for all weights at once."""
    return anneal(np.concatenate([w.ravel() for w in weights_of(model).values()]), states, seed)


def levels_row(model, twin, data, seed: int, states: int, method: str, epochs: int, devices) -> dict:
    if method == "float":
        return {"test": accuracy(twin(), data["test"])}
    if method == "annealed":
        found = annealed(twin(), states, seed)
        rounded = {
            n: nearest_levels(w, published_levels(found.p, found.n, states)) for n, w in weights_of(twin()).items()
        }
        return {"test": accuracy(with_weights(rounded), data["test"]), "p": found.p, "n": found.n}
    held = tuned(model, data, seed, states, epochs, False, devices)
    p, n = held.bases.values()[0].tolist()
    used = len(torch.cat([memory.code.flatten() for _, _, memory in held.synapses()]).unique())
    return {"test": accuracy(held, data["test"]), "p": p, "n": n, "pairs_used": used}


def programmed(source: str, model, twin, data, seed: int, epochs: int, devices) -> dict[str, PairArray]:
    """Program the pairs of a network on real devices."""
    generator = torch.Generator().manual_seed(1000 + seed)
    if source == "published":
        found = annealed(twin(), 8, seed)
        scheme = ConductanceScheme(tuple(range(9)), (found.p, found.n))
        codes = {name: published_codes(w, found.p, found.n, 8) for name, w in weights_of(twin()).items()}
        return {n: PairArray.of(torch.from_numpy(c), scheme, devices, generator) for n, c in codes.items()}
    held = tuned(model, data, seed, 8, epochs, True, devices)
    return {
        name.removeprefix("module."): PairArray.of(memory.code, memory.scheme, devices, generator)
        for name, _, memory in held.synapses()
    }


def drift_row(arrays, data, seed: int, how: str) -> dict:
    """Measure one way of living with drift."""

    def measure(weights) -> float:
        return accuracy(with_weights(weights), data["test"])

    generator = torch.Generator().manual_seed(2000 + seed)
    found = over_time(arrays, CHECKS, measure, generator, measured=tuple(SHOWN.values()), **CORRECTIONS[how])
    by_time = {check.at_s: check for check in found}
    return {
        "before": {name: by_time[at].before for name, at in SHOWN.items()},
        "after": {name: by_time[at].after for name, at in SHOWN.items()},
        "times_programmed": sum(check.programmed for check in found),
        "pulses": sum(check.pulses for check in found),
        "programmed_checks": sum(check.programmed > 0 for check in found),
        "devices": sum(array.levels.numel() for array in arrays.values()),
        "mean_level_sum": float(torch.cat([a.levels.sum(0).double().flatten() for a in arrays.values()]).mean()),
    }


def table(rows: Rows, seeds) -> str:
    """Lay out what was run: mean ± standard deviation over seeds."""

    def cell(values) -> str:
        values = [100 * v for v in values if v is not None]
        if not values:
            return "not run"
        spread = f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else ""
        return f"{statistics.mean(values):.2f}{spread} ({len(values)})"

    def test(**key):
        return [found["test"] for seed in seeds if (found := rows.find(table="levels", seed=seed, **key))]

    lines = [f"float: {cell(test(method='float', states=0))}"]
    for states in sorted(STATES):
        each = ", ".join(f"{m} {cell(test(method=m, states=states))}" for m in ("annealed", "trained"))
        lines.append(f"N = {states}: {each}")
    lines += ["", f"{'drift, both devices of each pair':<34}" + "".join(f"{t:>22}" for t in SHOWN)]
    for source in ("published", "trained"):
        for how in CORRECTIONS:
            found = [rows.find(table="drift", seed=s, source=source, correction=how) for s in seeds]
            found = [row for row in found if row]
            for when in ("before", "after") if how in ("layers", "devices") else ("before",):
                cells = "".join(f"{cell([row[when][t] for row in found]):>22}" for t in SHOWN)
                lines.append(f"{f'{source}, {how}, {when}':<34}{cells}")
            if found and found[0]["pulses"]:
                times, pulses, devices = (
                    statistics.mean(row[k] for row in found) for k in ("times_programmed", "pulses", "devices")
                )
                lines.append(f"    {devices:.0f} devices, programmed again {times:.0f} times, {pulses:.0f} pulses")
    lines.append("energy: unknown, as no source at hand states that of a pulse")
    return "\n".join(lines)


def figure(rows: Rows, seeds, path: Path) -> None:
    """Draw accuracy over time of every way that was run."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    fig, ax = plt.subplots(figsize=(8, 5))
    times = np.maximum(list(SHOWN.values()), 10.0)
    for source, style in (("published", "--"), ("trained", "-")):
        for colour, how in enumerate(CORRECTIONS):
            found = [rows.find(table="drift", seed=s, source=source, correction=how) for s in seeds]
            values = [list(row["before"].values()) for row in found if row]
            if values:
                ax.plot(times, 100 * np.mean(values, 0), style, color=f"C{colour}", label=f"{source}, {how}")
    ax.set(xscale="log", xlabel="seconds since programming (10 = at once)", ylabel="test accuracy, %, before the check")
    ax.legend(fontsize=8)
    fig.tight_layout()
    fig.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--epochs", type=int, default=4, help="of the published float training")
    parser.add_argument("--tune", type=int, default=2, help="epochs of training on, as floats or as pairs")
    parser.add_argument("--only", choices=("levels", "drift"))
    parser.add_argument("--states", type=int, nargs="+", default=list(STATES))
    parser.add_argument("--methods", nargs="+", default=["float", "annealed", "trained"])
    parser.add_argument("--sources", nargs="+", default=["published", "trained"])
    parser.add_argument("--cache", type=Path, default=Path("runs/self_correction"))
    parser.add_argument("--samples", type=int, help="of every part, for a quick try")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--figure", action="store_true")
    parser.add_argument("--table", action="store_true", help="run nothing; write the table of benchmarks/README.md")
    args = parser.parse_args()
    torch.set_num_threads(1)
    devices = neuro.load_chip("pcm-crossbar").devices
    about = {"network": "2,886 parameters", "float_epochs": args.epochs, "tuning_epochs": args.tune}
    rows = Rows("self_correction", about, args.out)
    data = None if args.table else {name: (x[: args.samples], y[: args.samples]) for name, (x, y) in mnist().items()}
    for seed in args.seeds if data else ():
        model = trained_float(data, seed, args.epochs, args.cache)
        twin = cache(partial(tuned, model, data, seed, 0, args.tune, False, devices))
        jobs = [("float", 0), *((m, n) for n in args.states for m in ("annealed", "trained"))]
        jobs = [job for job in jobs if job[0] in args.methods]
        for method, n in jobs if args.only != "drift" else ():
            job = partial(levels_row, model, twin, data, seed, n, method, args.tune, devices)
            rows.measure(job, table="levels", seed=seed, method=method, states=n)
        for source in args.sources if args.only != "levels" else ():
            arrays = None
            for how in CORRECTIONS:
                if rows.find(table="drift", seed=seed, source=source, correction=how):
                    continue
                arrays = arrays or programmed(source, model, twin, data, seed, args.tune, devices)
                job = partial(drift_row, arrays, data, seed, how)
                rows.measure(job, table="drift", seed=seed, source=source, correction=how)
    print(table(rows, args.seeds))
    if args.table:
        write_between("pairs over time", "self_correction.py --table", table(rows, args.seeds))
    if args.figure:
        figure(rows, args.seeds, rows.path.with_suffix(".png"))


if __name__ == "__main__":
    main()
