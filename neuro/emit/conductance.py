"""Tables of arrays: which row of a core carries which tag, and what every pair of conductances in use weighs."""

from __future__ import annotations

import numpy as np
import pandas as pd

from neuro.nn import Network

CORE = ["chip", "core"]


def with_rows(synapses: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Give every tag that a core hears a row, in the order of tags; returns synapses with it as their slot, and axons."""
    axons = synapses[[*CORE, "tag"]].drop_duplicates().sort_values([*CORE, "tag"], ignore_index=True)
    axons = axons.assign(axon=axons.groupby(CORE).cumcount(), type=-1)
    placed = synapses.drop(columns="slot").merge(axons.rename(columns={"axon": "slot"}).drop(columns="type"))
    order = ["chip", "core", "neuron", "slot"]
    return placed.sort_values(order, ignore_index=True)[synapses.columns], axons[[*CORE, "axon", "tag", "type"]]


def pair_weights(network: Network) -> pd.DataFrame:
    """List what every pair in use weighs on its core, in whole grid units: part = i · L + j."""
    plan, rows = network.plan, []
    grid = network.bases.grid().double().cpu().numpy()
    for name in plan.spec.populations:
        memory = network.memories[name]
        core = plan.core_index(name)
        code, weight = (x.flatten(1).cpu().numpy() for x in (memory.code, memory.weight.double()))
        used = code != memory.scheme.empty
        number = np.broadcast_to(core[:, None], code.shape)
        units = np.rint(weight / grid[core][:, None]).astype(np.int64)
        rows.append(np.unique(np.stack([x[used] for x in (number, code, units)], 1), axis=0))
    number, code, units = np.unique(np.concatenate(rows), axis=0).T.astype(np.int64)
    chip, core = np.array(plan.cores)[number].reshape(-1, 2).T
    columns = {"chip": chip, "core": core, "neuron": -1, "type": -1, "part": code, "value": units}
    return pd.DataFrame(columns)
