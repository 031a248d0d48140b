"""Training steps of chip-size recurrent networks: neuro, snnTorch, norse, a plain loop in torch, matrix products alone.

A step here is what lies between events in and weight gradients out: forward, spikes of all neurons as floats, a given
gradient of every spike, backward. Optimizer, read-out and data are left out on every side; the optimizer with its
projection is timed apart. Every contender in its documented per-step mode (inputs by `unbind(0)`), each in a process of
its own, taking turns of a few steps; torch's idle threads wait as each likes best (OMP_WAIT_POLICY: passive for neuro, as
its command line sets it, torch's default for all others). The floor is nothing but the dense products of forward and
backward. Firing rates differ and are stated. Row 1 has more contenders if NEURO_PEERS names a Python that has them: see
`peers.py`.

Expected before measuring: with 64 words a neuron the loops visit 1/27 of a dense matrix of row 1, so about 20 times
fewer milliseconds than the floor at the same efficiency; a prototype reached 13.7 ms where snnTorch took 268.

Rows gpu and gpu-large are 1 with a batch of 256, and 5, on a GPU with all that run there (SpikingJelly needs a build of
torch with CUDA in the Python of NEURO_PEERS). Not run yet: no card was at hand.

    python benchmarks/speed.py [--rows 1 2 3 4 5 quick gpu gpu-large] [--repeats 7]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import layers
import peers
import torch
from machine import circumstances, save, spread

import neuro
from neuro.task import NetworkSpec

WORDS, INPUT_RATE = 64, 0.05
STEPS_A_TURN = 3
PAUSE_S = 0.1  # until the threads of the contender before have gone to sleep
ROWS = {
    "1": {"neurons": 1024, "inputs": 700, "steps": 100, "batch": 32, "peers": True, "more": True},
    "2": {"neurons": 264, "inputs": 81, "steps": 784, "batch": 256, "peers": True, "gains": (0.296, 0.236, 0.225)},
    "3": {"neurons": 1034, "layers": (512, 512, 10), "inputs": 784, "steps": 25, "batch": 128, "peers": True},
    "4": {"neurons": 16384, "inputs": 4096, "steps": 50, "batch": 8, "peers": False, "gains": (0.4, 0.32)},
    "5": {"neurons": 65536, "inputs": 8192, "steps": 10, "batch": 4, "peers": False, "gains": (1.06, 0.84)},
}
ON_GPU = {  # where there is one: `--rows gpu gpu-large`
    "gpu": {**ROWS["1"], "batch": 256, "device": "cuda"},
    "gpu-large": {**ROWS["5"], "device": "cuda"},
}
QUICK = {"quick": {"neurons": 96, "inputs": 40, "steps": 20, "batch": 16, "peers": True, "more": True}}
MORE = Path(__file__).with_name("peers.py")


def events(row: dict) -> torch.Tensor:
    g = torch.Generator().manual_seed(0)
    return (torch.rand(row["steps"], row["batch"], row["inputs"], generator=g) < INPUT_RATE).float().to(device_of(row))


def gradient(row: dict) -> torch.Tensor:
    g = torch.Generator().manual_seed(1)
    return torch.randn(row["steps"], row["batch"], row["neurons"], generator=g).to(device_of(row))


def device_of(row: dict) -> str:
    return row.get("device", "cpu")


def network(row: dict, gain: float, **storage) -> neuro.Network:
    """One recurrent population on no chip in particular, 64 words a neuron."""
    spec = NetworkSpec.model_validate(
        {
            "dt_s": 1e-3,
            "inputs": {"x": row["inputs"]},
            "populations": {
                "hidden": {"size": row["neurons"], "tau_mem_s": 0.02, "tau_syn_s": 0.005, "init_gain": gain}
            },
            "projections": ({"from": "x", "to": "hidden"}, {"from": "hidden", "to": "hidden"}),
            "outputs": {"y": {"population": "hidden"}},
        }
    )
    made = neuro.Network(neuro.place(spec, neuro.load_chip("generic", [f"slots={WORDS}"])), **storage)
    return made.to(device_of(row))


def ours(row: dict, gain: float, **storage):
    """A step, and one of the optimizer with its projection and growth."""
    made = network(row, gain, **storage)
    x, g = events(row), gradient(row)
    rates = []

    def step():
        made.zero_grad()
        y, _ = made(x)
        y.backward(g)
        rates.append(float(y.detach().mean()))

    wrapped = torch.optim.Adam(made.parameter_groups(1e-6))
    optimizer = neuro.QRewiring(wrapped, made)
    return step, rates, optimizer, made


def norse_step(row: dict):
    import norse.torch as norse

    cell = norse.LIFRecurrentCell(row["inputs"], row["neurons"], p=norse.LIFParameters(), dt=1e-3)
    with torch.no_grad():
        cell.input_weights.mul_(12)  # its first weights are too small for any spike at this input rate
    return _loop(row, cell, lambda x, s: cell(x, s))


def snntorch_step(row: dict):
    import snntorch

    linear = torch.nn.Linear(row["inputs"], row["neurons"], bias=False)
    cell = snntorch.RSynaptic(alpha=0.82, beta=0.95, linear_features=row["neurons"], reset_mechanism="zero")

    def step(x, state):
        state = cell.init_rsynaptic() if state is None else state
        state = cell(linear(x), *state)
        return state[0], state

    return _loop(row, torch.nn.ModuleList([linear, cell]), step)


def torch_step(row: dict):
    """The least a careful user would write: two products, a decay, a threshold with a surrogate."""
    w = torch.nn.Parameter(torch.randn(row["neurons"], row["inputs"]) / row["inputs"] ** 0.5)
    r = torch.nn.Parameter(torch.randn(row["neurons"], row["neurons"]) / row["neurons"] ** 0.5)

    class Spike(torch.autograd.Function):
        @staticmethod
        def forward(ctx, u):
            ctx.save_for_backward(u)
            return (u >= 0).float()

        @staticmethod
        def backward(ctx, grad):
            (u,) = ctx.saved_tensors
            return grad / (1 + u.abs()) ** 2

    def step(x, state):
        zero = x.new_zeros(row["batch"], row["neurons"])
        z, v, i = (zero, zero, zero) if state is None else state
        i = 0.82 * i + torch.nn.functional.linear(x, w) + torch.nn.functional.linear(z, r)
        u = 0.95 * v + i
        z = Spike.apply(u - 1.0)
        return z, (z, u * (1 - z.detach()), i)

    return _loop(row, torch.nn.ParameterList([w, r]), step)


def _loop(row: dict, module, cell):
    x, g, module = events(row), gradient(row), module.to(device_of(row))
    rates = []

    def step():
        for p in module.parameters():
            p.grad = None
        state, spikes = None, []
        for now in x.unbind(0):
            z, state = cell(now, state)
            spikes.append(z)
        y = torch.stack(spikes)
        y.backward(g)
        rates.append(float(y.detach().mean()))

    return step, rates


def floor_step(row: dict):
    """Only the dense products: input and recurrent forward, the recurrent gradient, both weight gradients."""
    n, m, b = row["neurons"], row["inputs"], row["batch"]
    x, g = events(row).flatten(0, 1), gradient(row)
    w, r = torch.randn(n, m).to(x), torch.randn(n, n).to(x)
    z = (torch.rand(row["steps"], b, n) < 0.05).to(x)

    def step():
        x @ w.T
        for now, back in zip(z.unbind(0), g.unbind(0), strict=True):
            now @ r.T
            back @ r
        flat = g.flatten(0, 1)
        flat.T @ x
        flat.T @ z.flatten(0, 1)

    return step, []


CONTENDERS = {
    "neuro, slots": lambda row: ours(row, gains_of(row)[0], storage="slots", reserve=0),
    "neuro, slots and reserve": lambda row: ours(row, gains_of(row)[1], storage="slots"),
    "neuro, dense latents": lambda row: ours(row, gains_of(row)[2]),
    "norse": norse_step,
    "snntorch": snntorch_step,
    "plain torch": torch_step,
    "dense products alone": floor_step,
}


def gains_of(row: dict) -> tuple[float, ...]:
    """Gains of first weights at which about 5 % of neurons spike in a step: slots, with a reserve, dense."""
    return row.get("gains", (0.355, 0.28, 0.21))


def contenders_of(row: dict) -> dict:
    """Who takes part in a row."""
    return layers.CONTENDERS if "layers" in row else CONTENDERS


def serve(name: str, row: dict) -> None:
    """Be one contender: a step for every line read, its time written; at the end rates, memory and optimizer."""
    begun = time.perf_counter()
    step, rates, *more = contenders_of(row)[name](row)
    done = torch.cuda.synchronize if device_of(row) == "cuda" else lambda: None
    step()
    done()
    print(json.dumps({"first_s": time.perf_counter() - begun}), flush=True)
    for line in sys.stdin:
        if line.strip() == "end":
            break
        begun = time.perf_counter()
        step()
        done()
        print(json.dumps(time.perf_counter() - begun), flush=True)
    facts = {"rate": round(rates[-1], 4) if rates else None}
    facts["peak_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3)
    if more:
        facts |= optimizer_times(*more)
    print(json.dumps(facts), flush=True)


def optimizer_times(optimizer, made: neuro.Network, repeats: int = 7) -> dict:
    """Time the optimizer's step and, alone, the projection in it."""
    whole, alone = [], []
    for parameter in made.parameters():  # those of the steps may have grown beyond any float in so long a sequence
        parameter.grad = torch.randn_like(parameter)
    for _ in range(repeats + 1):
        begun = time.perf_counter()
        optimizer.step()
        middle = time.perf_counter()
        made.project_codes()
        whole.append(middle - begun)
        alone.append(time.perf_counter() - middle)
    return {
        "optimizer_ms": spread(whole[1:])["median_ms"],
        "projection_ms": spread(alone[1:])["median_ms"],
    }


class Process:
    """A contender in a process of its own."""

    def __init__(self, name: str, key: str):
        policy = {"OMP_WAIT_POLICY": "PASSIVE"} if name.startswith("neuro") else {}
        command = [sys.executable, __file__, "--serve", name, "--rows", key]
        if name in peers.CONTENDERS:
            row = (ROWS | QUICK | ON_GPU)[key] | {"words": WORDS, "input_rate": INPUT_RATE}
            command = [os.environ["NEURO_PEERS"], MORE, "--serve", name, "--row", json.dumps(row)]
        self.child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | policy
        )
        self.first = self._read()

    def step(self) -> float:
        return self._ask("step")

    def end(self) -> dict:
        return self._ask("end") | self.first

    def _ask(self, what: str):
        print(what, file=self.child.stdin, flush=True)
        return self._read()

    def _read(self):
        line = self.child.stdout.readline()
        if not line:
            raise SystemExit("a contender ended before its time")
        return json.loads(line)


def measure(key: str, row: dict, repeats: int) -> dict:
    """Time one row, contenders in turn."""
    print(f"\nrow {key}: {row['neurons']} neurons, {row['inputs']} inputs, T {row['steps']}, B {row['batch']}")
    names = list(contenders_of(row))[: None if row["peers"] else 2]
    if row.get("more") and "NEURO_PEERS" in os.environ:
        names += peers.CONTENDERS if device_of(row) == "cpu" else peers.ON_GPU
    running = {name: Process(name, key) for name in names}
    taken = {name: [] for name in names}
    for _ in range(repeats):
        for name, process in running.items():
            time.sleep(PAUSE_S)
            process.step()  # warms what the others' turns have pushed out of caches
            taken[name] += [process.step() for _ in range(STEPS_A_TURN)]
    least = statistics.median(taken["neuro, slots"])
    table = {}
    for name, process in running.items():
        table[name] = spread(taken[name]) | process.end()
        table[name]["ratio"] = round(statistics.median(taken[name]) / least, 2)
        ours_only = table[name].get("projection_ms")
        told = f"   optimizer {table[name]['optimizer_ms']} ms, of it projection {ours_only} ms" if ours_only else ""
        figures = f"{table[name]['median_ms']:10.2f} ms {table[name]['ratio']:7.1f} x  rate {table[name]['rate']}"
        print(f"  {name:26}{figures}  {table[name]['peak_mb']} MB{told}", flush=True)
    visits = row["neurons"] * row["steps"] * row["batch"]
    return {
        **{k: row[k] for k in ("neurons", "inputs", "steps", "batch", "device") if k in row},
        "words": WORDS,
        "input_rate": layers.INPUT_RATE if "layers" in row else INPUT_RATE,
        "contenders": table,
        "ns_per_neuron_step_and_sample": round(1e9 * least / visits, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    rows = ROWS | QUICK | ON_GPU
    parser.add_argument("--rows", nargs="+", choices=rows, default=list(ROWS))
    parser.add_argument("--repeats", type=int, default=5, help="turns of each contender")
    parser.add_argument(
        "--serve", choices={*CONTENDERS, *layers.CONTENDERS}, help="be one contender (used by the script itself)"
    )
    arguments = parser.parse_args()
    if arguments.serve:
        serve(arguments.serve, rows[arguments.rows[0]])
        return
    if any(device_of(rows[key]) == "cuda" for key in arguments.rows) and not torch.cuda.is_available():
        parser.error("rows gpu and gpu-large need a GPU that torch sees")
    facts = circumstances("norse", "snntorch", "numba")
    if torch.cuda.is_available():
        facts["gpu"] = torch.cuda.get_device_name()
    if "NEURO_PEERS" in os.environ:
        told = subprocess.run(
            [os.environ["NEURO_PEERS"], MORE, "--versions"], capture_output=True, text=True, check=True
        )
        facts["peers"] = json.loads(told.stdout)
    results = {key: measure(key, rows[key], arguments.repeats) for key in arguments.rows}
    save("speed" if set(results) == set(ROWS) else "speed_some", {"rows": results, "circumstances": facts})


if __name__ == "__main__":
    main()
