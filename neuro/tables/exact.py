"""How large weights may be so that float32 adds them exactly."""

from __future__ import annotations

import math

EXACT = 2**24  # float32 adds whole numbers below this without rounding


def base_bits(events: int, units: float) -> int:
    """Bits a base weight may have: `units` base weights in a row, times events, stay below 2^24."""
    return max(0, 24 - math.ceil(math.log2(events * units)))
