"""Sums of what words are worth, in machine code, give the bits of the sums in tensors."""

import pytest
import torch

from neuro.weights import latents

CURRENTS = (0, 0, 1)


def counts(width, lines, kind, values):
    g = torch.Generator().manual_seed(width)
    code = (torch.randn(9, width, 3, lines, generator=g) * 5).to(kind)
    return code, torch.randn(9, width, 2, lines, generator=g).to(values)


def coded(rows, width, kind=torch.int16, values=torch.float32):
    g = torch.Generator().manual_seed(width)
    code = torch.randint(-3, 5, (rows, width), generator=g).to(kind)
    return code, torch.randn(2, 8, generator=g, dtype=torch.float64), torch.randn(rows, width, generator=g).to(values)


@pytest.mark.parametrize("width", [0, 1, 2, 3, 7, 64, 1001])
@pytest.mark.parametrize("kind", [torch.int8, torch.int16])
@pytest.mark.parametrize("values", [torch.float32, torch.float64])
@pytest.mark.parametrize("lines", [1, 2])
def test_counts_are_folded_as_tensors_are(width, kind, values, lines):
    code, grad = counts(width, lines, kind, values)
    wanted = [latents.fold_sum((code[:, :, k] * grad[:, :, c].double()).flatten(1)) for k, c in enumerate(CURRENTS)]
    assert torch.equal(latents.count_sums(code, CURRENTS, grad), torch.stack(wanted, 1))


@pytest.mark.parametrize("width", [0, 1, 2, 3, 7, 64, 1001])
@pytest.mark.parametrize("kind", [torch.int8, torch.int16])
@pytest.mark.parametrize("values", [torch.float32, torch.float64])
def test_codes_are_looked_up_and_folded_as_tensors_are(width, kind, values):
    code, table, grad = coded(9, width, kind, values)
    wanted = [latents.fold_sum(row[code.long() + 3] * grad.double()) for row in table]
    assert torch.equal(latents.coded_sums(code, table, -3, grad), torch.stack(wanted, 1))


def test_tensors_elsewhere_give_the_same_bits(monkeypatch):
    code, grad = counts(64, 2, torch.int16, torch.float32)
    words, table, other = coded(9, 64)
    compiled = latents.count_sums(code, CURRENTS, grad), latents.coded_sums(words, table, -3, other)
    monkeypatch.setattr(latents, "is_compiled_for", lambda latent: False)
    assert torch.equal(latents.count_sums(code, CURRENTS, grad), compiled[0])
    assert torch.equal(latents.coded_sums(words, table, -3, other), compiled[1])


def test_many_rows_are_shared_out():
    code, table, grad = coded(700, 400)
    wanted, before = [latents.fold_sum(row[code.long() + 3] * grad.double()) for row in table], torch.get_num_threads()
    try:
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            assert torch.equal(latents.coded_sums(code, table, -3, grad), torch.stack(wanted, 1))
    finally:
        torch.set_num_threads(before)
