"""Connections cAER's netparser accepts or refuses, as its own test network describes them, judged by our checker."""

import re

import numpy as np
import pandas as pd
import pytest

import neuro
from neuro.emit.biases import with_constants
from neuro.tables import columns_of, make_tables

LINE = re.compile(r"U(\d+)-C(\d+)-N(\d+)->(\d)-(\d+)-U(\d+)-C(\d+)-N(\d+)")
FPGA = 4
EXPONENT = -16


@pytest.fixture(scope="module")
def chip():
    return neuro.load_chip("dynapse1")


def tables_of(chip, text, virtual=None):
    """Lay connections out as netparser does: words in order, one row for each target chip, own core ids.

    virtual: {(chip, core, neuron): another core id its events carry}.
    """
    lines = [tuple(map(int, LINE.fullmatch(line).groups())) for line in text.split()]
    id_of = lambda pre: (virtual or {}).get(pre, pre[1]) * 256 + pre[2]  # noqa: E731
    sources = {line[:3] for line in lines if line[0] != FPGA}
    neurons = sorted(sources | {line[5:] for line in lines})
    generators = sorted({line[:3] for line in lines if line[0] == FPGA}) or [(FPGA, 3, 255)]
    slots, synapses, routes, inputs = {}, [], {}, {}
    for *pre, kind, words, c, k, n in lines:
        pre = tuple(pre)
        for _ in range(words):
            slot = slots[c, k, n] = slots.get((c, k, n), -1) + 1
            synapses.append((c, k, n, slot, id_of(pre), kind, -1, 1, 0))
        to = inputs if pre[0] == FPGA else routes
        to.setdefault(pre, {}).setdefault(c, set()).add(k)
    cores = sorted({at[:2] for at in neurons})
    code = next(row for row in chip.bias_dac.N if row[:2] == (7, 80))
    value = round(code[2] / chip.weights.weight_unit_a / 2.0**EXPONENT)
    weights = [(c, k, -1, t, -1, sign * value) for c, k in cores for t, sign in ((0, -1), (3, 1))]
    biases = [(c, k, name, *code) for c, k in cores for name in ("PS_WEIGHT_INH_S_N", "PS_WEIGHT_EXC_F_N")]
    mask = lambda ks: sum(1 << k for k in ks)  # noqa: E731
    rows = {
        "neurons": [(*at, 0, i, 0) for i, at in enumerate(neurons)],
        "weights": weights,
        "synapses": synapses,
        "routes": [
            (*pre, i, id_of(pre), c, mask(ks), 1)
            for pre, to in sorted(routes.items())
            for i, (c, ks) in enumerate(sorted(to.items()))
        ],
        "inputs": [
            (0, generators.index(pre), id_of(pre), c, mask(ks), 0)
            for pre, to in sorted(inputs.items())
            for c, ks in sorted(to.items())
        ],
        "biases": biases,
    }
    leak, decay = (float(np.float32(x)).hex() for x in (0.95, 0.8))
    constants = {"leak": leak, "decay_syn": [decay], "theta": (1.0).hex(), "floor": (0.0).hex()}
    manifest = {
        "chip": chip,
        "dt_s": 1e-3,
        "chips": [{"chip": c, "x": c % 2, "y": c // 2} for c in range(4)],
        "inputs": [{"name": "fpga", "channels": len(generators)}],
        "populations": [{"name": "all", "size": len(neurons)}],
        "outputs": [{"name": "y", "population": "all", "kind": "spikes", "classes": None, "decay": None}],
        "currents": ["fast"],
        "grid_exponents": [{"chip": c, "core": k, "exponent": EXPONENT} for c, k in cores],
        "parameter_sets": [{"id": 0, **constants}],
    }
    frames = {t: pd.DataFrame(r, columns=list(columns_of(t, chip))) for t, r in rows.items()}
    return with_constants(make_tables(manifest, frames))


FULL = "U01-C00-N001->3-32-U00-C00-N001 U01-C00-N002->3-32-U00-C00-N001"
THREE_CHIPS = "U01-C00-N004->3-1-U00-C00-N005 U01-C00-N004->3-1-U02-C00-N005 U01-C00-N004->3-1-U03-C00-N005"
MORE_CORES = " ".join(f"U01-C00-N004->3-1-U{c:02}-C{k:02}-N006" for c in (0, 2, 3) for k in (1, 2, 3))
APART = "U01-C00-N006->3-1-U00-C00-N007 U02-C00-N006->3-1-U00-C01-N007"


@pytest.mark.parametrize("text", [
    FULL,
    THREE_CHIPS,
    f"{THREE_CHIPS} {MORE_CORES}",
    APART,
    "U00-C00-N003->3-1-U00-C02-N001 U00-C00-N003->0-2-U00-C02-N002",
    "U04-C01-N050->3-4-U00-C00-N001 U01-C01-N050->3-4-U00-C01-N001",
])  # fmt: skip
def test_what_netparser_programs_is_found_good(chip, text):
    assert neuro.check(tables_of(chip, text)) == []


@pytest.mark.parametrize("text, finding", [
    (f"{FULL} U01-C00-N003->3-1-U00-C00-N001", "slots: chip 0 core 0 neuron 1: have 65, allowed 64"),
    (f"{THREE_CHIPS} U01-C00-N004->3-1-U01-C00-N005", "routes: chip 1 core 0 neuron 4: have 4, allowed 3"),
    (f"{APART} U02-C00-N006->3-1-U00-C00-N007", "tag clash: chip 0 core 0 tag 6"),
    (f"{APART} U02-C00-N006->3-1-U00-C00-N008", "tag clash: chip 0 core 0 tag 6"),
    ("U04-C01-N050->3-1-U00-C00-N001 U02-C01-N050->3-1-U00-C00-N002", "tag clash: chip 0 core 0 tag 306"),
    ("U02-C00-N000->3-1-U00-C00-N002", "silent source: chip 2 core 0 neuron 0"),
    ("U04-C00-N000->3-1-U00-C00-N002", "forbidden tag"),
    ("U01-C01-N009->3-1-U00-C00-N002 U01-C01-N009->0-1-U00-C00-N002", "both signs of one source"),
])  # fmt: skip
def test_what_netparser_refuses_is_found(chip, text, finding):
    found = [str(f) for f in neuro.check(tables_of(chip, text))]
    assert found and any(f.startswith(finding) for f in found), found


def test_another_core_id_resolves_a_clash(chip):
    text = f"{APART} U02-C00-N006->3-1-U00-C00-N008"
    assert neuro.check(tables_of(chip, text, {(2, 0, 6): 2})) == []
    assert neuro.check(tables_of(chip, text, {(2, 0, 6): 0}))


def test_all_findings_are_told_the_most_exceeded_first(chip):
    text = f"{FULL} U01-C00-N003->3-64-U00-C00-N001 {THREE_CHIPS} U01-C00-N004->3-1-U01-C00-N005 {APART} "
    found = [str(f) for f in neuro.check(tables_of(chip, f"{text} U02-C00-N006->3-1-U00-C00-N008"))]
    assert [f.split(":")[0] for f in found] == ["slots", "routes", "tag clash"]
    assert "have 128, allowed 64" in found[0] and "have 4, allowed 3" in found[1]
