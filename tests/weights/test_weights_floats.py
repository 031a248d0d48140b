"""Floats: the latent is the weight."""

import pytest
import torch

from neuro.errors import FeasibilityError
from neuro.weights import FloatScheme


def test_code_is_a_copy_of_the_latent_where_allowed():
    latent = torch.tensor([[1.0, -2.0], [0.0, 3.0]], requires_grad=True)
    scheme = FloatScheme()
    code = scheme.project(latent)
    assert torch.equal(code, latent) and code.data_ptr() != latent.data_ptr() and not code.requires_grad
    mask = torch.tensor([True, False])[None]
    assert scheme.project(latent, mask).tolist() == [[1.0, 0.0], [0.0, 0.0]]
    assert scheme.hull(latent, mask).tolist() == [[1.0, 0.0], [0.0, 0.0]]
    assert scheme.slots_used(code).tolist() == [2, 1] and scheme.slots is None
    assert scheme.decode(code.double()).dtype == torch.float32


def test_only_connections_that_are_not_allowed_violate():
    scheme, code = FloatScheme(), torch.ones(2, 2)
    assert scheme.violations(code) == []
    assert [str(v) for v in scheme.violations(code, torch.tensor([[True, True], [True, False]]))] == [
        "row 1: connection at column 1: have in use, allowed no connection"
    ]


def test_bases_are_carried_along():
    scheme = FloatScheme().with_bases(torch.tensor([1.0, 2.0]))
    assert FloatScheme().bases.shape == (0,) and scheme.bases.tolist() == [1.0, 2.0]
    assert torch.equal(scheme.initial_bases(torch.ones(3, 2)), scheme.bases) and scheme.to("meta").bases.is_meta
    assert torch.equal(scheme.base_gradient(torch.ones(3, 2), torch.ones(3, 2)), torch.zeros(3, 2))


def test_refuses_what_is_not_finite():
    with pytest.raises(FeasibilityError, match="row 0, column 1 is nan"):
        FloatScheme().project(torch.tensor([[0.0, torch.nan]]))
