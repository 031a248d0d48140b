"""Every test of the weight kinds runs twice: with the machine code of the CPU, and with tensor operations alone."""

import pytest

from neuro.weights import counts, crosspoints, latents, levels, masks, palette, selection


@pytest.fixture(autouse=True, params=["machine code", "tensors"])
def backend(request, monkeypatch):
    if request.param == "tensors":
        for module in (counts, crosspoints, latents, levels, masks, palette, selection):
            monkeypatch.setattr(module, "is_compiled_for", lambda _: False)
