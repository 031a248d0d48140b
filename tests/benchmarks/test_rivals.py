"""What each rival of the comparison promises while it trains."""

import pytest
import torch
from rivals import METHODS

import neuro
from neuro.losses import task_loss

SLOTS, STEPS = 6, 30
SETTING = {"lr": 0.01, "connectivity": 0.5, "pull": 1e-3, "temperature": 1e-5, "share": 0.4, "begin": 0.1}
SETTING |= {"value_rate": 0.05, "scale": 1.3}


@pytest.fixture(scope="module")
def task():
    return neuro.load_task("digits", ["populations.hidden.size=10", "populations.digit.size=10", "encoder.steps=6"])


def method(task, name, twin=None):
    return METHODS[name](task, "generic", SLOTS, 0, SETTING, STEPS, twin)


def trained(task, name, each, steps=STEPS, twin=None):
    found, g = method(task, name, twin), torch.Generator().manual_seed(1)
    for _ in range(steps):
        x = (torch.rand(task.steps, 8, 64, generator=g) < 0.4).float()
        outputs, _ = found.network(x)
        loss = task_loss(task.loss, outputs, torch.randint(10, (8,), generator=g))
        found.before_backward()
        loss.backward()
        found.step()
        each(found)
    held = found.finished()
    assert held.violations() == []
    return found, held


def words(held):
    return torch.cat([memory.scheme.slots_used(memory.code) for _, _, memory in held.synapses()])


def test_deep_r_keeps_the_number_of_active_connections_and_their_signs(task):
    before, died = {}, []

    def each(found):
        for name, latent, memory in found.network.synapses():
            sign, old = found.signs[name], before.get(name)
            assert int((sign != 0).sum()) == min(SLOTS * len(latent), int(memory.allowed_for(latent).sum()))
            assert (latent.sign() * sign >= 0).all() and (latent[sign == 0] == 0).all()
            if old is not None:
                died.append(int(((old != 0) & (sign != old)).sum()))
            before[name] = sign.clone()

    _, held = trained(task, "DEEP R + rounding", each)
    assert sum(died) > 0 and words(held).max() <= SLOTS


def test_rigl_keeps_every_fan_in_and_moves_connections(task):
    seen = []

    def each(found):
        for name, latent, _ in found.network.synapses():
            assert (found.active[name].flatten(1).sum(1) == SLOTS).all() and (latent[~found.active[name]] == 0).all()
        seen.append(found.active["latents.hidden"].clone())

    METHODS["constant fan-in RigL + rounding"].every, every = 5, METHODS["constant fan-in RigL + rounding"].every
    try:
        _, held = trained(task, "constant fan-in RigL + rounding", each)
    finally:
        METHODS["constant fan-in RigL + rounding"].every = every
    assert not torch.equal(seen[0], seen[10]) and torch.equal(seen[-1], seen[-2]) and words(held).max() <= SLOTS


def test_straight_through_falls_to_the_slots(task):
    most = []

    def each(found):
        most.append(int(words(found.network).max()))

    _, held = trained(task, "straight-through + pruning", each)
    assert most[0] > SLOTS and most[-1] <= SLOTS and words(held).max() <= SLOTS


def test_four_values_are_four_and_learned(task):
    first = {}

    def each(found):
        for name, _, memory in found.network.synapses():
            first.setdefault(name, found.values[name])
            assert len(memory.weight.unique()) <= 5 and (memory.weight != 0).flatten(1).sum(1).max() <= SLOTS

    found, _ = trained(task, "four learned values", each)
    assert any(not torch.equal(first[name], values) for name, values in found.values.items())


def test_post_hoc_rounds_the_twin_it_is_given(task):
    _, twin = trained(task, "float twin", lambda found: None, steps=3)
    held = method(task, "post-hoc", twin.state_dict()).finished()
    for name, latent in twin.latents.items():
        assert torch.equal(held.latents[name], latent)
    assert held.violations() == [] and words(held).max() <= SLOTS


@pytest.mark.parametrize("name", ["Q-rewiring", "published"])
def test_ours_fit_after_every_step(task, name):
    def each(found):
        assert found.network.violations() == []

    trained(task, name, each, steps=6)
