"""Seven steps of every choice a neuron model has, computed by hand with dyadic constants; by `step` and by `Scan`."""

import pytest
import torch

from neuro.dynamics import NeuronModel, ParameterSet, Scan, State, heaviside, stack, step


def by_step(model, constants, drives):
    state = State.zero(1, 1, len(drives))
    z, v = [], []
    for t in range(7):
        spikes, state = step(model, constants, state, [torch.tensor([[d[t]]]) for d in drives], heaviside)
        z.append(spikes.item()), v.append(state.v.item())
    return z, v, state


def by_scan(model, constants, drives):
    scan = Scan(model, constants, lambda x: x)
    state = State.zero(1, 1, len(drives))
    z, v, last = scan.run([torch.tensor(d).view(7, 1, 1) for d in drives], [], state, torch.zeros(0, 1, 1))
    return z.flatten().tolist(), v.flatten().tolist(), last


CASES = {}


def case(name, model, parameters, drives, spikes, v, a=None, refractory=None):
    CASES[name] = (NeuronModel(**model), ParameterSet(**parameters), drives, spikes, v, a, refractory)


# u1 = .75 | u2 = .75/2 + .75 = 1.125 fires, v = .125 | u3 = .125/2 + .75 = .8125 | u4 = .8125/2 + .75 = 1.15625 fires
case(
    "exponential leak, reset by subtraction",
    {},
    {"leak": 0.5, "decay_syn": (0.0,), "theta": 1.0},
    [[0.75] * 7],
    [0, 1, 0, 1, 0, 1, 0],
    [0.75, 0.125, 0.8125, 0.15625, 0.828125, 0.1640625, 0.83203125],
)
# u1 = 0 − .25 + .5 | u2 = .25 − .25 + .5 | u3 = .75 | u4 = .75 − .25 − 1 = −.5 | u5 = −.5 − .25 + .75 | u7 = 1 = θ fires
case(
    "linear leak",
    {"leak": "linear"},
    {"leak": 0.25, "decay_syn": (0.0,), "theta": 1.0},
    [[0.5, 0.5, 0.5, -1.0, 0.75, 0.75, 0.75]],
    [0, 0, 0, 0, 0, 0, 1],
    [0.25, 0.5, 0.75, -0.5, 0.0, 0.5, 0.0],
)
# u1 = 0 + .5 | u2 = (.5 − .25) + .5 | u3 = (.75 − .25) + .5 = 1 fires, v = 0 | u4 = −.125
# u5: |−.125| < .25, so 0 + .75 | u6 = (.75 − .25) + .75 = 1.25 fires, v = .25 | u7 = 0 + .75
case(
    "linear leak towards zero",
    {"leak": "linear_to_zero"},
    {"leak": 0.25, "decay_syn": (0.0,), "theta": 1.0},
    [[0.5, 0.5, 0.5, -0.125, 0.75, 0.75, 0.75]],
    [0, 0, 1, 0, 0, 1, 0],
    [0.5, 0.75, 0.0, -0.125, 0.75, 0.25, 0.75],
)
# from below: u1 = −1 | u2 = −(1 − .25) + 0 = −.75 | u3 = −.5 | u4 = −.25 | u5 = 0 | u6 = 0 | u7 = 1.5 fires, v = .5
case(
    "linear leak towards zero, from below",
    {"leak": "linear_to_zero"},
    {"leak": 0.25, "decay_syn": (0.0,), "theta": 1.0},
    [[-1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.5]],
    [0, 0, 0, 0, 0, 0, 1],
    [-1.0, -0.75, -0.5, -0.25, 0.0, 0.0, 0.5],
)
# in quarters: u1 = 3 | u2 = ⌊9/4⌋ + 3 = 5 fires, v = 1 | u3 = ⌊3/4⌋ + 3 = 3 | u4 = 2 − 11 = −9
# u5 = −⌊27/4⌋ = −6 | u6 = −4 | u7 = −3 + 7 = 4 fires
case(
    "a fraction is left, towards zero",
    {"leak": "fraction"},
    {"leak": 0.75, "decay_syn": (0.0,), "theta": 1.0, "unit": 0.25},
    [[0.75, 0.75, 0.75, -2.75, 0.0, 0.0, 1.75]],
    [0, 1, 0, 0, 0, 0, 1],
    [0.75, 0.25, 0.75, -2.25, -1.5, -1.0, 0.0],
)
# in quarters, a quarter of it goes: u1 = 3 | u2 = 3 − 1 (⌊3/4⌋ = 0, but at least 1) + 0 | u3 = 1 | u4 = 0 − 9 = −9
# u5 = −9 + 3 (⌊−9/4⌋ = −3) = −6 | u6 = −6 + 2 | u7 = −4 + 1 + 7 = 4 fires
case(
    "a shifted part goes, at least one unit",
    {"leak": "shift"},
    {"leak": 0.75, "decay_syn": (0.0,), "theta": 1.0, "unit": 0.25},
    [[0.75, 0.0, 0.0, -2.25, 0.0, 0.0, 1.75]],
    [0, 0, 0, 0, 0, 0, 1],
    [0.75, 0.5, 0.25, -2.25, -1.5, -1.0, 0.0],
)
# i in quarters: 3 | ⌊9/4⌋ = 2 | 1 | 0 …; u1 = 3 | u2 = ⌊9/4⌋ + 2 = 4 fires, v = 0 | u3 = 0 + 1 | u4 = ⌊3/4⌋ + 0 …
case(
    "currents are whole numbers too",
    {"leak": "fraction"},
    {"leak": 0.75, "decay_syn": (0.75,), "theta": 1.0, "unit": 0.25},
    [[0.75, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]],
    [0, 1, 0, 0, 0, 0, 0],
    [0.75, 0.0, 0.25, 0.0, 0.0, 0.0, 0.0],
)
# u1 = .625 | u2 = 1.25 fires, v = .25 | u3 = .875 | u4 = 1.5 fires, v = .5 | u5 = 1.125 fires, v = .125 | u6 = .75
case(
    "reset by subtraction, no leak",
    {},
    {"leak": 1.0, "decay_syn": (0.0,), "theta": 1.0},
    [[0.625] * 7],
    [0, 1, 0, 1, 1, 0, 1],
    [0.625, 0.25, 0.875, 0.5, 0.125, 0.75, 0.375],
)
# u1 = .5 | u2 = 1 fires, v = .25 | u3 = .75 | u4 = 1.25 fires, v = .25 | …
case(
    "reset to a value",
    {"reset": "to_value"},
    {"leak": 1.0, "decay_syn": (0.0,), "theta": 1.0, "v_reset": 0.25},
    [[0.5] * 7],
    [0, 1, 0, 1, 0, 1, 0],
    [0.5, 0.25, 0.75, 0.25, 0.75, 0.25, 0.75],
)
# u2 = 1 fires, v = .125, rests 2 | t3, t4: held at .125 whatever comes in | u5 = .125 + .5 | u6 = 1.125 fires | t7 rests
case(
    "refractory, held",
    {"reset": "to_value", "refractory": "hold"},
    {"leak": 1.0, "decay_syn": (0.0,), "theta": 1.0, "v_reset": 0.125, "refractory_steps": 2},
    [[0.5] * 7],
    [0, 1, 0, 0, 0, 1, 0],
    [0.5, 0.125, 0.125, 0.125, 0.625, 0.125, 0.125],
    refractory=1,
)
# u2 = 1 fires, v = 1 − 1 = 0 | t3, t4: held at v_reset = .125 | u5 = .625 | u6 = 1.125 fires, v = .125 | t7 held
case(
    "refractory, held, reset by subtraction",
    {"refractory": "hold"},
    {"leak": 1.0, "decay_syn": (0.0,), "theta": 1.0, "v_reset": 0.125, "refractory_steps": 2},
    [[0.5] * 7],
    [0, 1, 0, 0, 0, 1, 0],
    [0.5, 0.0, 0.125, 0.125, 0.625, 0.125, 0.125],
    refractory=1,
)
# u2 = 1 fires, v = 0, rests 2 | u3 = .5 | u4 = 1 but rests | u5 = 1.5 fires, v = .5, rests 2 | u6 = 1, u7 = 1.5 rest
case(
    "refractory, integrating",
    {},
    {"leak": 1.0, "decay_syn": (0.0,), "theta": 1.0, "refractory_steps": 2},
    [[0.5] * 7],
    [0, 1, 0, 0, 1, 0, 0],
    [0.5, 0.0, 0.5, 1.0, 0.5, 1.0, 1.5],
    refractory=0,
)
# u2 = max(−.125 − .5, −.25) | u3 = −.25 + .5 | u4 = .75 | u5 = 1 fires | u6 = max(0 − 2, −.25) | u7 = −.25 + .5
case(
    "floor",
    {"floor": True},
    {"leak": 1.0, "decay_syn": (0.0,), "theta": 1.0, "floor": -0.25},
    [[-0.125, -0.5, 0.5, 0.5, 0.25, -2.0, 0.5]],
    [0, 0, 0, 0, 1, 0, 0],
    [-0.125, -0.25, 0.25, 0.75, 0.0, -0.25, 0.25],
)
# the same without a floor: −.125 | −.625 | −.125 | .375 | .625 | −1.375 | −.875
case(
    "no floor",
    {"floor": False},
    {"leak": 1.0, "decay_syn": (0.0,), "theta": 1.0, "floor": -0.25},
    [[-0.125, -0.5, 0.5, 0.5, 0.25, -2.0, 0.5]],
    [0, 0, 0, 0, 0, 0, 0],
    [-0.125, -0.625, -0.125, 0.375, 0.625, -1.375, -0.875],
)
# u2 = 1.5 fires, v = .5, a = 1 | u3 = .5 + .75 − .25·1 = 1 fires, v = 0, a = .5 + 1 | u4 = .75 − .25·1.5 = .375, a = .75
# u5 = .375 + .75 − .1875 = .9375, a = .375 | u6 = .9375 + .75 − .09375 = 1.59375 fires, a = 1.1875
case(
    "adaptation as a current",
    {"adaptation": "current"},
    {"leak": 1.0, "decay_syn": (0.0,), "theta": 1.0, "beta": 0.25, "decay_a": 0.5},
    [[0.75] * 7],
    [0, 1, 1, 0, 0, 1, 1],
    [0.75, 0.5, 0.0, 0.375, 0.9375, 0.59375, 0.046875],
    a=1.59375,
)
# u2 = 1.5 fires, v = .5, a = 1 | u3 = 1.25 < 1 + .5·1, a = .5 | u4 = 2 ≥ 1.25 fires, v = 2 − θ = 1, a = 1.25
# u5 = 1.75 ≥ 1.625 fires, v = .75, a = 1.625 | u6 = 1.5 < 1.8125, a = .8125 | u7 = 2.25 ≥ 1.40625 fires
case(
    "adaptation of the threshold",
    {"adaptation": "threshold"},
    {"leak": 1.0, "decay_syn": (0.0,), "theta": 1.0, "beta": 0.5, "decay_a": 0.5},
    [[0.75] * 7],
    [0, 1, 0, 1, 1, 0, 1],
    [0.75, 0.5, 1.25, 1.0, 0.75, 1.5, 1.25],
    a=1.40625,
)
# i1 = 1, .5, .25, 1.125, … (halves) | i2 = 0, −.25, −.0625, … (quarters)
# u1 = 1 + 0 + .125 fires, v = .125 | u2 = .0625 + .5 − .25 + .125 | u3 = .21875 + .25 − .0625 + .125
# u4 = .265625 + 1.125 − .015625 + .125 = 1.5 fires, v = .5 | u5 = .25 + .5625 − .00390625 + .125
case(
    "two currents and a bias",
    {},
    {"leak": 0.5, "decay_syn": (0.5, 0.25), "theta": 1.0, "bias": 0.125},
    [[1.0, 0, 0, 1.0, 0, 0, 0], [0, -0.25, 0, 0, 0, 0.5, 0]],
    [1, 0, 0, 1, 0, 1, 0],
    [0.125, 0.4375, 0.53125, 0.5, 0.93359375, 0.3720703125, 0.576416015625],
)


@pytest.mark.parametrize("run", [by_step, by_scan])
@pytest.mark.parametrize("name", CASES)
def test_seven_steps(name, run):
    model, parameters, drives, spikes, v, a, refractory = CASES[name]
    z, membrane, last = run(model, stack([parameters], [1]), [list(map(float, d)) for d in drives])
    assert z == spikes
    assert membrane == v
    assert last.v.item() == v[-1]
    assert a is None or last.a.item() == a
    assert refractory is None or last.refractory.item() == refractory


@pytest.mark.parametrize(
    "delay, before, first, spikes",
    [
        (1, [0], 1.0, [1, 1, 1, 1, 1, 1, 1]),  # its own spike comes back one step later
        (2, [0, 0], 1.0, [1, 0, 1, 0, 1, 0, 1]),
        (3, [0, 0, 0], 1.0, [1, 0, 0, 1, 0, 0, 1]),
        (2, [0, 1], 0.0, [0, 1, 0, 1, 0, 1, 0]),  # a spike of the step before the first arrives in the second
        (2, [1, 0], 0.0, [1, 0, 1, 0, 1, 0, 1]),
    ],
)
def test_a_spike_returns_after_its_delay(delay, before, first, spikes):
    constants = stack([ParameterSet(leak=0.0, decay_syn=(0.0,), theta=1.0)], [1])
    drive = torch.tensor([first, 0, 0, 0, 0, 0, 0]).view(7, 1, 1)
    history = torch.tensor(before, dtype=torch.float32).view(-1, 1, 1)
    scan = Scan(NeuronModel(), constants, lambda x: x, (delay,))
    z, _, _ = scan.run([drive], [torch.ones(1, 1)], State.zero(1, 1, 1), history)
    assert z.flatten().tolist() == spikes


def test_recurrent_matrices_are_target_by_source():
    # neuron 0 drives neuron 1, not the other way: 0 fires at steps 1 and 2, 1 one step later
    constants = stack([ParameterSet(leak=0.0, decay_syn=(0.0,), theta=1.0)], [2])
    drive = torch.zeros(7, 1, 2)
    drive[:2, 0, 0] = 1.0
    weight = torch.tensor([[0.0, 0.0], [1.0, 0.0]])
    z, _, _ = Scan(NeuronModel(), constants, lambda x: x, (1,)).run(
        [drive], [weight], State.zero(1, 2, 1), torch.zeros(1, 1, 2)
    )
    assert z[:, 0, 0].tolist() == [1, 1, 0, 0, 0, 0, 0]
    assert z[:, 0, 1].tolist() == [0, 1, 1, 0, 0, 0, 0]
