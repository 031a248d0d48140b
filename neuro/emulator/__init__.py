"""Run a configuration from its tables alone, as a chip would: knowing nothing of training."""

from neuro.emulator.run import Record, ReplayState, replay

__all__ = ["Record", "ReplayState", "replay"]
