"""Rates of a small DYNAP-SE2 network: our replay against Rockpool's DynapSim with the exported parameters.

NEURO_ROCKPOOL=python-with-rockpool python benchmarks/dynapsim.py       writes benchmarks/results/dynapsim.json

DynapSim gets leak, gain, refractory and threshold currents and the four weight currents from the table of biases, and words
from the tables. One figure is not in the tables and is matched here as on a board: the width of the pulse a spike makes,
which sets what a word of a weight of 1 does; it is the one that gives the same mean rate in the first half of the samples,
errors are of the second half. Two things differ in the model and stay: DynapSim's soma feeds back on itself from about
0.15 nA on, so that time to spike falls more slowly with the drive (thresholds are low here for that reason), and a synapse
that several words of both signs reach at once cuts negative sums off, so all words are excitatory.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import torch
from machine import circumstances, save

import neuro
from neuro.task import NetworkSpec

NEURONS, CHANNELS, STEPS = 24, 12, 500
INPUT_HZ = (10, 15, 20, 30, 40, 60)
PULSES_S = tuple(float(f"{p:.3g}") for p in np.geomspace(1.5e-4, 8e-4, 9))
THRESHOLD = 0.002
HEARD_HZ = 20.0  # relative errors are of neurons that fire at least so often


def network(seed: int) -> neuro.Network:
    """Random excitatory weights, inputs strong for late neurons and weak for early ones; weak recurrence."""
    population = {"size": NEURONS, "tau_mem_s": 0.02, "tau_syn_s": 0.01, "refractory_s": 0.002, "threshold": THRESHOLD}
    spec = NetworkSpec.model_validate(
        {
            "dt_s": 1e-3,
            "inputs": {"x": CHANNELS},
            "populations": {"p": population},
            "projections": ({"from": "x", "to": "p"}, {"from": "p", "to": "p"}),
            "outputs": {"y": {"population": "p"}},
        }
    )
    plan = neuro.place(spec, neuro.load_chip("dynapse2"))
    g = torch.Generator().manual_seed(seed)
    given = torch.rand(NEURONS, CHANNELS, generator=g) * torch.linspace(0.02, 0.12, NEURONS)[:, None]
    among = torch.rand(NEURONS, NEURONS, generator=g) * (torch.rand(NEURONS, NEURONS, generator=g) < 0.1) * 0.02
    latents = {"p": {"x": given * THRESHOLD, "p": among * THRESHOLD}}
    return neuro.Network(plan, latents=latents, seed=seed)


def compare(python: str, seed: int = 0) -> dict:
    """Give rates of both, rank correlation, and relative errors with the gain matched on half of the samples."""
    g = np.random.default_rng(seed)
    events = np.stack([g.random((STEPS, CHANNELS)) < hz / 1e3 for hz in INPUT_HZ for _ in range(2)]).astype(np.float32)
    tables = neuro.export(network(seed))
    outputs, _ = neuro.replay(tables, torch.from_numpy(events.transpose(1, 0, 2).copy()))
    ours = outputs.sum(0).numpy() / STEPS * 1e3
    theirs = _dynapsim(python, tables, events)
    fit, test = slice(0, None, 2), slice(1, None, 2)
    pulse = min(theirs, key=lambda p: abs(theirs[p][fit].mean() - ours[fit].mean()))
    have, wanted = theirs[pulse][test], ours[test]
    loud = wanted >= HEARD_HZ
    return {
        "neurons": NEURONS,
        "samples": len(events),
        "pulse_s": float(pulse),
        "mean_hz_ours": [round(float(r), 1) for r in wanted.mean(1)],
        "mean_hz_dynapsim": [round(float(r), 1) for r in have.mean(1)],
        "rank_correlation": round(_rank_correlation(wanted, have), 4),
        "relative_error": round(float(np.abs(have - wanted)[loud].sum() / wanted[loud].sum()), 4),
        "compared": int(loud.sum()),
        "loudest_hz": round(float(wanted.max()), 1),
    }


def _dynapsim(python: str, tables, events: np.ndarray) -> dict[str, np.ndarray]:
    """Run DynapSim in its own Python: rates [samples, neurons] for every width of pulse."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tables.save(folder / "tables")
        np.save(folder / "events.npy", events)
        command = [python, "-W", "ignore", Path(__file__).with_name("dynapsim_runs.py"), folder / "tables"]
        command += [folder / "events.npy", *map(str, PULSES_S)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    if done.returncode:
        raise RuntimeError(f"{python} cannot run DynapSim: {done.stderr[-1500:]}")
    return {pulse: np.array(rates) for pulse, rates in json.loads(done.stdout.splitlines()[-1]).items()}


def _rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman's, over all neurons of all samples; equal rates share their rank."""
    from scipy.stats import spearmanr

    return float(spearmanr(a.ravel(), b.ravel()).statistic)


def main() -> None:
    python = os.environ.get("NEURO_ROCKPOOL")
    if not python:
        raise SystemExit("NEURO_ROCKPOOL names no Python that has rockpool and jax")
    code = "import importlib.metadata as m; print({p: m.version(p) for p in ('rockpool', 'jax')})"
    versions = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    runs = [{"seed": seed} | compare(python, seed) for seed in range(3)]
    save("dynapsim", {"circumstances": circumstances("scipy"), "peer": versions, "runs": runs})
    for run in runs:
        print(run)


if __name__ == "__main__":
    main()
