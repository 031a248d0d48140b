"""Every rule of the checker: valid tables give nothing; break exactly one thing and the finding names it."""

import numpy as np
import pytest
from handmade_tables import CHIP, CORES, handmade, make_chip, random_tables, tables_of

from neuro.tables import COLUMNS, Finding, check, chip_sha256

INF = float("inf")


def put(table: str, number: int, /, **cells):
    """Change some cells of one row."""

    def change(manifest, rows):
        record = dict(zip(COLUMNS[table], rows[table][number], strict=True)) | cells
        rows[table][number] = tuple(record.values())

    return change


def add(table: str, *new):
    return lambda manifest, rows: rows[table].extend(new)


def drop(table: str, row: int):
    return lambda manifest, rows: rows[table].pop(row)


def entry(key: str, place: int | None, **values):
    """Change one entry of a list of the manifest, or add one."""

    def change(manifest, rows):
        if place is None:
            manifest[key].append(values)
        else:
            manifest[key][place] |= values

    return change


def chip(**changes):
    return lambda manifest, rows: manifest.update(chip=make_chip(**changes))


def setting(**values):
    return lambda manifest, rows: manifest.update(values)


def both(*changes):
    return lambda manifest, rows: [change(manifest, rows) for change in changes]


def hexed(**values):
    return entry("parameter_sets", 0, **{name: float(value).hex() for name, value in values.items()})


CASES = {
    # manifest
    "weight kind": chip(weights__kind="float"),
    "duplicate in chips": entry("chips", 2, chip=0, x=0),
    "board: manifest chips: have chip 7": entry("chips", 2, chip=7, x=2),
    "board: manifest chips: have chip 2": entry("chips", 2, x=1),
    "duplicate in inputs": entry("inputs", None, name="in", channels=1),
    "duplicate in populations": both(
        entry("populations", None, name="out", size=1), add("neurons", (0, 1, 2, 2, 0, 0))
    ),
    "duplicate in outputs": entry("outputs", None, name="spikes", population="out", kind="spikes"),
    "duplicate in parameter_sets": entry("parameter_sets", 1, id=0),
    "duplicate in delay_lines": setting(delay_lines=[1, 1]),
    "duplicate in grid_exponents": entry("grid_exponents", None, chip=0, core=0, exponent=-10),
    "currents: manifest currents": setting(currents=["late", "fast"]),
    "currents: manifest currents: have fast, other": setting(currents=["fast", "other"]),
    "delay lines": setting(delay_lines=[0, 1, 2]),
    "delay of a line": setting(delay_lines=[0, 3]),
    "output population": entry("outputs", 0, population="nobody"),
    "classes: manifest output spikes": entry("outputs", 0, classes=3),
    "classes: manifest output traces": entry("outputs", 1, classes=None),
    "decay: manifest output spikes": entry("outputs", 0, decay=(0.5).hex()),
    "decay: manifest output traces: have none": entry("outputs", 1, decay=None),
    "decay: manifest output traces: have 1.5": entry("outputs", 1, decay=(1.5).hex()),
    "core: manifest grid_exponents": entry("grid_exponents", None, chip=0, core=5, exponent=-10),
    "grid exponent: manifest grid_exponents": entry("grid_exponents", 0, exponent=200),
    "decay_syn: manifest parameter set 0: have 1": entry("parameter_sets", 0, decay_syn=[(0.5).hex()]),
    # numbers out of range
    "neurons.chip": put("neurons", 0, chip=5),
    "neurons.core": put("neurons", 0, core=2),
    "neurons.neuron": put("neurons", 0, neuron=4),
    "neurons.population": put("neurons", 0, population=2),
    "neurons.index": put("neurons", 0, index=-1),
    "neurons.parameters": put("neurons", 0, parameters=9),
    "weights.core": put("weights", 0, core=-1),
    "weights.neuron": put("weights", 0, neuron=1),
    "weights.type": put("weights", 0, type=9),
    "weights.part": put("weights", 0, part=0),
    "weights.value": put("weights", 0, value=2**24),
    "synapses.chip": put("synapses", 0, chip=3),
    "synapses.neuron": put("synapses", 0, neuron=-1),
    "synapses.slot": put("synapses", 0, slot=-1),
    "synapses.tag": put("synapses", 0, tag=16),
    "synapses.type: synapses row 1: have 9": put("synapses", 0, type=9),
    "synapses.type: synapses row 1: have 1": put("synapses", 0, type=1),
    "synapses.part": put("synapses", 0, part=0),
    "synapses.code": put("synapses", 0, code=2),
    "synapses.delay": put("synapses", 0, delay=2),
    "routes.chip": put("routes", 0, chip=-1),
    "routes.route": put("routes", 0, route=-1),
    "routes.tag": put("routes", 0, tag=-1),
    "routes.target_chip": put("routes", 0, target_chip=3),
    "routes.core_mask: routes row 1: have 0": put("routes", 0, core_mask=0),
    "routes.core_mask: routes row 1: have 4": put("routes", 0, core_mask=4),
    "routes.delay: routes row 1: have 0": put("routes", 0, delay=0),
    "routes.delay: routes row 1: have 4": put("routes", 0, delay=4),
    "inputs.input": put("inputs", 0, input=1),
    "inputs.channel": put("inputs", 0, channel=-1),
    "inputs.delay": put("inputs", 0, delay=-1),
    "inputs.tag": put("inputs", 0, tag=2**40),
    "readout.output": put("readout", 0, output=0),
    "readout.index": put("readout", 0, index=-2),
    "readout.row": put("readout", 0, row=-1),
    "readout.population": put("readout", 0, population=7),
    "biases.core": put("biases", 0, core=2),
    "biases.coarse": put("biases", 0, coarse=-1),
    "latches.name": put("latches", 0, name="OTHER"),
    # references
    "duplicate rows in neurons": both(put("neurons", 1, neuron=1), drop("latches", 0)),
    "duplicate rows in weights": add("weights", (0, 0, -1, 3, -1, 102)),
    "duplicate rows in synapses": put("synapses", 1, slot=0),
    "duplicate rows in routes": put("routes", 1, route=0),
    "duplicate rows in inputs": add("inputs", (0, 0, 3, 0, 0b01, 0)),
    "duplicate rows in readout": put("readout", 0, index=0),
    "duplicate rows in biases": add("biases", (0, 0, "W_E", 0, 20, 2e-6)),
    "duplicate rows in latches": add("latches", (0, 0, 2, "TAU2_SET")),
    "neuron: synapses: chip 0 core 0 neuron 3": put("synapses", 0, neuron=3),
    "neuron: routes: chip 0 core 0 neuron 3": put("routes", 0, neuron=3),
    "neuron: latches: chip 0 core 0 neuron 3": put("latches", 0, neuron=3),
    "population index: chip 0 core 0 neuron 2: have population 0 index 0 again": put("neurons", 1, index=0),
    "population index: chip 0 core 0 neuron 2: have 3": put("neurons", 1, index=3),
    "population size: population hidden: have 3 neurons, allowed 4": entry("populations", 0, size=4),
    "input channel: input in: have channel 3": put("inputs", 0, channel=3),
    "grid exponent: chip 0 core 0: have none": lambda manifest, rows: manifest["grid_exponents"].pop(0),
    "weight: chip 0 core 0 type 3 part -1: have no row": drop("weights", 0),
    "read-out: output traces: have row 2": put("readout", 0, row=2),
    "read-out: output traces: have row 0, population 1": put("readout", 0, population=1),
    "read-out: output traces: have row 0, population 0, index 3": put("readout", 0, index=3),
    "read-out: output traces: have 7 weights": drop("readout", 3),
    # constants
    "leak: manifest parameter set 0: have 1.5": hexed(leak=1.5),
    "leak: manifest parameter set 0: have 0x1.999999999999ap-4, allowed a float32": hexed(leak=0.1),
    "decay_syn of late": entry("parameter_sets", 0, decay_syn=[(0.5).hex(), (-0.5).hex()]),
    "theta: manifest parameter set 0: have 0.0": hexed(theta=0.0),
    "theta: manifest parameter set 0: have inf": hexed(theta=INF),
    "v_reset: manifest parameter set 0: have inf": hexed(v_reset=INF),
    "floor: manifest parameter set 0: have -inf": hexed(floor=-INF),
    "bias: manifest parameter set 0: have 1e+300": hexed(bias=1e300),
    "decay_a: manifest parameter set 0: have 2.0": hexed(decay_a=2.0),
    "beta: manifest parameter set 0: have 0.25": chip(neuron__adaptation="none"),
    "values of tau_mem": both(
        lambda m, r: m["parameter_sets"].append(m["parameter_sets"][0] | {"id": 2, "leak": (0.5).hex()}),
        lambda m, r: m["populations"].append({"name": "third", "size": 1}),
        add("neurons", (0, 0, 3, 2, 0, 2)),
    ),
    "values of tau_syn": entry("parameter_sets", 1, decay_syn=[(0.25).hex(), (0.75).hex()]),
    "values of threshold": entry("parameter_sets", 1, theta=(2.0).hex()),
    "values of v_reset": entry("parameter_sets", 1, v_reset=(0.5).hex()),
    "values of refractory": entry("parameter_sets", 1, refractory_steps=2),
    "values of adaptation": entry("parameter_sets", 1, decay_a=(0.25).hex()),
    "values of bias": entry("parameter_sets", 1, bias=(0.25).hex()),
    "latch TAU2_SET: chip 0 core 0 neuron 2: have not set": drop("latches", 0),
    "latch TAU2_SET: chip 0 core 0 neuron 1: have set": add("latches", (0, 0, 1, "TAU2_SET")),
    "latch TAU2_SET: chip 0 core 1 neuron 0: have set": add("latches", (0, 1, 0, "TAU2_SET")),
    # synapse memory
    "slots: chip 0 core 0 neuron 1: have 5, allowed 4": add(
        "synapses", *((0, 0, 1, slot, 3, 3, -1, 1, 0) for slot in (3, 4))
    ),
    "slot numbers: chip 0 core 0 neuron 1": put("synapses", 2, slot=3),
    "axons: chip 0 core 1: have 3, allowed 2": chip(cores__axons=2),
    "both signs of one source: chip 0 core 0 neuron 1 tag 3": put("synapses", 0, type=0),
    # weights
    "weight value: chip 0 core 0 type 3 part -1: have -102": put("weights", 0, value=-102),
    "weight value: chip 0 core 0 type 3 part -1: have 0": put("weights", 0, value=0),
    "weight value: chip 0 core 0 type 3 part -1: have 1048576": both(
        chip(inputs__events_per_step=4), put("weights", 0, value=2**20)
    ),
    "base weight: chip 0 core 0 type 1 part -1": both(
        setting(shunting_as_subtractive=True), add("weights", (0, 0, -1, 1, -1, -100))
    ),
    "base weight: chip 0 core 0 type 3 part -1: have 103, allowed 102": put("weights", 0, value=103),
    "bias: chip 0 core 0: have no row W_E": drop("biases", 0),
    "bias: chip 0 core 0 bias W_E: have coarse 0 fine 11": put("biases", 0, fine=11),
    "bias: chip 0 core 0 bias W_E: have coarse 0 fine 10 1.1e-06": put("biases", 0, current_a=1.1e-6),
    "bias: chip 0 core 0 bias W_E: have coarse 0 fine 10 1.5e-06": put("biases", 0, current_a=1.5e-6),
    "bias: chip 0 core 0 bias OTHER": add("biases", (0, 0, "OTHER", 3, 3, 1.0)),
    # routes and tags
    "routes: chip 0 core 0 neuron 1: have 3, allowed 2": add("routes", (0, 0, 1, 2, 9, 0, 0b01, 1)),
    "route numbers: chip 0 core 0 neuron 1": put("routes", 1, route=2),
    "hops: chip 0 core 0 neuron 1 route 1: have 2, allowed 1": put("routes", 1, target_chip=2),
    "input channels: chip 0: have 2, allowed 1": chip(inputs__channels=1),
    "forbidden tag: chip 1 core 1 neuron 0 route 0": put("routes", 3, tag=0),
    "forbidden tag: input 0 channel 0": put("inputs", 0, tag=0),
    "forbidden tag: chip 0 core 0 neuron 1 slot 0": put("synapses", 0, tag=0),
    "own tag: chip 0 core 0 neuron 1 route 1: have tag 6": put("routes", 1, tag=6),
    "silent source: chip 0 core 0 neuron 0": both(
        lambda m, r: m["populations"].append({"name": "third", "size": 1}),
        add("neurons", (0, 0, 0, 2, 0, 0)),
        add("routes", (0, 0, 0, 0, 12, 0, 0b10, 1)),
    ),
    "tag clash: chip 0 core 0 tag 2: have chip 0 core 0 neuron 2 and": both(
        lambda m, r: m["populations"].append({"name": "third", "size": 1}),
        add("neurons", (1, 1, 2, 2, 0, 0)),
        add("routes", (1, 1, 2, 0, 2, 0, 0b01, 1)),
    ),
    "tag clash: chip 0 core 0 tag 3: have input in channel 0 and input in channel 2": add(
        "inputs", (0, 2, 3, 0, 0b01, 0)
    ),
    "duplicate delivery: chip 0 core 1 tag 1": add("routes", (0, 0, 1, 2, 1, 0, 0b10, 1)),
    "duplicate delivery: chip 0 core 0 tag 3: have input in channel 0 twice": add("inputs", (0, 0, 3, 0, 0b11, 0)),
    "unknown tag: chip 0 core 0 neuron 1 slot 0: have 15": put("synapses", 0, tag=15),
    "unknown tag: chip 0 core 1 neuron 0 slot 0: have 1": put("routes", 0, core_mask=0b01),
    # read-out
    "read-out weight: output 1 row 0 index -1: have inf": put("readout", 0, weight=INF),
    "read-out weight: output 1 row 0 index -1: have 0.1": put("readout", 0, weight=0.1),
    "decay: manifest output traces: have 0x1.999999999999ap-4, allowed a float32": entry(
        "outputs", 1, decay=(0.1).hex()
    ),
}


def test_valid_tables_have_no_findings():
    assert check(tables_of(*handmade())) == []


@pytest.mark.parametrize("expected", CASES)
def test_one_broken_thing_is_named(expected):
    manifest, rows = handmade()
    CASES[expected](manifest, rows)
    findings = check(tables_of(manifest, rows))
    assert any(str(finding).startswith(expected) for finding in findings), findings
    assert len(findings) <= 4, findings


@pytest.mark.parametrize("seed", range(24))
def test_random_valid_tables_have_no_findings(seed):
    assert check(random_tables(seed)) == []


def test_another_chip_behind_the_hash():
    tables = tables_of(*handmade())
    other = tables.manifest.model_copy(update={"chip_sha256": chip_sha256(make_chip(name="other"))})
    object.__setattr__(tables, "manifest", other)
    assert [finding.what for finding in check(tables)] == ["chip_sha256"]


def test_sums_that_float32_would_round():
    """4 words of 2^21 − 1 units, 2 events each: below 2^24; with a repeated delivery, not."""
    manifest, rows = handmade()
    manifest["chip"] = make_chip(weights__dac=None, weights__weight_unit_a=None)
    rows["biases"] = []
    rows["weights"] = [(c, k, -1, t, -1, s * (2**21 - 1)) for c, k in CORES for t, s in ((3, 1), (2, 1), (0, -1))]
    rows["synapses"][3:4] = [(0, 0, 2, slot, 3, 3, -1, 1, 0) for slot in range(4)]
    assert check(tables_of(manifest, rows)) == []
    rows["inputs"].append((0, 0, 3, 0, 0b01, 1))
    have = 4 * 4 * (2**21 - 1)
    assert Finding("sum of weights", "chip 0 core 0 neuron 2 current 0", have, 2**24 - 1) in check(
        tables_of(manifest, rows)
    )


def levels_of_a_core(sign: str):
    manifest, rows = handmade()
    weights = {"kind": "levels", "slots": 4, "word_bits": 8, "bases": [{"name": "scale"}], "sign": sign}
    manifest["chip"] = make_chip(weights=weights | {"levels": [2.5, 1.0]}, bias_dac=None)
    rows["biases"] = []
    rows["weights"] = [
        (c, k, -1, t, i, s * v) for c, k in CORES for t, s in ((3, 1), (2, 1), (0, -1)) for i, v in ((0, 101), (1, 252))
    ]
    rows["synapses"] = [(*row[:7], row[3] % 2, row[8]) for row in rows["synapses"]]
    return manifest, rows


@pytest.mark.parametrize("sign", ["type", "source", "row"])
def test_levels(sign):
    manifest, rows = levels_of_a_core(sign)
    assert {f.what for f in check(tables_of(manifest, rows))} == ({f"sign per {sign}"} if sign != "type" else set())


def test_sources_of_one_sign():
    """Tag 7 is heard with both signs in core 0 of chip 0; without its inhibitory word, with one."""
    manifest, rows = levels_of_a_core("source")
    rows["synapses"].pop(2)
    assert check(tables_of(manifest, rows)) == []


@pytest.mark.parametrize(
    "row, value, expected",
    [(0, 110, "scale of levels"), (0, -101, "weight value"), (1, 255, "scale of levels"), (4, 101, "weight value")],
)
def test_levels_out_of_scale(row, value, expected):
    manifest, rows = levels_of_a_core("type")
    rows["weights"][row] = (*rows["weights"][row][:5], value)
    assert [finding.what for finding in check(tables_of(manifest, rows))] == [expected]


def test_levels_beyond_their_bits():
    """U = 4 slots · 2.5, 2 events: B = 24 − 5 = 19 bits for the scale."""
    manifest, rows = levels_of_a_core("type")
    rows["weights"] = [(*r[:5], int(np.sign(r[5])) * (600_000 if r[4] == 0 else 1_500_000)) for r in rows["weights"]]
    findings = check(tables_of(manifest, rows))
    assert {finding.what for finding in findings} == {"scale of levels"}
    assert findings[0].allowed == 2**19 - 1


def test_masks():
    manifest, rows = handmade()
    bases = [{"name": "I0", "bias": "W_E"}, {"name": "I1", "bias": "W_S"}]
    weights = CHIP["weights"] | {"kind": "masks", "bases": bases}
    manifest["chip"] = make_chip(weights=weights)
    rows["weights"] = [(c, k, -1, -1, b, v) for c, k in CORES for b, v in ((0, 102), (1, 205))]
    rows["biases"] = [row for row in rows["biases"] if row[2] != "W_I"]
    rows["synapses"] = [(*row[:7], 1 + row[3] % 3, row[8]) for row in rows["synapses"]]
    assert check(tables_of(manifest, rows)) == []
    for change, expected in [
        (lambda: rows["weights"].__setitem__(0, (0, 0, -1, -1, 0, -102)), "weight value"),
        (lambda: rows["weights"].__setitem__(0, (0, 0, -1, -1, 0, 2**21)), "weight value"),
        (lambda: rows["weights"].__setitem__(0, (0, 0, -1, -1, 0, 101)), "base weight"),
        (lambda: rows["weights"].__setitem__(0, (0, 0, -1, -1, 2, 102)), "weights.part"),
        (lambda: rows["weights"].pop(0), "weight"),
    ]:
        kept = list(rows["weights"])
        change()
        assert expected in {finding.what for finding in check(tables_of(manifest, rows))}
        rows["weights"] = kept


def test_worst_resource_first_and_long_lists_are_cut():
    manifest, rows = handmade()
    manifest["chip"] = make_chip(cores__axons=1)
    rows["synapses"] += [(0, 0, 1, slot, 3, 3, -1, 1, 0) for slot in range(3, 40)]
    rows["synapses"] += [(0, 1, 1, slot, 9, 3, -1, 1, 0) for slot in range(2, 40)]
    findings = check(tables_of(manifest, rows))
    excess = [finding.excess for finding in findings]
    assert excess == sorted(excess, reverse=True) and findings[0].what == "slots" and findings[0].have == 40
    unknown = [finding for finding in findings if finding.what == "unknown tag"]
    assert len(unknown) == 21 and unknown[-1].where == "18 more places"


def test_wide_chips_name_one_core_a_row():
    tables = random_tables(3, "counts", wide=True)
    assert "target_core" in tables.frames["routes"] and check(tables) == []
    for table in ("routes", "inputs"):
        wide = random_tables(3, "counts", wide=True)
        wide.frames[table]["target_core"] = 40
        assert {finding.what for finding in check(wide)} == {f"{table}.target_core"}
