"""Training steps of a feed-forward stack, for row 3 of `speed.py`: 784-512-512-10, all sides with the same gradient."""

from __future__ import annotations

import torch

import neuro
from neuro.task import NetworkSpec

INPUT_RATE = 0.1


def events(row: dict) -> torch.Tensor:
    g = torch.Generator().manual_seed(0)
    return (torch.rand(row["steps"], row["batch"], row["inputs"], generator=g) < INPUT_RATE).float()


def gradient(row: dict) -> torch.Tensor:
    g = torch.Generator().manual_seed(1)
    return torch.randn(row["steps"], row["batch"], row["layers"][-1], generator=g)


def network(row: dict, gain: float, dense: bool) -> neuro.Network:
    """64 words a neuron, or a word of one of 62 levels for every source a neuron hears."""
    names = [f"layer{k}" for k in range(len(row["layers"]))]
    neuron = {"tau_mem_s": 0.02, "tau_syn_s": 0.005, "init_gain": gain}
    spec = NetworkSpec.model_validate(
        {
            "dt_s": 1e-3,
            "inputs": {"x": row["inputs"]},
            "populations": {name: neuron | {"size": size} for name, size in zip(names, row["layers"], strict=True)},
            "projections": tuple({"from": a, "to": b} for a, b in zip(["x", *names], names, strict=False)),
            "outputs": {"y": {"population": names[-1]}},
        }
    )
    if not dense:
        chip = neuro.load_chip("generic", ["slots=64"])
        return neuro.Network(neuro.place(spec, chip), storage="slots", reserve=0)
    levels = [k / 32 for k in range(-31, 32) if k]
    free = ["weights.sign=free", f"weights.levels={levels}", "weights.word_bits=6"]
    chip = neuro.load_chip("binary-core", [*free, "cores.neurons=4096", "cores.axons=4096"])
    return neuro.Network(neuro.place(spec, chip))


def ours(row: dict, gain: float, dense: bool):
    made, x, g = network(row, gain, dense), events(row), gradient(row)
    hidden, rates = tuple(made.memories)[:-1], []

    def step():
        made.zero_grad()
        y, record = made(x, record=hidden, membranes=False)
        y.backward(g)
        rates.append(sum(float(z.detach().mean()) for z in record.spikes.values()) / len(hidden))

    return step, rates, neuro.QRewiring(torch.optim.Adam(made.parameter_groups(1e-6)), made), made


def _peer(row: dict, module: torch.nn.ModuleList, cell):
    """Step through layers: cell(layer, input, its state) -> spikes, state."""
    x, g, rates = events(row), gradient(row), []

    def step():
        for p in module.parameters():
            p.grad = None
        states, outputs, spoken = [None] * len(row["layers"]), [], 0.0
        for z in x.unbind(0):
            for k in range(len(states)):
                z, states[k] = cell(k, z, states[k])
                spoken += float(z.detach().mean()) if k < len(states) - 1 and len(rates) == 0 else 0.0
            outputs.append(z)
        torch.stack(outputs).backward(g)
        rates.append(rates[0] if rates else spoken / row["steps"] / (len(states) - 1))

    return step, rates


def _linears(row: dict, scale: float) -> torch.nn.ModuleList:
    sizes = [row["inputs"], *row["layers"]]
    made = torch.nn.ModuleList(torch.nn.Linear(a, b, bias=False) for a, b in zip(sizes, sizes[1:], strict=False))
    with torch.no_grad():
        for linear in made:
            linear.weight.mul_(scale)
    return made


def norse_step(row: dict):
    import norse.torch as norse

    linears, cell = _linears(row, 6.0), norse.LIFCell(dt=1e-3)
    return _peer(row, linears, lambda k, z, state: cell(linears[k](z), state))


def snntorch_step(row: dict):
    import snntorch

    linears = _linears(row, 1.0)
    cells = [snntorch.Synaptic(alpha=0.82, beta=0.95, reset_mechanism="subtract") for _ in linears]

    def cell(k, z, state):
        z, *state = cells[k](linears[k](z), *(cells[k].init_synaptic() if state is None else state))
        return z, state

    return _peer(row, linears, cell)


def floor_step(row: dict):
    """Only the dense products: every layer forward, its input's gradient but the first one's, its weights' gradient."""
    sizes = [row["inputs"], *row["layers"]]
    g = torch.Generator().manual_seed(2)
    flat = row["steps"] * row["batch"]
    spikes = [(torch.rand(flat, n, generator=g) < (0.05 if k else INPUT_RATE)).float() for k, n in enumerate(sizes)]
    weights = [torch.randn(b, a, generator=g) for a, b in zip(sizes, sizes[1:], strict=False)]
    back = [torch.randn(flat, n, generator=g) for n in sizes[1:]]

    def step():
        for k, weight in enumerate(weights):
            spikes[k] @ weight.T
            if k:
                back[k] @ weight
            back[k].T @ spikes[k]

    return step, []


CONTENDERS = {
    "neuro, slots": lambda row: ours(row, 0.35, dense=False),  # gains: about 5 % of spikes in the hidden layers
    "neuro, dense weights": lambda row: ours(row, 0.3, dense=True),
    "norse": norse_step,
    "snntorch": snntorch_step,
    "dense products alone": floor_step,
}
