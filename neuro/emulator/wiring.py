"""From tables to sums: which source adds how much to which current of which neuron, after how many steps.

Routes and inputs meet synapse words on (chip, core, tag), so a tag that two sources share fires every word with it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from scipy.sparse import csr_array

from neuro.dynamics import WHOLE, Constants, NeuronModel, stack
from neuro.emulator.device import constants_on, words_on
from neuro.emulator.programming import words_programmed
from neuro.errors import TableError
from neuro.tables import Joined, Tables, ill_formed

HEARD = ["chip", "core", "tag"]


@dataclass(frozen=True, eq=False)
class Wiring:
    """A configuration ready to run: N neurons side by side, C currents, S sources (input channels, then neurons).

    weights: delay in steps -> sparse [C · N, S] in whole grid units. grid: [N] what one unit is worth.
    """

    model: NeuronModel
    constants: Constants
    weights: dict[int, csr_array]
    grid: np.ndarray
    currents: int
    inputs: int

    @property
    def neurons(self) -> int:
        return len(self.grid)

    @property
    def reach(self) -> int:
        """Steps an event can be on its way."""
        return max(self.weights, default=0)

    def is_exact(self, events_per_step: int) -> bool:
        """Whether no neuron's sum can leave the 2^24 units that float32 adds exactly, and no spike acts at once."""
        units, late = np.zeros(self.currents * self.neurons), True
        for delay, weights in self.weights.items():
            of_inputs, of_neurons = abs(weights[:, : self.inputs]), abs(weights[:, self.inputs :])
            units += of_inputs.sum(1) * events_per_step + of_neurons.sum(1)
            late &= delay > 0 or not of_neurons.nnz
        return late and bool((units < 2**24).all())


def wire(tables: Tables, virtual=None, noise_seed: int | None = None) -> Wiring:
    """Join tables into a network; raises TableError where their numbers refer to nothing.

    virtual: the device they program, a `neuro.virtual_chip`; None is the chip as described. noise_seed: pairs of
    conductances come out of programming with noise, a draw a seed; None is exactly. Raises DescriptionError for chips
    without either.
    """
    findings = ill_formed(tables)
    if findings:
        raise TableError(f"{findings[0]}; {len(findings)} findings in all, `neuro check` lists them")
    joined = Joined(tables)
    neuron = tables.chip.neuron
    exponents = tables.exponents
    places = zip(joined.neurons["chip"], joined.neurons["core"], strict=True)
    grid = np.array([2.0 ** exponents[place] for place in places])
    model = NeuronModel(neuron.leak, neuron.reset, neuron.refractory, neuron.floor is not None, neuron.adaptation)
    constants, words = _constants(joined, grid), joined.words
    if virtual is not None:
        virtual.refuse_other(tables.chip)
        constants = constants_on(model, constants, joined, virtual)
    if noise_seed is not None:  # of conductances, whose words no virtual chip multiplies
        words = words_programmed(joined, noise_seed)
    elif virtual is not None:
        words = words_on(joined, virtual)
    return Wiring(
        model=model,
        constants=constants,
        weights=_weights(joined, words),
        grid=grid,
        currents=len(tables.manifest.currents),
        inputs=joined.inputs,
    )


def _constants(joined: Joined, grid: np.ndarray) -> Constants:
    sets = joined.manifest.parameter_sets
    place = {entry.id: i for i, entry in enumerate(sets)}
    one_each = stack([entry.to_set() for entry in sets], [1] * len(sets))
    of_neuron = torch.from_numpy(np.array(joined.neurons["parameters"].map(place), dtype=np.int64))
    each = Constants(*(column[..., of_neuron].contiguous() for column in one_each))
    return each._replace(unit=torch.from_numpy(grid).float()) if joined.chip.neuron.leak in WHOLE else each


def _weights(joined: Joined, words: pd.DataFrame) -> dict[int, csr_array]:
    """Multiply who is heard (event × source) with what is stored (neuron × event), for each pair of delays."""
    events = words[HEARD].drop_duplicates(ignore_index=True)
    events = events.assign(event=np.arange(len(events)))
    words, deliveries = words.merge(events, on=HEARD), joined.deliveries.merge(events, on=HEARD)
    currents, neurons = len(joined.manifest.currents), len(joined.neurons)
    sources = joined.inputs + neurons
    heard = {
        delay: _sums(rows["event"], rows["source"], np.ones(len(rows)), (len(events), sources))
        for delay, rows in deliveries.groupby("delay")
    }
    stored = {
        delay: _sums(rows["row"], rows["event"], rows["value"], (currents * neurons, len(events)))
        for delay, rows in words.assign(row=words["current"] * neurons + words["target"]).groupby("delay")
    }
    total: dict[int, csr_array] = {}
    for route, who in heard.items():
        for line, what in stored.items():
            part = what @ who
            total[route + line] = total[route + line] + part if route + line in total else part
    return {int(delay): total[delay] for delay in sorted(total) if total[delay].nnz}


def _sums(row, column, value, shape: tuple[int, int]) -> csr_array:
    """Add values up by place; whole numbers, so exact in float64."""
    return csr_array((np.asarray(value, dtype=np.float64), (np.asarray(row), np.asarray(column))), shape=shape)
