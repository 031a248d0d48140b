"""Networks: synapse memories, surrogate gradients, and constraints on any torch module."""

from neuro.nn.constrain import constrain
from neuro.nn.deviation import Deviation, MemoryDeviation
from neuro.nn.network import Network, build
from neuro.nn.state import NetworkState, Record

__all__ = ["Deviation", "MemoryDeviation", "Network", "NetworkState", "Record", "build", "constrain"]
