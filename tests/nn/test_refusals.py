"""What a network refuses: inputs that are no events, parameters that moved without projection, codes that were edited."""

import copy
import io
import pickle

import pytest
import torch

import neuro
from neuro.errors import DataError, FeasibilityError, NeuroError

CHIPS = ("dynapse1", "dynapse2", "binary-core", "generic")


def bad(value, shape=(4, 2, 5)):
    x = torch.zeros(shape)
    x[1, 0, 2] = value
    return x


@pytest.mark.parametrize("x, match", [
    (bad(float("nan")), "input x holds NaN or infinity"),
    (bad(float("inf")), "input x holds NaN or infinity"),
    (bad(0.5), "input x holds fractions"),
    (bad(-1.0), "-1 to 0 events a step, allowed on dynapse1: 0 to 1"),
    (bad(2.0), "0 to 2 events a step, allowed on dynapse1: 0 to 1"),
    (torch.zeros(4, 2, 6), r"shape \[4, 2, 6\], allowed: \[T, B, 5\]"),
    (torch.zeros(4, 5), r"shape \[4, 5\]"),
    (torch.zeros(0, 2, 5), r"shape \[0, 2, 5\]"),
    (torch.zeros(4, 0, 5), r"shape \[4, 0, 5\]"),
    ({"y": torch.zeros(4, 2, 5)}, "inputs are y, allowed: exactly x"),
    ({}, "inputs are none, allowed: exactly x"),
    ({"x": torch.zeros(4, 2, 5), "z": torch.zeros(4, 2, 5)}, "allowed: exactly x"),
])  # fmt: skip
def test_inputs_that_are_no_events(make, x, match):
    with pytest.raises(DataError, match=match):
        make()(x)


def test_inputs_of_different_lengths(make):
    network = make(inputs={"x": 5, "w": 2}, projections=(("x", "hidden"), ("w", "hidden"), ("hidden", "out")))
    with pytest.raises(DataError, match=r"the same for every input"):
        network({"x": torch.zeros(4, 2, 5), "w": torch.zeros(3, 2, 2)})
    with pytest.raises(DataError, match="exactly x, w"):
        network(torch.zeros(4, 2, 5))


def test_a_state_of_another_batch(make):
    network = make()
    _, record = network(torch.ones(3, 2, 5))
    with pytest.raises(DataError, match="state"):
        network(torch.ones(3, 4, 5), record.state)


def test_a_record_of_what_is_no_population(make):
    with pytest.raises(DataError, match="record names 'x', allowed: hidden, out"):
        make()(torch.zeros(4, 2, 5), record=("x",))


@pytest.mark.parametrize("chip", CHIPS)
def test_a_latent_moved_behind_the_back_is_noticed(make, chip):
    network = make(chip)
    x = torch.ones(4, 2, 5)
    for move in (
        lambda p: p.data.add_(0.25),
        lambda p: p.data[0, 0].mul_(1 + 2**-20),
        lambda p: p.data.neg_(),
        lambda p: p.data.zero_(),
    ):
        kept = network.latents["hidden"].data.clone()
        move(network.latents["hidden"])
        with pytest.raises(FeasibilityError, match="wrap the optimizer in neuro.QRewiring or call network.project"):
            network(x)
        assert any("without projection" in v for v in network.violations())
        network.latents["hidden"].data.copy_(kept)
        network(x)
    network.latents["hidden"].data.add_(0.25)
    network.project()
    assert network.violations() == []
    network(x)


@pytest.mark.parametrize("chip", CHIPS)
def test_a_base_weight_moved_behind_the_back_is_noticed(make, chip):
    network = make(chip)
    network.bases.latent.data.add_(0.5)
    with pytest.raises(FeasibilityError, match="without projection"):
        network(torch.ones(4, 2, 5))
    assert any("without projection" in v for v in network.violations())
    network.project()
    network(torch.ones(4, 2, 5))
    assert network.violations() == []


@pytest.mark.parametrize("chip, value", [("dynapse1", 99), ("dynapse2", 77), ("binary-core", 9), ("generic", -1)])
def test_a_seeded_violation_is_found(make, chip, value):
    network = make(chip)
    network.memories["hidden"].code[2, 3] = value
    found = network.violations()
    assert found and all("population hidden, row 2" in v for v in found if "without" not in v)


@pytest.mark.parametrize("chip", CHIPS)
def test_too_many_words_forbidden_words_and_mixed_signs_are_found(make, chip):
    network = make(chip, [] if chip == "binary-core" else ["slots=4"], populations={"hidden": {"size": 9},
                                                                                    "out": {"size": 4}})  # fmt: skip
    code = network.memories["hidden"].code
    diagonal = code.clone()
    code[3, 5 + 3] = 0 if chip == "binary-core" else 1  # an autapse
    assert any("row 3" in v and "connection" in v for v in network.violations())
    code.copy_(diagonal)
    assert network.violations() == []
    if chip == "binary-core":
        code[0, 2], code[1, 2] = 0, 1  # one source, + for one neuron and − for another
        assert any("column 2" in v for v in network.violations())
    else:
        code[3, :5] = 1
        assert any("row 3" in v and "words in use" in v for v in network.violations())


@pytest.mark.parametrize("chip", CHIPS)
def test_a_code_edited_within_the_limits_does_not_stay_hidden(make, chip):
    """The forward pass must read the code, or say that weight and code have parted."""
    network = make(chip)
    x = torch.ones(8, 2, 5)
    memory = network.memories["hidden"]
    memory.code.fill_(-1 if chip == "binary-core" else 0)
    try:
        silent = not network(x, record="hidden")[1].spikes["hidden"].any()
    except NeuroError:
        silent = True
    assert silent or network.violations()


@pytest.mark.parametrize("chip", CHIPS)
def test_projecting_twice_changes_nothing(make, chip):
    network = make(chip)
    before = {k: v.clone() for k, v in network.state_dict().items()}
    network.project()
    after = network.state_dict()
    assert before.keys() == after.keys() and all(torch.equal(before[k], after[k]) for k in before)


@pytest.mark.parametrize("chip", CHIPS)
def test_state_copies_and_pickles_are_the_same_network(make, events, chip):
    fields = {"outputs": {"y": {"population": "out", "readout": "linear", "classes": 2, "tau_out_s": 0.01}}}
    fields |= {"inputs": {"x": 12}}
    network = make(chip, seed=1, **fields)
    x = events(network, steps=15)
    wanted, record = network(x, record="out")
    assert record.spikes["out"].any()
    other = make(chip, seed=2, **fields)
    assert not torch.equal(other(x)[0], wanted)
    other.load_state_dict(network.state_dict())
    assert torch.equal(other(x)[0], wanted) and other.violations() == []
    file = io.BytesIO()
    torch.save(network.state_dict(), file)
    file.seek(0)
    third = make(chip, seed=3, **fields)
    third.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(third(x)[0], wanted)
    for twin in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        assert torch.equal(twin(x)[0], wanted)
        twin.latents["hidden"].data.mul_(-1)
        twin.bases.latent.data.add_(1.0)
        twin.project()
        assert not torch.equal(twin(x)[0], wanted) and twin.violations() == []
        assert torch.equal(network(x)[0], wanted) and network.violations() == []


def test_a_state_of_another_network_is_refused(make):
    network, small = make(), make(populations={"hidden": {"size": 7}, "out": {"size": 4}})
    state = network.state_dict()
    wrong = (NeuroError, RuntimeError)  # torch's own words for shapes and keys are clear
    with pytest.raises(wrong, match="hidden"):
        network.load_state_dict(small.state_dict())
    with pytest.raises(wrong, match="latents.out"):
        network.load_state_dict({k: v for k, v in state.items() if k != "latents.out"})
    with pytest.raises(FeasibilityError, match="memories.hidden.code"):
        network.load_state_dict(state | {"memories.hidden.code": state["memories.hidden.code"] * 0})


@pytest.mark.parametrize("threshold", [1e-9, 1e-3, 50.0, 1e6])
@pytest.mark.parametrize("chip", CHIPS)
def test_any_threshold_builds_or_is_refused(make, chip, threshold):
    populations = {"hidden": {"size": 6, "threshold": threshold}, "out": {"size": 4, "threshold": threshold}}
    try:
        network = make(chip, populations=populations)
    except NeuroError as error:
        assert "threshold" in str(error) or "base" in str(error)
        return
    assert network.violations() == []
    network(torch.ones(4, 2, 5))


def test_float_twin_has_no_limits(make, events):
    network = make("dynapse1", ["weights.kind=float"])
    assert network.violations() == [] and network.bases is None
    x = events(network)
    assert network(x)[0].shape == (12, 2, 4)
    optimizer = neuro.QRewiring(torch.optim.Adam(network.parameter_groups(lr=1e-2)), network)
    network(x)[0].sum().backward()
    optimizer.step()
    assert network.violations() == []
    memory = network.memories["hidden"]
    wanted = network.latents["hidden"] if memory.allowed is None else network.latents["hidden"] * memory.allowed
    assert torch.equal(memory.weight, wanted)
