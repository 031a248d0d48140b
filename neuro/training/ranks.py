"""Several processes that train one network: what they share out, sum up, and hold against each other.

Started by `torchrun --nproc-per-node N -m neuro train …`; PyTorch's own process groups carry everything. Each
process takes its part of every batch; gradients are summed, so that every process makes the same step of the same
network, projection and rewiring included, and nothing but gradients has to be sent.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import distributed

from neuro.errors import RunError
from neuro.nn import Network
from neuro.nn.checksum import checksum


@dataclass(frozen=True)
class Ranks:
    """Which of how many processes this is; alone, every sum is what went in."""

    rank: int = 0
    world: int = 1

    @property
    def first(self) -> bool:
        """Whether this process is the one that writes files and talks."""
        return self.rank == 0

    def share(self, ids: np.ndarray) -> tuple[np.ndarray, float]:
        """Give this process's samples and their share of all; one sample of share 0 where there are too few."""
        own = ids[self.rank :: self.world]
        return (own, len(own) / len(ids)) if len(own) else (ids[:1], 0.0)

    def total(self, values: Sequence[float]) -> list[float]:
        """Sum numbers over all processes."""
        return self._summed(torch.tensor(values, dtype=torch.float64)).tolist() if self.world > 1 else list(values)

    def whole(self, part: torch.Tensor) -> torch.Tensor:
        """Sum parts of a tensor over all processes; its gradient goes to the part that is here."""
        return part + (self._summed(part.detach().clone()) - part.detach()) if self.world > 1 else part

    def sum_gradients(self, network: Network) -> None:
        """Give every process the sum of all gradients, those of tried sources among them, in one message."""
        if self.world == 1:
            return
        parameters = [p for p in network.parameters() if p.requires_grad]
        parameters += [m.candidates.weight for _, _, m in network.synapses() if m.candidates is not None]
        flat = torch.cat([_gradient(p).flatten() for p in parameters])
        for p, part in zip(parameters, self._summed(flat).split([p.numel() for p in parameters]), strict=True):
            p.grad = part.view_as(p).clone()

    def agree(self, network: Network) -> None:
        """Raise RunError where latents or codes are not the same, to the bit, in every process."""
        if self.world == 1:
            return
        mine = torch.tensor([fingerprint(network)])
        all_of_them = [torch.zeros_like(mine) for _ in range(self.world)]
        with _told():
            distributed.all_gather(all_of_them, mine)
        if len({int(other) for other in all_of_them}) > 1:
            raise RunError(
                f"the network is not the same in all {self.world} processes: this is a bug, or machines that differ in "
                "their arithmetic; go on from the last epoch with --resume in one process"
            )

    def wait(self) -> None:
        """Go on when every process is here."""
        if self.world > 1:
            with _told():
                distributed.barrier()

    def _summed(self, tensor: torch.Tensor) -> torch.Tensor:
        with _told():
            distributed.all_reduce(tensor)
        return tensor


def fingerprint(network: Network) -> int:
    """Tell networks apart by their latents, of biases too, codes and sources, in 63 bits."""
    value = 0
    for part in (network.bases, network.constants):
        value = (value * 1_000_003 + (0 if part is None else checksum(part.latent))) % (2**63 - 25)
    for _, latent, memory in network.synapses():
        sources = [] if memory.source is None else [memory.source.to(torch.int32)]
        for tensor in (latent, memory.code.to(torch.int32), *sources):
            value = (value * 1_000_003 + checksum(tensor)) % (2**63 - 25)
    return value


@contextmanager
def joined_ranks(device: torch.device) -> Iterator[Ranks]:
    """Join the processes that torchrun started, and leave them at the end; alone where there are none.

    device: where gradients are; those of GPUs are carried by NCCL.
    """
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1 or not distributed.is_available():
        yield Ranks()
        return
    with _told():
        distributed.init_process_group("gloo" if device.type == "cpu" else "cpu:gloo,cuda:nccl")
    try:
        with _told_to_end():
            yield Ranks(distributed.get_rank(), world)
    finally:
        distributed.destroy_process_group()


def _gradient(parameter: torch.nn.Parameter) -> torch.Tensor:
    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad


@contextmanager
def _told() -> Iterator[None]:
    """Turn what PyTorch says of a process that is gone into a message."""
    try:
        yield
    except RuntimeError as error:
        raise _ended(str(error).splitlines()[0][:120]) from None


def _ended(told: str) -> RunError:
    return RunError(
        f"another process of this training ended ({told}); go on from the last epoch with the same command and --resume"
    )


@contextmanager
def _told_to_end() -> Iterator[None]:
    """Say why when torchrun ends this process, as it does with all when one has gone."""

    def end(*_):
        raise _ended("this one was told to end, as torchrun does then")

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
