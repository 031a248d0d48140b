"""Proof that a configuration computes what was trained: spike for spike, output for output, and with noise on average."""

from neuro.verification.layers import LayerVerification, verify_layers
from neuro.verification.noise import Noise
from neuro.verification.spikes import Verification, difference, refuse_other_spikes, verify

__all__ = [
    "LayerVerification",
    "Noise",
    "Verification",
    "difference",
    "refuse_other_spikes",
    "verify",
    "verify_layers",
]
