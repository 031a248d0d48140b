"""Read-outs and regularisers by hand."""

import pytest
import torch
from torch.nn import functional

from neuro.losses import judged, logits, regularisers, task_loss
from neuro.nn.state import Record
from neuro.task import Loss

OUTPUTS = torch.tensor([[[1.0, 0.0]], [[0.0, 2.0]], [[3.0, 0.0]], [[0.0, 4.0]]])  # [T 4, B 1, classes 2]


def test_only_the_last_steps_are_read():
    assert logits(Loss(), OUTPUTS).tolist() == [[4.0, 6.0]]
    assert logits(Loss(read_steps=2), OUTPUTS).tolist() == [[3.0, 4.0]]
    assert logits(Loss(kind="trace_mean", read_steps=2), OUTPUTS).tolist() == [[1.5, 2.0]]
    assert logits(Loss(read_steps=1), OUTPUTS).tolist() == [[0.0, 4.0]]


def test_a_step_is_judged_by_the_steps_before_it():
    scores = logits(Loss(kind="per_step", window=2), OUTPUTS)[:, 0]
    assert scores.tolist() == [[1.0, 0.0], [1.0, 2.0], [3.0, 2.0], [3.0, 4.0]]
    assert torch.equal(logits(Loss(kind="per_step"), OUTPUTS), OUTPUTS)
    assert logits(Loss(kind="per_step", window=9), OUTPUTS)[3, 0].tolist() == [4.0, 6.0]


def test_steps_without_label_count_for_nothing():
    labels = torch.tensor([[0], [-1], [1], [1]])
    loss = Loss(kind="per_step", scale=0.5)
    assert judged(loss, OUTPUTS, labels) == (2, 3)
    kept = [0, 2, 3]
    wanted = functional.cross_entropy(0.5 * OUTPUTS[kept, 0], labels[kept, 0])
    assert float(task_loss(loss, OUTPUTS, labels)) == pytest.approx(float(wanted))
    assert judged(Loss(), OUTPUTS, torch.tensor([1])) == (1, 1)


def test_the_regularisers_of_sequential_mnist():
    z = torch.tensor([[[1.0, 0.0]], [[1.0, 0.0]], [[0.0, 0.0]], [[0.0, 0.0]]])  # mean rates 0.5 and 0
    v = torch.tensor([[[9.0, 9.0]], [[9.0, 9.0]], [[9.0, 9.0]], [[3.0, -1.5]]])
    record = Record(None, {"a": z}, {"a": v}, {"a": z.mean((0, 1))})
    off = 0.48**2 + 0.02**2
    assert float(regularisers(Loss(rate_target=0.02, rate_weight=0.1), record)) == pytest.approx(0.1 * off)
    squared = Loss(rate_target=0.02, rate_weight=0.1, rate_power=2)
    assert float(regularisers(squared, record)) == pytest.approx(0.1 * off**2)
    last = Loss(voltage_weight=1.0, voltage_at="last")
    assert float(regularisers(last, record)) == pytest.approx((2.0**2 + 0.5**2) / 2)
    assert float(regularisers(last, record, {"a": 2.0})) == pytest.approx(0.5**2 / 2)
    weights = [torch.tensor([[1.0, -2.0]]), torch.tensor([[0.5]])]
    assert float(regularisers(Loss(weight_l1=0.1), record, weights=weights)) == pytest.approx(0.35)


def test_parts_of_a_batch_add_up_to_the_whole():
    """Two halves, each with its share and the other's rates, have the gradient of the batch in one piece."""
    loss = Loss(rate_target=0.1, rate_weight=0.7, rate_power=2, voltage_weight=0.3, weight_l1=0.2)
    torch.manual_seed(0)
    z, v, w = torch.rand(6, 4, 3), 2 * torch.randn(6, 4, 3), torch.randn(3, 2)

    def gradients(parts):
        means = [z[:, p].mean((0, 1)) * len(p) / 4 for p in parts]
        found = []
        for i, p in enumerate(parts):
            leaves = [x.clone().requires_grad_() for x in (z, v, w)]
            record = Record(None, {"a": leaves[0][:, p]}, {"a": leaves[1][:, p]}, {"a": leaves[0][:, p].mean((0, 1))})
            others = sum(m for j, m in enumerate(means) if j != i)
            regularisers(loss, record, None, [leaves[2]], len(p) / 4, lambda r, o=others: r + o).backward()
            found.append([x.grad for x in leaves])
        return [sum(g) for g in zip(*found, strict=True)]

    whole, halves = gradients([[0, 1, 2, 3]]), gradients([[0, 1, 2], [3]])
    for a, b in zip(whole, halves, strict=True):
        assert torch.allclose(a, b, atol=1e-7)
