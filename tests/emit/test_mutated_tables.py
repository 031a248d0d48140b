"""One wrong cell in a configuration is found by the checker, or seen in a replay, or provably changes nothing.

"Seen" means that a replay differs in one bit from some state, reachable or not; what changes nothing from any state is
either the same network (a tag renamed on both sides, a core in a mask in which nobody listens) or a constant not read.
"""

import json
import shutil
from collections import Counter

import numpy as np
import pytest
import torch
from random_networks import CHIPS, chip_of, random_events, random_network

import neuro
from neuro.dynamics import State
from neuro.emulator import ReplayState
from neuro.emulator.wiring import wire
from neuro.errors import NeuroError

TRIES = 40


def mutate_cell(folder, rng) -> str:
    """Change one cell of one table, in place, to a value near it, common in its column, or odd; say which."""
    files = sorted(p for p in folder.glob("*.csv"))
    path = files[rng.integers(len(files))]
    header, *rows = (line.split(",") for line in path.read_text().splitlines())
    row, column = int(rng.integers(len(rows))), int(rng.integers(len(header)))
    old = rows[row][column]
    others = sorted({r[column] for r in rows} - {old})
    if old.lstrip("-").isdigit():
        new = [str(int(old) + 1), str(int(old) - 1), str(int(old) ^ (1 << int(rng.integers(11)))), "-1", "0"]
    elif "0x" in old:
        value = float.fromhex(old)
        new = [v.hex() for v in (float(np.nextafter(np.float32(value), np.float32(9))), value * 1.5, -value, 0.0)]
    else:
        new = ["other"]
    choices = [v for v in [*others[:3], *others[-3:], *new] if v != old]
    rows[row][column] = str(rng.choice(choices))
    path.write_text("\n".join(",".join(r) for r in [header, *rows]) + "\n")
    return f"{path.stem}.{header[column]}: {old} -> {rows[row][column]}"


def mutate_constant(folder, rng) -> str:
    """Change one constant of a parameter set, a grid exponent, or the decay of an output."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    entry = manifest["parameter_sets"][rng.integers(len(manifest["parameter_sets"]))]
    name = str(rng.choice([k for k in entry if k != "id"]))
    if rng.random() < 0.2:
        entry, name = manifest["grid_exponents"][rng.integers(len(manifest["grid_exponents"]))], "exponent"
    old = entry[name]
    if isinstance(old, int):
        entry[name] = old + int(rng.choice([-1, 1]))
    else:
        values = old if isinstance(old, list) else [old]
        k = int(rng.integers(len(values)))
        value = float.fromhex(values[k])
        near = float(np.float32(value * 0.99)) if value else 0.25
        values[k] = float(rng.choice([near, value * 0.5, value + 0.125, 1.0 - value])).hex()
        entry[name] = values if isinstance(old, list) else values[0]
    path.write_text(json.dumps(manifest))
    return f"constant {name}: {old} -> {entry[name]}"


def same_wiring(a, b) -> bool:
    """Whether two configurations are one network: the same sums into the same neurons with the same constants."""
    first, second = wire(a), wire(b)
    if first.weights.keys() != second.weights.keys() or first.neurons != second.neurons:
        return False
    for delay, weights in first.weights.items():
        one, two = (np.tile(w.grid, w.currents)[:, None] for w in (first, second))
        if (weights.multiply(one) != second.weights[delay].multiply(two)).nnz:
            return False
    return all(torch.equal(x, y) for x, y in zip(first.constants, second.constants, strict=True))


def random_state(tables, reach: int, rng, batch: int):
    """Any state at all: neurons anywhere (half of the samples: a hundredth off their threshold), adapted, resting,
    and every source just active or not.
    """
    wiring = wire(tables)
    n, most, k = wiring.neurons, tables.chip.inputs.events_per_step, wiring.constants
    theta, beta, leak = (constant.numpy() for constant in (k.theta, k.beta, k.leak))

    def floats(values):
        return torch.from_numpy(np.asarray(values, np.float32))

    v = rng.normal(0.5, 1.5, (batch, n)) * theta
    i = rng.normal(0, 1.5, (wiring.currents, batch, n)) * theta
    a = rng.integers(0, 3, (batch, n))
    edge = (theta + beta * a[::2]) * rng.normal(1, 0.01, a[::2].shape)
    v[::2] = edge + leak if wiring.model.leak.startswith("linear") else edge / np.where(leak == 0, 1, leak)
    i[:, ::2] = 0
    resting = torch.from_numpy(rng.integers(0, 2, (batch, n), dtype=np.int32))
    events = rng.integers(0, most + 1, (reach, wiring.inputs, batch))
    spikes = rng.integers(0, 2, (reach, n, batch))
    history = torch.from_numpy(np.concatenate([events, spikes], 1).astype(np.float64))
    return ReplayState(State(floats(v), floats(i), floats(a), resting), history, {})


def behave_alike(network, first, second, rng) -> bool:
    """Whether two configurations do the same, to the bit, from random states and from rest."""
    reach = min(wire(first).reach, wire(second).reach)
    names = tuple(network.plan.spec.populations)
    for attempt in range(TRIES):
        x = random_events(rng, network, steps=6 + reach, batch=64, share=(0.1, 0.5, 0.95)[attempt % 3])
        state = random_state(first, reach, rng, 64) if attempt % 4 else None
        try:
            (a, one), (b, two) = (neuro.replay(t, x, state=state, record=names) for t in (first, second))
        except NeuroError:
            return False
        a, b = ({"": y} if isinstance(y, torch.Tensor) else y for y in (a, b))
        ends = [dict(enumerate(r.state.neurons)) for r in (one, two)]
        pairs = [(one.spikes, two.spikes), (one.v, two.v), (a, b), ends]
        if not all(torch.equal(p[k], q[k]) for p, q in pairs for k in p):
            return False
    return True


def fate(network, folder, original, rng) -> str:
    try:
        tables = neuro.load_tables(folder, edited=True)
        found = neuro.check(tables)
    except NeuroError:
        return "refused"
    if found:
        return "checked"
    if same_wiring(tables, original):
        return "same network"
    return "unseen" if behave_alike(network, original, tables, rng) else "seen"


def never_read(tables, told: str) -> bool:
    """v_reset where reset subtracts and nothing holds, decay_a where no neuron feels adaptation: nothing reads them."""
    constant, neuron = told.removeprefix("constant ").split(":")[0], tables.chip.neuron
    if constant == "v_reset":
        return neuron.reset == "subtract" and neuron.refractory != "hold"
    felt = neuron.adaptation != "none" and any(p.to_set().beta for p in tables.manifest.parameter_sets)
    return constant == "decay_a" and not felt


def mutations(name, seeds, times, tmp_path):
    fates, unseen = Counter(), []
    for seed in seeds:
        rng = np.random.default_rng([7, seed])
        network = random_network(rng, name)
        original = neuro.export(network)
        original.save(tmp_path / f"{seed}")
        for number in range(times):
            folder = shutil.copytree(tmp_path / f"{seed}", tmp_path / "mutated")
            told = (mutate_constant if number % 4 == 0 else mutate_cell)(folder, rng)
            end = fate(network, folder, original, rng)
            fates[end] += 1
            if end == "unseen" and not never_read(original, told):
                unseen.append((seed, told))
            shutil.rmtree(folder)
    return fates, unseen


@pytest.mark.parametrize("name", CHIPS)
def test_every_mutation_is_found_or_harmless(name, tmp_path):
    fates, unseen = mutations(name, range(4), 14, tmp_path)
    assert unseen == [], (unseen, fates)
    guarded = chip_of(name, ()).circuits is not None  # constants are held against their biases
    assert fates["checked"] + fates["refused"] > 20 and fates["seen"] > (0 if guarded else 5), fates
    assert fates["same network"] < 40, fates


@pytest.mark.slow
@pytest.mark.parametrize("name", CHIPS)
def test_every_mutation_is_found_or_harmless_many_times(name, tmp_path):
    fates, unseen = mutations(name, range(100, 120), 40, tmp_path)
    assert unseen == [], (unseen, fates)


def test_a_hash_guards_every_file(tmp_path):
    network = random_network(np.random.default_rng(2), "dynapse1")
    neuro.export(network).save(tmp_path / "a")
    rng = np.random.default_rng(0)
    for _ in range(25):
        folder = shutil.copytree(tmp_path / "a", tmp_path / "b")
        told = mutate_cell(folder, rng)
        with pytest.raises(NeuroError, match="sha256|edited"):
            neuro.load_tables(folder)
            raise AssertionError(told)
        shutil.rmtree(folder)
