"""Trained time constants and thresholds: gradients of the equations in float64, codes by brute force, tables, refusals."""

from collections import namedtuple

import numpy as np
import pytest
import torch
from test_by_words import by_groups, same_forward
from test_gradient import run

from neuro.dynamics import sequence
from neuro.errors import DescriptionError, FeasibilityError
from neuro.losses import regularisers
from neuro.nn.constants import SYN, THETA
from neuro.rewiring import QRewiring
from neuro.task import Loss

TWO = {"fast": 0.005, "slow": 0.02}
POPULATIONS = {
    "hidden": {"size": 20, "tau_mem_s": 0.01, "tau_syn_s": TWO, "refractory_s": 0.002},
    "out": {"size": 4, "tau_mem_s": 0.02, "tau_syn_s": 0.004},
}
ALL = {"populations": POPULATIONS, "trainable": ("tau_mem", "tau_syn", "threshold")}
CASES = {
    "dynapse2": ("dynapse2", (), ALL | {"delay_lines": (0, 3)}),
    "dynapse1": ("dynapse1", (), ALL | {"trainable": ("tau_mem", "tau_syn")}),
    "subtract, integrate, threshold adaptation": ("generic", (), {
        "populations": {"hidden": {"size": 20, "tau_mem_s": 0.01, "tau_syn_s": 0.004, "refractory_s": 0.001,
                                   "adaptation": {"strength": 0.25, "tau_s": 0.01}},
                        "out": {"size": 4, "tau_mem_s": 0.02, "tau_syn_s": 0.004, "threshold": 0.5}},
        "trainable": ("tau_mem", "tau_syn", "threshold"), "detach_reset": False}),
    "float twin": ("dynapse2", ("weights.kind=float",), ALL),
}  # fmt: skip


Shown = namedtuple("Shown", ["spikes", "v"])


def pushed(spikes, v):
    """A loss that feels every spike and membrane."""
    g, total = torch.Generator().manual_seed(3), 0
    for name in sorted(spikes):
        push = torch.rand(spikes[name].shape, generator=g, dtype=torch.float64) - 0.25
        total = total + (push.to(v[name]) * spikes[name]).sum() + 0.1 * (push.flip(0).to(v[name]) * v[name]).sum()
    return total


def scattered(network, seed=0, spread=1.0):
    """Move every trained constant somewhere else."""
    with torch.no_grad():
        latent = network.constants.latent
        latent += spread * torch.randn(latent.shape, generator=torch.Generator().manual_seed(seed))
    network.project()
    return network


def in_place(network, values):
    """The constants of every population as rows of leaves in float64, for `test_gradient.run`."""
    for name, p in list(network.plan.parameters.items()):
        places = getattr(network.constants, f"places_{name}")
        rows = [p.leak, p.theta, *p.decay_syn]
        one = [x if places[r, 0] < 0 else values[places[r, 0]] for r, x in enumerate(rows)]
        assert (places == places[:, :1]).all(), "one core a population here"
        yield name, one[0], one[THETA], one[SYN:]


@pytest.mark.parametrize("case", CASES)
def test_gradients_are_those_of_the_equations(make, events, case, monkeypatch):
    chip, overrides, fields = CASES[case]
    network = scattered(make(chip, overrides, seed=1, **fields), spread=0.1)
    x, names = events(network, steps=20, batch=19), tuple(network.plan.spec.populations)
    _, record = network(x, record=names)
    network.zero_grad()
    pushed(record.spikes, record.v).backward()
    values = network.constants.values.double().requires_grad_()
    exact = dict(network.plan.parameters)
    for name, leak, theta, decay in in_place(network, values):
        exact[name] = Exact(exact[name], leak, theta, decay)
    plan = network.plan
    monkeypatch.setitem(plan.__dict__, "parameters", exact)
    weights = {n: network.memories[n].weight.double() for n in names}
    spikes, v = run(network, weights, x)
    assert all(torch.equal(spikes[n].detach().float(), record.spikes[n].detach()) for n in names)
    assert sum(s.sum() for s in spikes.values()) > 50
    (wanted,) = torch.autograd.grad(pushed(spikes, v), values)
    slope = torch.tensor([
        value if entry.row == THETA else value * np.log(value)
        for entry, value in zip(network.constants.entries, values.tolist(), strict=True)
    ])  # fmt: skip
    assert (wanted.abs() > 1e-3).all()
    torch.testing.assert_close(network.constants.latent.grad.double(), wanted * slope, rtol=1e-3, atol=1e-4)


class Exact:
    """A parameter set whose leak, theta and decay_syn are leaves."""

    def __init__(self, own, leak, theta, decay_syn):
        self.own, self.leak, self.theta, self.decay_syn = own, leak, theta, decay_syn

    def __getattr__(self, name):
        return getattr(self.own, name)


@pytest.mark.parametrize("case", [c for c in CASES if c != "float twin"])
def test_compiled_loops_equal_the_reference(make, events, case):
    """Bit for bit, and the same gradients of constants whatever runs: loops, tensors, spans that are run again."""
    chip, overrides, fields = CASES[case]
    network = scattered(make(chip, overrides, seed=1, **fields), seed=4, spread=0.2)
    x, names = events(network, steps=20, batch=19), tuple(network.plan.spec.populations)
    same_forward(network, x)
    found = []
    for runs in (lambda: network(x, record=names)[1], lambda: Shown(*by_groups(network, x)[:2])):
        record = runs()
        network.zero_grad()
        pushed(record.spikes, record.v).backward()
        found.append(network.constants.latent.grad.clone())
    torch.testing.assert_close(*found, rtol=1e-3, atol=1e-4)


def test_steps_run_twice_give_the_same_gradients(monkeypatch, make, events):
    network = make("dynapse2", **ALL)
    x, names = events(network, steps=40, batch=19), tuple(network.plan.spec.populations)
    found = []
    for tape in (sequence.TAPE, 2**16):
        monkeypatch.setattr(sequence, "TAPE", tape)
        network.zero_grad()
        record = network(x, record=names)[1]
        pushed(record.spikes, record.v).backward()
        found.append(network.constants.latent.grad.clone())
    assert found[0].abs().min() > 0
    torch.testing.assert_close(*found, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["tau_mem", "tau_syn"])
def test_gradients_are_slopes_where_nothing_spikes(make, events, kind):
    """Central differences in float64 of what membranes come to below threshold: there the model is smooth."""
    network = make("dynapse2", populations={"out": {"size": 6, "tau_mem_s": 0.01, "tau_syn_s": TWO, "threshold": 8.0,
                                                  "init_gain": 0.002}},
                   projections=(("x", "out"),), trainable=(kind,))  # fmt: skip
    with torch.no_grad():
        network.latents["out"].abs_()
    network.project()
    x = events(network, steps=30, batch=5)
    record = network(x, record=("out",))[1]
    assert record.spikes["out"].sum() == 0 and record.v["out"].max() > 0.5
    pushed({"out": torch.zeros(30, 5, 6)}, record.v).backward()  # spikes would bring in the surrogate
    weight = network.memories["out"].weight.double()
    own, dt_s = network.plan.parameters["out"], network.plan.spec.dt_s
    assert [e.constant for e in network.constants.entries] == [kind] * len(network.constants.entries)

    def loss(values):
        rows = [own.leak, *own.decay_syn]
        trained = iter(values)
        rows = [next(trained) if (r == 0) == (kind == "tau_mem") else old for r, old in enumerate(rows)]
        v, i = torch.zeros(5, 6, dtype=torch.float64), torch.zeros(2, 5, 6, dtype=torch.float64)
        seen = []
        for t in range(30):
            i = torch.stack([rows[1 + c] * i[c] + x["x"][t].double() @ weight[:, :, c, 0].T for c in range(2)])
            v = (rows[0] * v + i.sum(0)).clamp(min=0)
            seen.append(v)
        return float(pushed({"out": torch.zeros(30, 5, 6)}, {"out": torch.stack(seen)}))

    values = network.constants.values.double().tolist()
    for number, value in enumerate(values):
        current = -np.log(value) / dt_s  # proportional to it
        sides = [
            loss([np.exp(-dt_s * current * np.exp(step)) if k == number else old for k, old in enumerate(values)])
            for step in (1e-5, -1e-5)
        ]
        slope = (sides[0] - sides[1]) / 2e-5
        assert float(network.constants.latent.grad[number]) == pytest.approx(slope, rel=2e-3)


def nearest_by_hand(entry, latent, chip, dt_s):
    """The constants that the codes nearest to a current give, by the equations of the chip file."""
    circuits, table = chip.circuits, getattr(chip.bias_dac, entry.setting.name[-1])
    volts = circuits.thermal_voltage_v / circuits.kappa
    found = []
    for _, _, current in table:
        device = current * entry.setting.scale
        if not device:
            continue
        tau_s = entry.setting.capacitance_f * volts / device if entry.row != THETA else None
        value = device / entry.setting.unit_a if tau_s is None else float(np.float32(np.exp(-dt_s / tau_s)))
        if tau_s is None or (tau_s >= dt_s / 10 and value < 1):
            found.append((abs(current - np.exp(latent)), float(np.float32(value))))
    least = min(distance for distance, _ in found)
    return [value for distance, value in found if distance <= least * (1 + 1e-9)]


@pytest.mark.parametrize("chip", ["dynapse1", "dynapse2"])
def test_constants_are_those_of_the_nearest_codes(make, chip):
    trainable = ("tau_mem", "tau_syn") + (("threshold",) if chip == "dynapse2" else ())
    network = make(chip, populations=POPULATIONS, trainable=trainable)
    names = {e.setting.name for e in network.constants.entries}
    assert names == ({"IF_TAU1_N", "NPDPIE_TAU_F_P", "NPDPIE_TAU_S_P"} if chip == "dynapse1" else
                     {"SOIF_LEAK_N", "DEAM_ETAU_P", "DENM_ETAU_P", "SOIF_SPKTHR_P"})  # fmt: skip
    for seed in range(5):
        scattered(network, seed, 3.0)
        latents = network.constants.latent.tolist()
        for entry, latent, value in zip(
            network.constants.entries, latents, network.constants.values.tolist(), strict=True
        ):
            assert value in nearest_by_hand(entry, latent, network.plan.chip, network.plan.spec.dt_s), entry
        assert network.violations() == []


@pytest.mark.parametrize("chip", ["dynapse2", "generic"])
@pytest.mark.parametrize("step", [1e3, -1e3])
def test_latents_beyond_the_last_value_come_back_to_it(make, chip, step):
    """So that a gradient can turn them round."""
    populations = {n: p | {"tau_syn_s": 0.005} for n, p in POPULATIONS.items()}
    network = make(chip, **ALL | {"populations": populations})
    with torch.no_grad():
        network.constants.latent += step
    network.project()
    ends = network.constants.latent.detach().clone()
    assert network.violations() == [] and (network.constants.slopes() != 0).all()
    with torch.no_grad():
        network.constants.latent -= step / 1e3
    network.project()
    assert (network.constants.latent != ends).all() and network.violations() == []


def test_what_no_code_gives_is_found_and_what_moved_is_refused(make, events):
    network = make("dynapse2", **ALL)
    network.constants.values[0] += 1e-4
    assert any("tau_mem is" in v and "no code of SOIF_LEAK_N" in v for v in network.violations())
    with pytest.raises(FeasibilityError, match=r"constants.values is not what its latent gives"):
        make("dynapse2", **ALL).load_state_dict(network.state_dict())
    network.project()
    assert network.violations() == []
    network.constants.latent.data.add_(0.5)
    assert any("trained constants: parameters changed" in v for v in network.violations())
    with pytest.raises(FeasibilityError, match="trained constants: parameters changed without projection"):
        network(events(network))
    with torch.no_grad():
        network.constants.latent.fill_(float("nan"))
    with pytest.raises(FeasibilityError, match="constant_lr"):
        network.project()


@pytest.mark.parametrize("chip, fields, words", [
    ("dynapse1", {"trainable": ("threshold",)}, "no bias of dynapse1 sets threshold"),
    ("truenorth", {"trainable": ("tau_mem",)}, "whole numbers of weight units"),
    ("generic", {"trainable": ("tau_mem",), "overrides": ("neuron.leak=linear",)}, "has no time constant"),
    ("dynapse1", {"trainable": ("tau_mem",), "overrides": ("circuits=null",)}, "no bias of dynapse1 .* sets tau_mem"),
    ("dynapse2", {"trainable": ("tau_mem",), "populations": {"p": {"size": 2, "decay_mem": 1.0}}},
     "populations.p: tau_mem is trained and starts at inf, allowed: 0.0001 to 0.353"),
    ("dynapse2", {"trainable": ("tau_mem",), "populations": {"p": {"size": 2, "tau_mem_s": 5e-5}}},
     "starts at 5e-05, allowed: 0.0001 to"),
    ("generic", {"trainable": ("tau_mem",), "populations": {"p": {"size": 2, "decay_mem": 0.0}}}, "starts at 0"),
])  # fmt: skip
def test_refusals(make, chip, fields, words):
    name = next(iter(fields.get("populations", {"hidden": 0})))
    projections = {"projections": (("x", "p"),)} if name == "p" else {}
    populations = {"populations": {"hidden": {"size": 6, "tau_mem_s": 0.01, "tau_syn_s": 0.005},
                                   "out": {"size": 4, "tau_mem_s": 0.01, "tau_syn_s": 0.005}}}  # fmt: skip
    with pytest.raises(DescriptionError, match=words):
        make(chip, **(populations | projections | fields))


def test_they_move_in_turn_at_a_rate_of_their_own(make, events):
    network = make("dynapse2", **ALL)
    x = events(network)
    groups = network.parameter_groups(lr=0.01, base_lr=0.02, constant_lr=0.003)
    assert [g["lr"] for g in groups] == [0.01, 0.02, 0.003] and groups[2]["params"] == [network.constants.latent]
    assert network.parameter_groups(lr=0.01)[2]["lr"] == pytest.approx(0.001)
    optimizer = QRewiring(torch.optim.SGD(groups), network, base_every=3)
    for step in range(1, 7):
        before = network.constants.latent.detach().clone()
        optimizer.zero_grad()
        network(x)[0].sum().backward()
        grad = network.constants.latent.grad.clone()
        optimizer.step()
        moved = before - 0.003 * grad if step % 3 == 0 else before
        torch.testing.assert_close(network.constants.latent.detach(), moved, rtol=1e-5, atol=1e-7)
        assert network.violations() == [] and grad.any()


def test_membranes_are_held_against_trained_thresholds(make, events):
    """The regulariser on membranes, by hand with the thresholds that tables would carry."""
    network = scattered(make("dynapse2", **ALL), seed=2)
    record = network(events(network), record=("hidden", "out"))[1]
    record = record._replace(v={name: 3 * v for name, v in record.v.items()})  # beyond θ, where no reset lets them be
    wanted = 0.0
    for name, v in record.v.items():
        sets, index = network.constants.parameter_sets(name)
        theta = torch.tensor([sets[k].theta for k in index])
        assert torch.equal(network.constants.thresholds()[name], theta) and (theta != 1).all()
        wanted += 0.5 * (v.abs() / theta - 1).clamp(min=0).square().mean()
    loss = Loss(voltage_weight=0.5)
    torch.testing.assert_close(regularisers(loss, record, network.constants.thresholds()), wanted)
    assert wanted > 0


def test_without_trained_constants_nothing_changes(make, events):
    plain, trained = make("generic"), make("generic", trainable=("tau_mem", "tau_syn"))
    assert plain.constants is None and "constants.latent" not in plain.state_dict()
    nothing = {n: {"size": 4, "decay_syn": 0.0, "tau_syn_s": None} for n in ("hidden", "out")}
    assert make("generic", populations=nothing, trainable=("tau_syn",)).constants is None
    x = events(plain)
    assert torch.equal(plain(x)[0], trained(x)[0]), "on a chip without biases training starts at the task's own values"
