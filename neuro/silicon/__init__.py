"""What silicon makes of a trained network: devices that vary, drift and are programmed again, and the tiles they form."""

from neuro.silicon.deviations import deviation_of, drawn_deviation
from neuro.silicon.devices import VirtualChip, virtual_chip
from neuro.silicon.layers import on_tiles
from neuro.silicon.tiles import TileConv2d, TileLinear

__all__ = ["TileConv2d", "TileLinear", "VirtualChip", "deviation_of", "drawn_deviation", "on_tiles", "virtual_chip"]
