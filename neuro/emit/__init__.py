"""From a trained network to the tables that program its chip."""

from neuro.emit.anew import Moved, moved, replace
from neuro.emit.layers import export_layers
from neuro.emit.make import export

__all__ = ["Moved", "export", "export_layers", "moved", "replace"]
