"""A chip in plain loops: a spike walks its routes, and every word of every core it reaches is searched for its tag."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import numpy as np

F = np.float32


class Neuron:
    """One neuron, in scalars of float32."""

    def __init__(self, model, parameters, currents: int, unit: float = 1.0):
        self.m, self.p, self.unit = model, parameters, unit
        self.v, self.a, self.rest = F(0), F(0), 0
        self.i = [F(0)] * currents

    def step(self, drive: list[float]) -> int:
        m, p = self.m, self.p
        self.i = [self._fade(F(d), i) + F(c) for d, i, c in zip(p.decay_syn, self.i, drive, strict=True)]
        u = self._leak()
        for current in self.i:
            u = u + current
        u = u + F(p.bias)
        if m.adaptation == "current":
            u = u - F(p.beta) * self.a
        if m.floor is not None:
            u = max(u, F(p.floor))
        theta = F(p.theta) + F(p.beta) * self.a if m.adaptation == "threshold" else F(p.theta)
        free = self.rest == 0
        z = int(u >= theta and free)
        self.v = u
        if z:
            self.v = u - F(p.theta) if m.reset == "subtract" else F(p.v_reset)
        if m.refractory == "hold" and not free:
            self.v = F(p.v_reset)
        if m.adaptation != "none":
            self.a = F(p.decay_a) * self.a + F(z)
        self.rest = p.refractory_steps if z else max(self.rest - 1, 0)
        return z

    def _leak(self):
        v, amount = self.v, F(self.p.leak)
        if self.m.leak in ("exponential", "fraction", "shift"):
            return self._fade(amount, v)
        if self.m.leak == "linear":
            return v - amount
        return F(np.sign(v)) * max(abs(v) - amount, F(0))

    def _fade(self, decay, x):
        if self.m.leak not in ("fraction", "shift"):
            return decay * x
        units, kept = Fraction(float(x)) / Fraction(self.unit), Fraction(float(decay))
        if self.m.leak == "fraction":
            return F(int(units * kept) * self.unit)  # int() goes towards zero
        part = floor(units * (1 - kept))
        return F((units - (max(part, 1) if units > 0 else part)) * Fraction(self.unit))


def simulate(tables, x: dict[str, np.ndarray], b: int):
    """Spikes and v of every neuron, {(population, index): [T]}, for one sample of the batch."""
    manifest, chip = tables.manifest, tables.chip
    rows = {table: frame.to_dict("records") for table, frame in tables.frames.items()}
    sets = {p.id: p for p in manifest.parameter_sets}
    neurons = {(r["chip"], r["core"], r["neuron"]): r for r in rows["neurons"]}
    currents, unit = len(manifest.currents), {place: 2.0**e for place, e in tables.exponents.items()}
    state = {at: Neuron(chip.neuron, sets[r["parameters"]], currents, unit[at[:2]]) for at, r in neurons.items()}
    steps = next(iter(x.values())).shape[0]
    drive = {}
    z = {(r["population"], r["index"]): [] for r in rows["neurons"]}
    v = {key: [] for key in z}

    def send(row, t, count=1):
        cores = range(chip.cores.per_chip)
        reached = [row["target_core"]] if "target_core" in row else [k for k in cores if row["core_mask"] >> k & 1]
        for core in reached:
            for word in rows["synapses"]:
                if (word["chip"], word["core"], word["tag"]) == (row["target_chip"], core, row["tag"]):
                    at = (word["chip"], word["core"], word["neuron"])
                    key = (t + row["delay"] + word["delay"], at, current_of(manifest, chip, word["type"]))
                    drive[key] = drive.get(key, 0) + count * value(chip, rows["weights"], word)

    for t in range(steps):
        for row in rows["inputs"]:
            send(row, t, int(x[manifest.inputs[row["input"]].name][t, b, row["channel"]]))
        for at, neuron in state.items():
            now = [drive.get((t, at, k), 0) * unit[at[:2]] for k in range(len(manifest.currents))]
            key = (neurons[at]["population"], neurons[at]["index"])
            z[key].append(neuron.step(now))
            v[key].append(neuron.v)
            for row in rows["routes"] if z[key][-1] else []:
                if (row["chip"], row["core"], row["neuron"]) == at:
                    send(row, t)
    return z, v


def current_of(manifest, chip, type_id: int) -> int:
    if type_id == -1:
        return 0
    name = next(t.name for t in chip.types if t.id == type_id)
    return next(manifest.currents.index(c.name) for c in chip.currents if name in (*c.types, *c.shunting))


def value(chip, weights, word) -> int:
    """What one word adds, in units of its core's grid."""
    here = [w for w in weights if (w["chip"], w["core"]) == (word["chip"], word["core"])]
    if chip.weights.kind == "masks":
        sign = next(t.sign for t in chip.types if t.id == word["type"])
        return sign * sum(w["value"] for w in here if word["code"] >> w["part"] & 1)
    part = word["code"] if chip.weights.kind in ("levels", "conductance") else -1
    return next(w["value"] for w in here if w["type"] == word["type"] and w["part"] == part)
