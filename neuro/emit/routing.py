"""Route rows of a plan as tables: only to cores where somebody listens, numbered for each neuron."""

from __future__ import annotations

import numpy as np
import pandas as pd

from neuro.placement import Plan, RouteTable
from neuro.tables import columns_of

LARGEST = 2**30  # marks in one array, one for each core and tag


def routing_frames(plan: Plan, synapses: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Give the frames of routes and inputs to cores that listen; a plan leads wherever training might have listened."""
    routes, inputs = (_heard(table, plan, synapses) for table in plan.tables_of_routes)
    of = routes.of_source({name: i for i, name in enumerate(plan.locations)})
    sizes = [len(places) for places in plan.locations.values()]
    neuron = np.cumsum([0, *sizes])[of] + routes.index
    home = np.concatenate(list(plan.locations.values()))[neuron]
    sent = pd.DataFrame({"chip": home[:, 0], "core": home[:, 1], "neuron": home[:, 2], "route": _numbers(neuron)})
    given = pd.DataFrame({
        "input": inputs.of_source({name: i for i, name in enumerate(plan.spec.inputs)}), "channel": inputs.index
    })  # fmt: skip
    return {
        "routes": _with_targets(sent, routes, plan, "routes"),
        "inputs": _with_targets(given, inputs, plan, "inputs"),
    }


def _with_targets(rows: pd.DataFrame, table: RouteTable, plan: Plan, name: str) -> pd.DataFrame:
    """Add tag, target and delay: a row for each route where cores fit a mask, else one for each core."""
    columns = columns_of(name, plan.chip)
    rows = rows.assign(tag=table.tag, target_chip=table.target_chip, delay=table.delay)
    if "core_mask" in columns:
        return rows.assign(core_mask=table.masks())[list(columns)]
    return rows.iloc[table.row].assign(target_core=table.cores)[list(columns)].reset_index(drop=True)


def _numbers(neuron: np.ndarray) -> np.ndarray:
    """Number the routes of each neuron 0, 1, … in the order they stand; those of a neuron stand together."""
    first = np.flatnonzero(np.append(True, neuron[1:] != neuron[:-1]))
    return np.arange(len(neuron)) - np.repeat(first, np.diff(np.append(first, len(neuron)))) if len(neuron) else neuron


def _heard(table: RouteTable, plan: Plan, synapses: pd.DataFrame) -> RouteTable:
    """Keep the cores where some word holds the tag."""
    per_chip, row = plan.chip.cores.per_chip, table.row
    tags = int(max(table.tag.max(initial=0), synapses["tag"].max() if len(synapses) else 0)) + 1
    sent = (table.target_chip[row] * per_chip + table.cores) * tags + table.tag[row]
    words = (synapses["chip"].to_numpy(np.int64) * per_chip + synapses["core"].to_numpy()) * tags + synapses[
        "tag"
    ].to_numpy()
    if plan.chip.chips * per_chip * tags > LARGEST:
        return table.kept(np.isin(sent, words))
    listens = np.zeros(plan.chip.chips * per_chip * tags, bool)
    listens[words] = True
    return table.kept(listens[sent])
