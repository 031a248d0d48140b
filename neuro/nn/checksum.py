"""Notice a parameter that was moved by anything but a projection."""

from __future__ import annotations

import torch

UNPROJECTED = "parameters changed without projection; wrap the optimizer in neuro.QRewiring or call network.project()"


def checksum(latent: torch.Tensor) -> int:
    """Sum a float32 tensor's bits as 64-bit integers (it wraps around)."""
    bits = latent.detach().contiguous().view(-1).view(torch.int32)
    even = bits[: bits.numel() // 2 * 2].view(torch.int64)
    total = int(even.sum()) + (int(bits[-1]) if bits.numel() % 2 else 0)
    return total ^ bits.numel()
