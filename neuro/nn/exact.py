"""Keep products exact: no TF32, no bfloat16 and no autocast around sums of spikes times weights."""

from __future__ import annotations

from contextlib import contextmanager

import torch


@contextmanager
def exact_products(device: torch.device):
    """Run a block with full float32 products; settings are put back afterwards."""
    before = torch.get_float32_matmul_precision()
    if before != "highest":
        torch.set_float32_matmul_precision("highest")
    try:
        with torch.autocast(device.type, enabled=False):
            yield
    finally:
        if before != "highest":
            torch.set_float32_matmul_precision(before)
