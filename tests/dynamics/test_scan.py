"""The scan against the step: spikes to the bit, gradients against autograd through the step in float64."""

import pytest
import torch
from neuron_models import MODELS, SETS

from neuro.dynamics import Scan, State, heaviside, stack, step


def pseudo(x):
    return 1 / (1 + 2 * x.abs()) ** 2


class Fire(torch.autograd.Function):
    @staticmethod
    def forward(ctx, u, theta, scale):
        ctx.save_for_backward(u, theta, scale)
        return heaviside(u, theta)

    @staticmethod
    def backward(ctx, grad):
        u, theta, scale = ctx.saved_tensors
        slope = grad * pseudo((u - theta) / scale) / scale
        return slope, -slope, None


def by_steps(model, constants, drive, recurrent, delays, state, history, detach_reset=True):
    """Run the step in a plain loop under autograd."""
    past, z_all, v_all = list(history), [], []
    for t in range(drive[0].shape[0]):
        now = []
        for c in range(len(drive)):
            total = drive[c][t]
            for d, delay in enumerate(delays):
                total = total + past[len(past) - delay] @ recurrent[d * len(drive) + c].T
            now.append(total)
        z, state = step(
            model, constants, state, now, lambda u, theta: Fire.apply(u, theta, constants.theta), detach_reset
        )
        past.append(z), z_all.append(z), v_all.append(state.v)
    return torch.stack(z_all), torch.stack(v_all), state


def problem(dtype, seed=0, steps=9, batch=3, neurons=6, delays=(1, 3)):
    g = torch.Generator().manual_seed(seed)
    constants = stack(SETS, [neurons // 2, neurons - neurons // 2], dtype)
    grid = lambda *shape: torch.randint(-24, 40, shape, generator=g).to(dtype) / 32  # noqa: E731
    drive = [grid(steps, batch, neurons).requires_grad_() for _ in range(2)]
    recurrent = [(grid(neurons, neurons) / 2).requires_grad_() for _ in range(2 * len(delays))]
    state = State.zero(batch, neurons, 2, dtype=dtype)
    history = (torch.rand(max(delays, default=0), batch, neurons, generator=g) < 0.3).to(dtype)
    return constants, drive, recurrent, delays, state, history


@pytest.mark.parametrize("model", MODELS, ids=lambda m: f"{m.leak}-{m.reset}-{m.refractory}-{m.floor}-{m.adaptation}")
@pytest.mark.parametrize("detach_reset", [True, False])
def test_scan_equals_steps(model, detach_reset):
    constants, drive, recurrent, delays, state, history = problem(torch.float64)
    g = torch.Generator().manual_seed(1)
    expected = by_steps(model, constants, drive, recurrent, delays, state, history, detach_reset)
    got = Scan(model, constants, pseudo, delays, detach_reset).run(drive, recurrent, state, history)
    assert expected[0].sum() > 0
    assert torch.equal(expected[0], got[0]) and torch.equal(expected[1], got[1])
    for a, b in zip(expected[2], got[2], strict=True):
        assert torch.equal(a, b)
    weights = [torch.rand(x.shape, generator=g, dtype=x.dtype) for x in expected[:2]]
    leaves = drive + recurrent
    wanted = torch.autograd.grad(sum((w * x).sum() for w, x in zip(weights, expected[:2], strict=True)), leaves)
    found = torch.autograd.grad(sum((w * x).sum() for w, x in zip(weights, got[:2], strict=True)), leaves)
    for a, b in zip(wanted, found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("delays", [(), (1,), (2, 5)])
def test_float32_spikes_are_those_of_the_step(delays):
    for seed, model in enumerate(MODELS[::5]):
        constants, drive, recurrent, delays, state, history = problem(torch.float32, seed, delays=delays)
        expected = by_steps(model, constants, drive, recurrent, delays, state, history)
        got = Scan(model, constants, pseudo, delays).run(drive, recurrent, state, history)
        assert torch.equal(expected[0], got[0]) and torch.equal(expected[1], got[1])


def test_a_sequence_in_two_parts_equals_the_whole():
    constants, drive, recurrent, delays, state, history = problem(torch.float32, steps=20)
    scan = Scan(MODELS[-1], constants, pseudo, delays)
    whole, _, last = scan.run(drive, recurrent, state, history)
    first, _, middle = scan.run([d[:7] for d in drive], recurrent, state, history)
    kept = torch.cat([history, first])[-3:]
    second, _, end = scan.run([d[7:] for d in drive], recurrent, middle, kept)
    assert torch.equal(torch.cat([first, second]), whole)
    assert all(torch.equal(a, b) for a, b in zip(last, end, strict=True))
