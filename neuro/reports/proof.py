"""The card of a report that says whether a run was verified."""

from __future__ import annotations

from neuro.runs import Run
from neuro.silicon import VirtualChip
from neuro.verification import verify


def proof_of(run: Run, progress=None, virtual: VirtualChip | None = None) -> tuple[str, str, str]:
    """Verify a run: value, words and mood of a card; raises NeuroError where it cannot be verified."""
    proof = verify(run, progress=progress, virtual=virtual)
    said = f"{proof.differ:,} of {proof.compared:,} neuron steps differ between training and replay"
    said += f" ({proof.spikes:,} spikes)"
    return ("yes", said, "good") if proof.passed else ("no", said, "bad")
