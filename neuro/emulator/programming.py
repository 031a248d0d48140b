"""What programming makes of the pairs a configuration asks for: conductances near their targets, a draw a seed."""

from __future__ import annotations

import numpy as np
import pandas as pd

from neuro.descriptor import refuse_exact_programming
from neuro.descriptor.analog import Devices
from neuro.errors import TableError
from neuro.tables import Joined
from neuro.tables.joined import pair_weights_of

CORE = ["chip", "core"]


def programmed(devices: Devices, share: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Give what devices conduct that were programmed to shares of g_max, as read a moment later without noise."""
    spread = sum(c * share**power for power, c in enumerate(devices.programming_us)) / devices.g_max_us
    return np.maximum(share + spread * random.standard_normal(share.shape), 0)


def words_programmed(joined: Joined, seed: int) -> pd.DataFrame:
    """Give `joined.words` with what programming makes of each pair, rounded to whole units of the grid, half to even.

    Pairs that hold no word are not programmed, and conduct as described. Raises DescriptionError for a chip without noise.
    """
    refuse_exact_programming(joined.chip)
    pieces, devices = joined.pieces, joined.chip.devices
    bases = pieces[CORE].merge(_bases(joined), how="left", on=CORE)
    random = np.random.default_rng(seed)
    targets = [side[pieces["part"].to_numpy()] for side in pair_weights_of(joined.chip)]
    plus, minus = (programmed(devices, target, random) - target for target in targets)
    off = bases["plus"].to_numpy() * plus - bases["minus"].to_numpy() * minus
    return joined.words_of(pieces["value"] + np.rint(off).astype(np.int64))


def _bases(joined: Joined) -> pd.DataFrame:
    """What G+ and G- of full conductance weigh on every core, in units of its grid: by least squares, from its weights.

    Raises TableError for a core whose weights do not tell.
    """
    found, devices = [], joined.chip.devices
    for key, rows in joined.tables.frames["weights"].groupby(CORE):
        plus, minus = (side[rows["part"].to_numpy()] for side in pair_weights_of(joined.chip))
        two = len(joined.chip.weights.bases) == 2
        sides = np.column_stack([plus, -minus]) if two else (plus - devices.gain * minus)[:, None]
        bases, _, rank, _ = np.linalg.lstsq(sides, rows["value"].to_numpy(float))
        if rank < sides.shape[1]:
            raise TableError(
                f"chip {key[0]} core {key[1]}: the pairs in use are too few to tell what a device at full conductance "
                "weighs, so no noise can be drawn for them; replay without noise"
            )
        found.append((*key, bases[0], bases[1] if two else devices.gain * bases[0]))
    return pd.DataFrame(found, columns=[*CORE, "plus", "minus"])
