"""Train a task and note latents and codes after every step: python trained_by_rank.py TASK OUT NOTES.

Under torchrun each process notes its own; the environment's FAIL_AT makes the second process end itself after so many
steps, SPOIL_AT makes it move a latent unseen.
"""

import os
import signal
import sys
from pathlib import Path

import torch

import neuro
from neuro.training.progress import Quiet

RANK = int(os.environ.get("RANK", "0"))


class Noting(Quiet):
    def __init__(self):
        self.notes = []

    def step(self, at, network):
        super().step(at, network)
        kept = {f"latent {n}": latent.detach().clone() for n, latent, _ in network.synapses()}
        self.notes.append(kept | {f"code {n}": memory.code.clone() for n, _, memory in network.synapses()})
        if len(self.notes) == int(os.environ.get("FAIL_AT", "-1")) and RANK == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        if len(self.notes) == int(os.environ.get("SPOIL_AT", "-1")) and RANK == 1:
            with torch.no_grad():
                network.latents["hidden"][0, 0] += 1e-6
            network.project_codes()


def main() -> None:
    import neuro.training.loop as loop

    task, out, notes = sys.argv[1:4]
    noting = Noting()
    loop.progress_for = lambda _: noting  # for the processes that would stay quiet, too
    try:
        neuro.train(task, "dynapse1", Path(out), progress=noting, resume="--resume" in sys.argv)
    except neuro.NeuroError as error:
        print(f"rank {RANK}: {error}", file=sys.stderr, flush=True)
        raise SystemExit(error.status) from None
    torch.save(noting.notes, Path(notes) / f"{RANK}.pt")


if __name__ == "__main__":
    main()
