"""Time constants, refractory periods and thresholds as bias codes: figures of others, brute force, refusals, findings."""

import math

import pytest
from random_networks import chip_of

import neuro
from neuro.errors import DescriptionError
from neuro.tables.constants import realised_constants
from neuro.task import NetworkSpec


def tables_of(name, populations, overrides=(), **more):
    spec = NetworkSpec.model_validate(
        {
            "dt_s": 1e-3,
            "inputs": {"x": 4},
            "populations": populations,
            "projections": tuple({"from": "x", "to": p} for p in populations),
            "outputs": {"y": {"population": next(iter(populations))}},
        }
        | more
    )
    return neuro.export(neuro.Network(neuro.place(spec, chip_of(name, overrides)), seed=0))


def codes(tables, core=0):
    rows = tables.frames["biases"]
    return {b.name: (b.coarse, b.fine) for b in rows[rows["core"] == core].itertuples(index=False)}


def test_rockpools_defaults_get_rockpools_codes():
    """The codes its own pipeline gives for 20, 10 and 50 ms, 1 ms refractory period and a threshold of 100 nA."""
    population = {
        "size": 3,
        "tau_mem_s": 0.02,
        "tau_syn_s": {"fast": 0.01, "slow": 0.01},
        "refractory_s": 0.001,
        "adaptation": {"strength": 0.1, "tau_s": 0.05},
    }
    tables = tables_of("dynapse2", {"p": population})
    assert neuro.check(tables) == []
    have = codes(tables)
    wanted = {
        "SOIF_LEAK_N": (0, 29),
        "SOIF_GAIN_N": (0, 71),
        "SOIF_SPKTHR_P": (4, 243),
        "SOIF_REFR_N": (2, 53),
        "SYPD_EXT_N": (4, 32),
        "SOAD_PWTAU_N": (5, 42),
        "SOAD_TAU_P": (1, 67),
        "SOAD_GAIN_P": (0, 161),
        "DEAM_ETAU_P": (1, 208),
        "DEGA_ITAU_P": (1, 212),
        "DEAM_EGAIN_P": (3, 92),
        "DEGA_IGAIN_P": (3, 94),
        "SOIF_DC_P": (0, 4),
    }
    assert {name: have[name] for name in wanted} == wanted


def test_dynapse1_by_hand():
    """I = C U_T / (kappa tau), I = V C / t; the nearest of all 1,812 codes by brute force; two leaks by the latch."""
    populations = {
        "a": {"size": 3, "tau_mem_s": 0.02, "tau_syn_s": 0.005, "refractory_s": 0.002},
        "b": {"size": 2, "tau_mem_s": 0.05, "tau_syn_s": 0.005, "refractory_s": 0.002},
    }
    tables = tables_of("dynapse1", populations, ("board.columns=1", "board.rows=1", "cores.per_chip=1"))
    assert neuro.check(tables) == []
    leak, have = 0.025 / 0.705, codes(tables)
    wanted = {
        "IF_TAU1_N": 3e-12 * leak / 0.02,
        "IF_TAU2_N": 3e-12 * leak / 0.05,
        "NPDPIE_TAU_F_P": 24.5e-12 * leak / 0.005,
        "NPDPII_TAU_S_P": 25e-12 * leak / 0.005,
        "IF_RFR_N": 0.7 * 1.5e-12 / 0.002,
    }
    table = {code: i for *code, i in tables.chip.bias_dac.N for code in [tuple(code)]}
    for name, current in wanted.items():
        assert abs(table[have[name]] - current) == min(abs(i - current) for i in table.values()), name
    assert have["NPDPIE_TAU_S_P"] == (4, 80) and have["IF_AHTAU_N"] == (4, 80), "not used here: the chip's own codes"
    assert len(have) == 25, "every bias of a core is set"
    latched = set(tables.frames["latches"]["neuron"])
    second = set(tables.frames["neurons"].query("population == 1")["neuron"])
    assert latched == second and len(second) == 2
    told = {r.bias: r for r in realised_constants(tables)}
    assert told["IF_TAU2_N"].wanted == pytest.approx(0.05, rel=1e-6)
    assert told["IF_TAU2_N"].realised == pytest.approx(3e-12 * leak / table[have["IF_TAU2_N"]])
    assert all(abs(r.error) < 0.02 for r in told.values())


def test_delay_lines_by_hand():
    """t = V C / I, the nearest of 1,536 codes by brute force; lines are numbered by delay, whatever their order."""
    tables = tables_of("dynapse2", {"p": {"size": 3, "tau_mem_s": 0.02, "tau_syn_s": 0.005}}, delay_lines=(12, 0, 4))
    assert neuro.check(tables) == []
    have, table = codes(tables), {tuple(code): i for *code, i in tables.chip.bias_dac.P}
    for name, delay_s, scale in (("SYPD_DLY1_P", 0.004, 0.22), ("SYPD_DLY2_P", 0.012, 1.6)):
        wanted = 0.7 * 0.5e-12 / delay_s / scale
        assert abs(table[have[name]] - wanted) == min(abs(i - wanted) for i in table.values()), name
        told = next(r for r in realised_constants(tables) if r.bias == name)
        assert told.constant == "delay" and told.wanted == pytest.approx(delay_s) and abs(told.error) < 0.01
    assert have["SYPD_DLY0_P"] == (0, 0)
    biases = tables.frames["biases"]
    wrong = biases.copy()
    row = wrong.index[wrong["name"] == "SYPD_DLY2_P"][0]
    wrong.loc[row, ["coarse", "fine", "current_a"]] = [0, 0, table[0, 0]]
    for frame, what in ((wrong, "nearest to delay"), (biases.drop(index=row), "have none")):
        found = neuro.check(type(tables)(tables.manifest, {**tables.frames, "biases": frame.astype(biases.dtypes)}))
        assert len(found) == 1 and what in str(found[0]), found


@pytest.mark.parametrize(
    "lines, biases", [((0,), ()), ((5,), ("SYPD_DLY1_P",)), ((5, 2), ("SYPD_DLY1_P", "SYPD_DLY2_P"))]
)
def test_only_lines_in_use_have_a_bias(lines, biases):
    tables = tables_of("dynapse2", {"p": {"size": 3, "tau_mem_s": 0.02, "tau_syn_s": 0.005}}, delay_lines=lines)
    assert neuro.check(tables) == []
    assert tuple(name for name in codes(tables) if name in ("SYPD_DLY1_P", "SYPD_DLY2_P")) == biases


def test_decays_beyond_reach_get_the_nearest_code():
    tables = tables_of("dynapse2", {"p": {"size": 2, "decay_mem": 1.0, "decay_syn": 0.0}})
    assert neuro.check(tables) == []
    told = {r.bias: r for r in realised_constants(tables)}
    assert told["SOIF_LEAK_N"].wanted == math.inf and 0.3 < told["SOIF_LEAK_N"].realised < 0.4
    assert told["DEAM_ETAU_P"].wanted == 0 and told["DEAM_ETAU_P"].realised < 1e-5
    assert told["SOIF_REFR_N"].wanted == 0 and told["SOIF_REFR_N"].realised < 1e-6


@pytest.mark.parametrize("name, fields, words", [
    ("dynapse1", {"tau_mem_s": 2.0}, r"populations.p.tau_mem_s is 2, allowed on dynapse1: 4.43e-09 to 1.77, .*IF_TAU1_N"),
    ("dynapse1", {"tau_syn_s": 1e-8}, r"populations.p.tau_syn_s is 1e-08, allowed on dynapse1: 3.6.e-08 to 14"),
    ("dynapse1", {"refractory_s": 20.0}, r"populations.p.refractory_s is 20, allowed on dynapse1: .* to 17.5"),
    ("dynapse2", {"tau_mem_s": 0.5}, r"populations.p.tau_mem_s is 0.5, allowed on dynapse2: .* to 0.353"),
    ("dynapse2", {"threshold": 9.0}, r"populations.p.threshold is 9, allowed on dynapse2: .* to 8.53"),
    ("dynapse1", {"adaptation": {"strength": 0.1, "tau_s": 30.0}}, r"adaptation.tau_s is 30, allowed on dynapse1"),
])  # fmt: skip
def test_times_out_of_reach_are_refused_before_training(name, fields, words):
    with pytest.raises(DescriptionError, match=words):
        tables_of(name, {"p": {"size": 2, "tau_mem_s": 0.02, "tau_syn_s": 0.005} | fields})


def test_another_code_is_found():
    tables = tables_of("dynapse1", {"p": {"size": 2, "tau_mem_s": 0.02, "tau_syn_s": 0.005}})
    biases = tables.frames["biases"]
    row = biases.index[biases["name"] == "IF_TAU1_N"][0]
    coarse, fine, current = next(c for c in tables.chip.bias_dac.N if c[:2] == (0, int(biases.at[row, "fine"]) + 1))
    changed = biases.copy()
    changed.loc[row, ["coarse", "fine", "current_a"]] = [coarse, fine, current]
    missing, renamed = biases.drop(index=row), biases.replace({"name": {"R2R_P": "R3R_P"}})
    for frame, what in ((changed, "nearest to tau_mem"), (missing, "have none"), (renamed, "R3R_P")):
        found = neuro.check(type(tables)(tables.manifest, {**tables.frames, "biases": frame.astype(biases.dtypes)}))
        assert len(found) == 1 and what in str(found[0]), found


@pytest.mark.parametrize("override, words", [
    ("circuits.biases.SYPD_DLY1_P.line=0", r"SYPD_DLY1_P.line: have 0, allowed: 1 or more, as line 0 adds no delay"),
    ("circuits.biases.SYPD_DLY1_P.line=null", r"SYPD_DLY1_P.line: is missing or out of place"),
    ("circuits.biases.SOIF_LEAK_N.line=1", r"SOIF_LEAK_N.line: is missing or out of place"),
    ("circuits.biases.SYPD_DLY2_P.capacitance_f=null", r"SYPD_DLY2_P.capacitance_f: is missing; constant delay needs it"),
])  # fmt: skip
def test_biases_of_lines_that_cannot_be(override, words):
    with pytest.raises(DescriptionError, match=words):
        neuro.load_chip("dynapse2", [override])
