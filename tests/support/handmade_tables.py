"""Configurations for tests: one laid out by hand, with every table in use, and random ones of every kind."""

from __future__ import annotations

import copy
import json
from functools import reduce

import numpy as np
import pandas as pd

from neuro.descriptor import Chip
from neuro.tables import Tables, columns_of, make_tables

CHIP = {
    "name": "handmade",
    "title": "Three chips in a row, two cores of four neurons each",
    "real": False,
    "board": {"columns": 3, "rows": 1},
    "cores": {"per_chip": 2, "neurons": 4, "axons": 3},
    "neuron": {
        "leak": "exponential",
        "reset": "subtract",
        "refractory": "hold",
        "floor": 0.0,
        "adaptation": "current",
        "distinct_per_core": {
            "tau_mem": 2,
            "tau_syn": 1,
            "threshold": 1,
            "v_reset": 1,
            "refractory": 1,
            "adaptation": 1,
            "bias": 1,
        },
        "latches": {"tau_mem": "TAU2_SET"},
    },
    "types": [
        {"name": "inh", "id": 0, "sign": -1},
        {"name": "shunt", "id": 1, "sign": -1},
        {"name": "slow", "id": 2, "sign": 1},
        {"name": "exc", "id": 3, "sign": 1},
    ],
    "currents": [{"name": "fast", "types": ["exc", "inh"]}, {"name": "late", "types": ["slow"], "shunting": ["shunt"]}],
    "weights": {
        "kind": "counts",
        "slots": 4,
        "word_bits": 8,
        "bases": [{"name": "exc", "bias": "W_E"}, {"name": "slow", "bias": "W_S"}, {"name": "inh", "bias": "W_I"}],
        "dac": "N",
        "weight_unit_a": 1e-5,
    },
    "tags": {"bits": 4, "own_bits": 2, "forbidden": [0], "silent_sources": [[0, 0]]},
    "routes": {"entries": 3, "reserved": 1, "max_hop": 1},
    "inputs": {"events_per_step": 2, "channels": 3},
    "delays": {"route_max": 3, "lines": 2, "line_max": 2},
    "bias_dac": {
        "N": [[0, 10, 1e-6], [0, 20, 2e-6], [1, 5, 5e-6], [7, 1, 1e-2]],
        "P": [[0, 10, 1.5e-6]],
    },
}
EXPONENT = -10
UNITS = {3: (102, "W_E", 0, 10, 1e-6), 2: (205, "W_S", 0, 20, 2e-6), 0: (-512, "W_I", 1, 5, 5e-6)}
CORES = [(0, 0), (0, 1), (1, 1)]


def make_chip(base: dict = CHIP, **changes) -> Chip:
    """A chip with some values changed, by dotted path with __ for the dots."""
    content = copy.deepcopy(base)
    for path, value in changes.items():
        *parts, last = path.split("__")
        reduce(dict.__getitem__, parts, content)[last] = value
    return Chip.model_validate_json(json.dumps(content))


def handmade() -> tuple[dict, dict[str, list]]:
    """Manifest and rows of a valid configuration: 3 hidden neurons on two chips, 2 output neurons, 3 input channels."""
    constants = {
        "decay_syn": [(0.5).hex(), (0.75).hex()],
        "theta": (1.0).hex(),
        "v_reset": (0.0).hex(),
        "floor": (0.0).hex(),
        "bias": (0.0).hex(),
        "beta": (0.25).hex(),
        "decay_a": (0.5).hex(),
        "refractory_steps": 1,
    }
    manifest = {
        "chip": make_chip(),
        "dt_s": 1e-3,
        "chips": [{"chip": c, "x": c, "y": 0} for c in range(3)],
        "inputs": [{"name": "in", "channels": 3}],
        "populations": [{"name": "hidden", "size": 3}, {"name": "out", "size": 2}],
        "outputs": [
            {"name": "spikes", "population": "out", "kind": "spikes", "classes": 2, "decay": None},
            {"name": "traces", "population": "hidden", "kind": "traces", "classes": 2, "decay": (0.5).hex()},
        ],
        "currents": ["fast", "late"],
        "shunting_as_subtractive": False,
        "delay_lines": [0, 1],
        "grid_exponents": [{"chip": c, "core": k, "exponent": EXPONENT} for c, k in CORES],
        "parameter_sets": [
            {"id": 0, "leak": (0.875).hex(), **constants},
            {"id": 1, "leak": (0.75).hex(), **constants},
        ],
        "task": "handmade",
    }
    rows = {
        "neurons": [(0, 0, 1, 0, 0, 0), (0, 0, 2, 0, 1, 1), (1, 1, 0, 0, 2, 0), (0, 1, 0, 1, 0, 0), (0, 1, 1, 1, 1, 0)],
        "weights": [(c, k, -1, t, -1, UNITS[t][0]) for c, k in CORES for t in UNITS],
        "synapses": [
            (0, 0, 1, 0, 3, 3, -1, 1, 0),
            (0, 0, 1, 1, 3, 3, -1, 1, 0),
            (0, 0, 1, 2, 7, 0, -1, 1, 0),
            (0, 0, 2, 0, 7, 2, -1, 1, 0),
            (1, 1, 0, 0, 7, 3, -1, 1, 0),
            (1, 1, 0, 1, 11, 0, -1, 1, 0),
            (1, 1, 0, 2, 5, 3, -1, 1, 0),
            (0, 1, 0, 0, 1, 3, -1, 1, 0),
            (0, 1, 0, 1, 4, 3, -1, 1, 0),
            (0, 1, 1, 0, 2, 0, -1, 1, 0),
            (0, 1, 1, 1, 4, 3, -1, 1, 1),
        ],
        "routes": [
            (0, 0, 1, 0, 1, 0, 0b10, 1),
            (0, 0, 1, 1, 5, 1, 0b10, 2),
            (0, 0, 2, 0, 2, 0, 0b11, 1),
            (1, 1, 0, 0, 4, 0, 0b10, 3),
        ],
        "inputs": [(0, 0, 3, 0, 0b01, 0), (0, 1, 7, 0, 0b01, 0), (0, 1, 7, 1, 0b10, 1), (0, 2, 11, 1, 0b10, 0)],
        "readout": [(1, r, 0, i, 0.25 * (i + 2) * (1 - 2 * r)) for r in range(2) for i in range(-1, 3)],
        "biases": [(c, k, *UNITS[t][1:]) for c, k in CORES for t in UNITS],
        "latches": [(0, 0, 2, "TAU2_SET")],
    }
    return manifest, rows


def tables_of(manifest: dict, rows: dict[str, list]) -> Tables:
    frames = {t: pd.DataFrame(r, columns=list(columns_of(t, manifest["chip"]))) for t, r in rows.items()}
    return make_tables(manifest, frames)


def random_tables(seed: int, kind: str | None = None, clashes: bool = False, wide: bool | None = None) -> Tables:
    """A valid configuration of some kind of weights; with `clashes`, tags that several sources share in a core."""
    g = np.random.default_rng(seed)
    kind = kind or g.choice(["counts", "masks", "levels"])
    chip = _random_chip(g, kind, g.random() < 0.2 if wide is None else wide)
    inputs = [int(g.integers(1, 4)) for _ in range(g.integers(1, 3))]
    sizes = [int(g.integers(1, 5)) for _ in range(g.integers(1, 4))]
    places = _places(g, chip, sum(sizes))
    currents = list(range(g.integers(1, 3)))
    sets = [_constants(g, i, chip, len(currents)) for i in range(2)]
    populations = np.repeat(np.arange(len(sizes)), sizes)
    index = np.concatenate([np.arange(n) for n in sizes])
    lines = [0, 2, 1][: g.integers(1, 4)]
    routes, arriving, heard = _events(g, chip, places, inputs, clashes)
    cores = sorted({place[:2] for place in places})
    weights, types = _weights(g, chip, cores, currents)
    manifest = {
        "chip": chip,
        "dt_s": 1e-3,
        "chips": [{"chip": c, "x": c % 2, "y": c // 2} for c in range(chip.chips)],
        "inputs": [{"name": f"in{i}", "channels": n} for i, n in enumerate(inputs)],
        "populations": [{"name": f"p{i}", "size": n} for i, n in enumerate(sizes)],
        "outputs": [
            {"name": "out", "population": f"p{len(sizes) - 1}", "kind": "spikes", "classes": None, "decay": None}
        ],
        "currents": [chip.currents[k].name for k in currents],
        "delay_lines": lines,
        "grid_exponents": [{"chip": c, "core": k, "exponent": int(g.integers(-8, -5))} for c, k in cores],
        "parameter_sets": sets,
    }
    rows = {
        "neurons": [
            (*place, int(p), int(i), 7 * int(g.integers(2)))
            for place, p, i in zip(places, populations, index, strict=True)
        ],
        "weights": weights,
        "synapses": [w for place in places for w in _memory(g, chip, place, heard, types, lines)],
        "routes": routes,
        "inputs": arriving,
    }
    return tables_of(manifest, rows)


def random_events(tables: Tables, seed: int, steps: int = 12, batch: int = 2) -> dict[str, np.ndarray]:
    g = np.random.default_rng(seed)
    most = tables.chip.inputs.events_per_step
    return {name: g.integers(0, most + 1, (steps, batch, n)) for name, n in tables.input_channels.items()}


def _random_chip(g, kind: str, wide: bool) -> Chip:
    weights = {"kind": kind, "slots": 6, "word_bits": 12, "bases": [{"name": "base"}]}
    if kind == "counts":
        weights["bases"] = [{"name": name} for name in ("exc", "inh", "slow", "shunt")]
    if kind == "masks":
        weights["bases"] = [{"name": f"I{b}"} for b in range(g.integers(1, 5))]
    if kind == "levels":
        weights |= {"levels": [0.5, 1.0, 2.5], "sign": "type"}
    neuron = {
        "leak": str(g.choice(["exponential", "linear", "linear_to_zero"])),
        "reset": str(g.choice(["subtract", "to_value"])),
        "refractory": str(g.choice(["hold", "integrate"])),
        "floor": [None, -0.25][g.integers(2)],
        "adaptation": str(g.choice(["none", "current", "threshold"])),
    }
    return make_chip(
        board={"columns": 2, "rows": int(g.integers(1, 3))},
        cores={"per_chip": 40 if wide else int(g.integers(1, 4)), "neurons": 6},
        neuron=neuron,
        weights=weights,
        tags={"bits": 8},
        routes={},
        inputs={"events_per_step": int(g.integers(1, 4))},
        delays={"route_max": 3, "lines": 3, "line_max": 2},
    )


def _places(g, chip: Chip, count: int) -> list[tuple[int, int, int]]:
    cores = [(c, k) for c in range(chip.chips) for k in range(chip.cores.per_chip)]
    cores = [cores[i] for i in g.permutation(len(cores))[:3]]
    every = [(c, k, n) for c, k in cores for n in range(chip.cores.neurons)]
    return [every[i] for i in g.permutation(len(every))[: min(count, len(every))]]


def _constants(g, number: int, chip: Chip, currents: int) -> dict:
    def f32(low, high):
        return float(np.float32(g.uniform(low, high))).hex()

    return {
        "id": number * 7,
        "leak": f32(0.0, 1.0) if chip.neuron.leak == "exponential" else f32(0.0, 0.1),
        "decay_syn": [f32(0.0, 1.0) for _ in range(currents)],
        "theta": f32(0.3, 1.0),
        "v_reset": f32(-0.2, 0.2),
        "floor": float(-np.inf if chip.neuron.floor is None else chip.neuron.floor).hex(),
        "bias": f32(-0.05, 0.1),
        "beta": f32(0.0, 0.5) if chip.neuron.adaptation != "none" else (0.0).hex(),
        "decay_a": f32(0.0, 1.0),
        "refractory_steps": int(g.integers(0, 3)),
    }


def _events(g, chip: Chip, places, inputs: list[int], clashes: bool):
    """Routes and inputs with tags that differ within each chip (unless they may clash), and who hears which tag."""
    wide = chip.cores.per_chip > 32
    homes = {(c, k) for c, k, _ in places}
    heard: dict[tuple[int, int], list[int]] = {core: [] for core in homes}
    tags = {c: list(g.permutation(200)) for c in range(chip.chips)}
    sources = [(i, ch) for i, n in enumerate(inputs) for ch in range(n)] + list(places)
    routes, arriving = [], []
    for source in sources:
        number = 0
        for target in range(chip.chips):
            cores = [k for k in range(chip.cores.per_chip) if (target, k) in homes and g.random() < 0.7]
            if not cores:
                continue
            tag = int(g.integers(3)) if clashes else int(tags[target].pop())
            for k in cores:
                heard[target, k].append(tag)
            delay = int(g.integers(1, 4)) if len(source) == 3 else int(g.integers(0, 3))
            reached = cores if wide else [sum(1 << k for k in cores)]
            for where in reached:
                if len(source) == 3:
                    routes.append((*source, number, tag, target, where, delay))
                else:
                    arriving.append((*source, tag, target, where, delay))
            number += 1
    return routes, arriving, heard


def _weights(g, chip: Chip, cores, currents):
    kind = chip.weights.kind
    by_name = {t.name: t for t in chip.types}
    types = [by_name[name] for k in currents for name in chip.currents[k].types]
    rows = []
    for c, k in cores:
        if kind == "counts":
            rows += [(c, k, -1, t.id, -1, t.sign * int(g.integers(20, 120))) for t in types]
        elif kind == "masks":
            rows += [(c, k, -1, -1, b, int(g.integers(5, 60))) for b in range(len(chip.weights.bases))]
        else:
            scale = int(g.integers(21, 80))
            levels = enumerate(chip.weights.levels)
            rows += [(c, k, -1, t.id, i, t.sign * int(np.round(v * scale))) for i, v in levels for t in types]
    return rows, types


def _memory(g, chip: Chip, place, heard, types, lines) -> list[tuple]:
    tags = heard[place[:2]]
    codes = {"counts": [1], "masks": range(1, 2 ** len(chip.weights.bases)), "levels": range(3)}[chip.weights.kind]
    current_of = {name: i for i, c in enumerate(chip.currents) for name in (*c.types, *c.shunting)}
    rows, sign_of = [], {}
    for _ in range(g.integers(0, chip.weights.slots + 1) if tags else 0):
        tag, t, delay = int(g.choice(tags)), types[g.integers(len(types))], int(g.choice(lines))
        if chip.weights.kind == "counts" and sign_of.setdefault((tag, current_of[t.name], delay), t.sign) != t.sign:
            continue
        rows.append((*place, len(rows), tag, t.id, -1, int(g.choice(codes)), delay))
    return rows
