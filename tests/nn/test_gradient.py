"""The gradient of a whole network against autograd through the equations in float64, straight through to the latents."""

import pytest
import torch

SHAPES = {
    "fast_sigmoid": lambda x: 1 / (1 + x.abs()) ** 2,
    "triangle": lambda x: (1 - x.abs()).clamp(min=0),
    "arctan": lambda x: 1 / (1 + (torch.pi / 2 * x) ** 2),
    "sigmoid": lambda x: 4 * torch.sigmoid(x) * (1 - torch.sigmoid(x)),
    "boxcar": lambda x: (x.abs() < 1).to(x.dtype),
}


class Spike(torch.autograd.Function):
    @staticmethod
    def forward(ctx, u, theta, scale, slope):
        ctx.slope = slope((u - theta) / scale) / scale
        return (u >= theta).to(u.dtype)

    @staticmethod
    def backward(ctx, grad):
        return grad * ctx.slope, -grad * ctx.slope, None, None


def run(network, weights, x):
    """Step through the equations in float64 under autograd; {population: spikes [T, B, n]}, {population: v}."""
    plan = network.plan
    spec, chip, surrogate = plan.spec, plan.chip.neuron, plan.spec.surrogate
    slope = lambda y: surrogate.scale * SHAPES[surrogate.name](y / surrogate.width)  # noqa: E731
    steps, batch, _ = next(iter(x.values())).shape
    past = {n: list(s.double()) for n, s in x.items()} | {n: [] for n in spec.populations}
    seen = {n: [] for n in spec.populations}
    zero = {n: torch.zeros(batch, p.size, dtype=torch.float64) for n, p in spec.populations.items()}
    v, a, rest = dict(zero), dict(zero), dict(zero)
    i = {n: [zero[n]] * len(plan.currents) for n in zero}
    for t in range(steps):
        for name in spec.populations:
            k = plan.parameters[name]
            for c in range(len(plan.currents)):
                drive = zero[name]
                for source, columns in plan.columns(name).items():
                    for line, extra in enumerate(spec.delay_lines):
                        sent = t - plan.source_delay(source) - extra
                        if sent >= 0:
                            drive = drive + past[source][sent] @ weights[name][:, columns, c, line].T
                i[name] = [*i[name][:c], k.decay_syn[c] * i[name][c] + drive, *i[name][c + 1 :]]
            left = k.leak * v[name] if chip.leak == "exponential" else v[name] - k.leak
            u = left + sum(i[name]) + k.bias
            u = u - k.beta * a[name] if chip.adaptation == "current" else u
            u = u if chip.floor is None else torch.where(u > chip.floor, u, chip.floor)
            theta = k.theta + k.beta * a[name] if chip.adaptation == "threshold" else torch.zeros_like(u) + k.theta
            ready = (rest[name] == 0).double()
            z = Spike.apply(u, theta, k.theta, slope) * ready
            reset = z.detach() if spec.detach_reset else z
            v[name] = u - k.theta * reset if chip.reset == "subtract" else u + (k.v_reset - u) * reset
            if chip.refractory == "hold":
                v[name] = v[name] * ready + k.v_reset * (1 - ready)
            a[name] = k.decay_a * a[name] + z
            rest[name] = torch.where(z > 0, float(k.refractory_steps), (rest[name] - 1).clamp(min=0))
            past[name].append(z), seen[name].append(v[name])
    return {n: torch.stack(past[n]) for n in seen}, {n: torch.stack(seen[n]) for n in seen}


CASES = [
    ("dynapse1", {"populations": {"hidden": {"size": 6, "decay_syn": {"fast": 0.5, "slow": 0.75},
                                             "adaptation": {"strength": 0.25, "decay": 0.5}, "refractory_s": 0.002},
                                  "out": {"size": 4}}}),
    ("dynapse2", {"delay_lines": (0, 2), "surrogate": {"name": "triangle", "width": 0.75}}),
    ("binary-core", {"inputs": {"x": 12}, "surrogate": {"name": "arctan", "scale": 0.5}, "detach_reset": False}),
    ("generic", {"populations": {"hidden": {"size": 6, "route_delay": 2, "adaptation": {"strength": 0.25, "decay": 0.5}},
                                 "out": {"size": 4, "threshold": 0.5}},
                 "projections": (("x", "hidden"), ("hidden", "hidden"), ("hidden", "out"), ("out", "hidden"),
                                 ("x", "out", 1)),
                 "delay_lines": (0, 1), "surrogate": {"name": "sigmoid"}}),
    ("generic", {"surrogate": {"name": "boxcar", "width": 0.5}, "detach_reset": False}),
    ("truenorth", {"populations": {"hidden": {"size": 6, "tau_mem_s": 0.01, "tau_syn_s": 0.005, "route_delay": 2},
                                   "out": {"size": 4, "leak": 0.125, "tau_syn_s": 0.005}}}),
]  # fmt: skip


@pytest.mark.parametrize("chip, fields", CASES)
def test_gradients_are_those_of_the_equations(make, events, chip, fields):
    network = make(chip, seed=1, **fields)
    x = events(network, steps=14, batch=3)
    names = tuple(network.plan.spec.populations)
    g = torch.Generator().manual_seed(0)
    weights = {n: network.memories[n].weight.double().requires_grad_() for n in names}
    spikes, v = run(network, weights, x)
    outputs, record = network(x, record=names)
    push = {n: torch.rand(spikes[n].shape, generator=g, dtype=torch.float64) - 0.25 for n in names}

    def loss(z, u):
        return sum((push[n] * z[n] + 0.1 * push[n].flip(0) * u[n]).sum() for n in names)

    assert all(torch.equal(spikes[n].detach().float(), record.spikes[n].detach()) for n in names)
    assert sum(s.sum() for s in spikes.values()) > 5
    wanted = dict(zip(names, torch.autograd.grad(loss(spikes, v), list(weights.values())), strict=True))
    loss({n: record.spikes[n] for n in names}, record.v).backward()
    values = network.bases.values().double()
    to_base = torch.zeros_like(values)
    for name in names:
        allowed = network.memories[name].allowed
        straight = wanted[name] if allowed is None else wanted[name] * allowed
        got = network.latents[name].grad.double()
        assert straight.abs().max() > 1e-3
        torch.testing.assert_close(got, straight, rtol=1e-4, atol=1e-5 * float(straight.abs().max()))
        to_base += base_gradient(network, name, wanted[name])
    torch.testing.assert_close(network.bases.latent.grad.double(), to_base * values, rtol=1e-3, atol=1e-4)


def base_gradient(network, name, grad):
    """dL/d base [cores, K] by differences: the weight is linear in the bases (but for a rounding to the grid)."""
    plan, memory, total = network.plan, network.memories[name], []
    core = torch.from_numpy(plan.core_index(name))
    code = memory.code.double()
    for k in range(network.bases.latent.shape[1]):
        if plan.chip.weights.kind == "counts":
            kind = next(t for t in plan.types if t.name == network.bases.names[k])
            entry = next(c.name for c in plan.chip.currents if kind.name in (*c.types, *c.shunting))
            share = torch.zeros_like(grad)
            share[:, :, plan.currents.index(entry)] = kind.sign * code[:, :, k].view(share[:, :, 0].shape)
        elif plan.chip.weights.kind == "masks":
            share = code.sign() * ((code.abs().long() >> k) & 1)
        else:
            share = torch.tensor([0.0, 1.0, -1.0], dtype=torch.float64)[code.long() + 1]
        rows = (share * grad).flatten(1).sum(1)
        total.append(torch.zeros(len(plan.cores), dtype=torch.float64).index_add_(0, core, rows))
    return torch.stack(total, 1) if total else torch.zeros(len(plan.cores), 0, dtype=torch.float64)


def test_without_gradients_nothing_is_kept(make, events):
    network = make()
    with torch.no_grad():
        y, record = network(events(network), record=("out",))
    assert not y.requires_grad and not record.v["out"].requires_grad
    y, record = network(events(network))
    assert y.requires_grad and not any(t.requires_grad for s in record.state.neurons.values() for t in s)
    assert not any(h.requires_grad for h in record.state.history.values())
