"""What one device makes of a configuration: constants and words of every neuron times the device's factors."""

from __future__ import annotations

import numpy as np
import pandas as pd

from neuro.dynamics import Constants, NeuronModel, deviated
from neuro.tables import Joined

HERE = ["chip", "core", "neuron"]


def constants_on(model: NeuronModel, constants: Constants, joined: Joined, virtual) -> Constants:
    """Give the constants of all neurons on a device; time constants of synapses by the currents in use."""
    factors = virtual.of_neurons(joined.neurons[HERE].to_numpy())
    factors = {name: factor for name, factor in factors.items() if name not in ("weight", "base")}
    if "tau_syn" in factors:
        names = list(virtual.names["tau_syn"])
        factors["tau_syn"] = factors["tau_syn"][:, [names.index(c) for c in joined.manifest.currents]].T
    return deviated(model, constants, factors)


def words_on(joined: Joined, virtual) -> pd.DataFrame:
    """Give `joined.words` with what a device makes of them: each row of `weights` a word adds up is multiplied and rounded.

    Half to even; a row that is not 0 stays at least one unit of the grid. Factors are those of the word's synapse type and,
    where words are masks, of its base weights.
    """
    pieces = joined.pieces
    words = joined.tables.frames["synapses"].iloc[pieces["word"].to_numpy()]
    factors, value = virtual.of_neurons(words[HERE].to_numpy()), pieces["value"].to_numpy(np.float64)
    each = np.arange(len(pieces))
    if "weight" in factors:
        name_of = {t.id: t.name for t in joined.chip.types}
        column = {i: list(virtual.names["weight"]).index(name) for i, name in name_of.items()}
        value = value * factors["weight"][each, words["type"].map(column).to_numpy()]
    if "base" in factors and joined.chip.weights.kind == "masks":
        value = value * factors["base"][each, pieces["part"].to_numpy()]
    size = np.maximum(np.abs(np.round(value)), value != 0)
    return joined.words_of(pd.Series(np.copysign(size, value).astype(np.int64), index=pieces.index))
