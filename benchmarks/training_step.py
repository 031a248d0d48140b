"""How long one training step of the recurrent digits task takes in neuro, norse and snnTorch, measured in turn.

The same populations, batch and steps everywhere: forward, loss, backward and Adam; neuro also projects and checks its
input. Each peer in its documented per-step mode, inputs by `unbind(0)`. Expected before measuring: norse and snnTorch
spend their time on autograd's bookkeeping of single operations, so neuro's scan should take less than half of theirs.

    python benchmarks/training_step.py [--repeats 15]
"""

from __future__ import annotations

import argparse
import time

import torch
from machine import circumstances, in_turn, save, spread

import neuro

BATCH, RATE = 32, 0.2


def events(task) -> torch.Tensor:
    g = torch.Generator().manual_seed(0)
    return (torch.rand(task.steps, BATCH, next(iter(task.inputs.values())), generator=g) < RATE).float()


def neuro_step(task, chip: str):
    network = neuro.build(task, neuro.load_chip(chip))
    optimizer = neuro.QRewiring(torch.optim.Adam(network.parameter_groups(1e-3)), network)
    x, labels = events(task), torch.arange(BATCH) % 10

    def step():
        outputs, _ = network(x)
        loss = torch.nn.functional.cross_entropy(outputs.sum(0), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    spent = []
    project = network.project_codes

    def timed():
        begun = time.perf_counter()
        project()
        spent.append(time.perf_counter() - begun)

    network.project_codes = timed
    return step, spent


def norse_step(task):
    import norse.torch as norse

    hidden, out = (p.size for p in task.populations.values())
    inputs = next(iter(task.inputs.values()))
    recurrent = norse.LIFRecurrentCell(inputs, hidden, p=norse.LIFParameters(), dt=task.dt_s)
    linear, last = torch.nn.Linear(hidden, out, bias=False), norse.LIFCell(dt=task.dt_s)
    return _peer_step(
        task, torch.nn.ModuleList([recurrent, linear, last]), lambda x, s: _norse_cell(x, s, recurrent, linear, last)
    )


def _norse_cell(x, state, recurrent, linear, last):
    z, first = recurrent(x, state[0])
    z, second = last(linear(z), state[1])
    return z, (first, second)


def snntorch_step(task):
    import snntorch

    hidden, out = (p.size for p in task.populations.values())
    inputs = next(iter(task.inputs.values()))
    first = torch.nn.Linear(inputs, hidden, bias=False)
    recurrent = snntorch.RSynaptic(alpha=0.82, beta=0.95, linear_features=hidden, reset_mechanism="zero")
    second = torch.nn.Linear(hidden, out, bias=False)
    last = snntorch.Synaptic(alpha=0.82, beta=0.95, reset_mechanism="zero")

    def cell(x, state):
        if state[0] is None:
            state = (recurrent.init_rsynaptic(), last.init_synaptic())
        a = recurrent(first(x), *state[0])
        b = last(second(a[0]), *state[1])
        return b[0], (a, b[1:])

    return _peer_step(task, torch.nn.ModuleList([first, recurrent, second, last]), cell)


def _peer_step(task, modules, cell):
    optimizer = torch.optim.Adam(modules.parameters(), lr=1e-3)
    x, labels = events(task), torch.arange(BATCH) % 10

    def step():
        state, total = (None, None), 0
        for now in x.unbind(0):
            z, state = cell(now, state)
            total = total + z.view(BATCH, 10, -1).sum(-1)
        loss = torch.nn.functional.cross_entropy(total, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=15)
    arguments = parser.parse_args()
    task = neuro.load_task("digits-recurrent")
    facts = circumstances("norse", "snntorch")
    ours, projections = neuro_step(task, "dynapse1")
    contenders = {"neuro": ours, "norse": norse_step(task), "snntorch": snntorch_step(task)}
    times = {name: spread(t) for name, t in in_turn(contenders, arguments.repeats).items()}
    times["projection"] = spread(projections[1:])
    step = times["neuro"]["median_ms"]
    ratios = {
        "norse / neuro": round(times["norse"]["median_ms"] / step, 2),
        "snntorch / neuro": round(times["snntorch"]["median_ms"] / step, 2),
        "projection share of a step": round(times["projection"]["median_ms"] / step, 4),
    }
    for name, value in {**times, **ratios}.items():
        print(f"{name:28} {value}")
    sizes = {"inputs": task.inputs, "populations": {n: p.size for n, p in task.populations.items()}}
    save(
        "training_step",
        {
            "task": task.name,
            **sizes,
            "batch": BATCH,
            "steps": task.steps,
            "input_rate": RATE,
            "times": times,
            "ratios": ratios,
            "circumstances": facts,
        },
    )


if __name__ == "__main__":
    main()
