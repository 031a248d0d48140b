"""Run a configuration from its tables alone, as a chip would: knowing nothing of training."""

from neuro.emulator.run import Emulator, Record, ReplayState, replay

__all__ = ["Emulator", "Record", "ReplayState", "replay"]
