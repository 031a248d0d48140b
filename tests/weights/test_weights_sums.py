"""Sums of products in machine code give the bits of the sums in tensors."""

import pytest
import torch

from neuro.weights.latents import fold_sum, product_sums


@pytest.mark.parametrize("width", [0, 1, 2, 3, 7, 64, 1001])
@pytest.mark.parametrize("kind", [torch.int8, torch.int16, torch.float64])
@pytest.mark.parametrize("values", [torch.float32, torch.float64])
def test_products_are_folded_as_tensors_are(width, kind, values):
    g = torch.Generator().manual_seed(width)
    factor = (torch.randn(9, width, generator=g) * 5).to(kind)
    grad = torch.randn(9, width, generator=g).to(values)
    assert torch.equal(product_sums(factor, grad), fold_sum(factor * grad.double()))


def test_many_rows_are_shared_out(monkeypatch):
    g = torch.Generator().manual_seed(0)
    factor, grad = torch.randint(-3, 4, (700, 300), generator=g), torch.randn(700, 300, generator=g)
    wanted, before = fold_sum(factor * grad.double()), torch.get_num_threads()
    try:
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            assert torch.equal(product_sums(factor, grad), wanted)
    finally:
        torch.set_num_threads(before)
