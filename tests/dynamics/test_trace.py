"""Traces in machine code against a plain loop over tensors: the same bits, forward and back."""

import pytest
import torch

from neuro.dynamics.trace import PIECE, traces_of


def by_hand(z, trace, decay):
    steps = []
    for spikes in z:
        trace = decay * trace + spikes
        steps.append(trace)
    return torch.stack(steps)


@pytest.mark.parametrize("shape", [(1, 1, 1), (7, 3, 5), (40, 16, 46), (5, 3, PIECE)])
@pytest.mark.parametrize("decay", [0.0, 0.1, 0.9512, 1.0])
def test_traces_and_their_gradient_are_those_of_a_loop(shape, decay):
    g = torch.Generator().manual_seed(3)
    decay = float(torch.tensor(decay))
    z = (torch.rand(shape, generator=g) < 0.3).float()
    before, grad = torch.rand(shape[1:], generator=g), torch.randn(shape, generator=g)
    found = []
    for way in (traces_of, by_hand):
        leaf = z.clone().requires_grad_()
        out = way(leaf, before, decay)
        out.backward(grad)
        found.append((out.detach(), leaf.grad))
    assert torch.equal(found[0][0], found[1][0]) and torch.equal(found[0][1], found[1][1])


def test_other_numbers_than_float32_take_the_way_of_tensors():
    z = (torch.rand(9, 2, 3, generator=torch.Generator().manual_seed(0)) < 0.4).double().requires_grad_()
    before = torch.zeros(2, 3, dtype=torch.float64)
    out = traces_of(z, before, 0.75)
    assert out.dtype == torch.float64 and torch.equal(out, by_hand(z.detach(), before, 0.75))
    assert torch.autograd.gradcheck(lambda z, before: traces_of(z, before, 0.75), (z, before.requires_grad_()))


def test_rows_that_are_not_contiguous_are_read_as_they_stand():
    z = torch.rand(4, 6, 5, generator=torch.Generator().manual_seed(1)).transpose(0, 1)
    assert torch.equal(traces_of(z, torch.zeros(4, 5), 0.5), by_hand(z, torch.zeros(4, 5), 0.5))
