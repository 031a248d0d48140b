"""The command line: one module a sub-command."""

from neuro.cli.app import main

__all__ = ["main"]
