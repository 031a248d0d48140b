"""norse models against their conversion: the same spikes, l − 1 steps later."""

import norse.torch as snn
import pytest
import torch
from norse.torch.functional.lif_box import LIFBoxParameters
from norse.torch.functional.reset import reset_subtract
from torch import nn

from neuro.errors import DescriptionError
from neuro.interop import chip_overrides, from_norse, shift_of

SIZES = (12, 10, 8, 7)
CONSTANTS = [(0.5, 0.5, 2), (0.75, 0.5, 2), (0.875, 0.75, 2), (0.5, 0.0, 4), (0.0, 0.875, 0.5)]


def parameters(syn=0.5, mem=0.5, kind=snn.LIFParameters, dt=1.0, **more):
    times = {"tau_mem_inv": torch.tensor(1 - mem) / dt}
    if kind is snn.LIFParameters:
        times["tau_syn_inv"] = torch.tensor(1 - syn) / dt
    return kind(**times, **more)


def linear(weights, **kwargs):
    layer = nn.Linear(*weights.shape[::-1], bias=False, **kwargs)
    layer.weight.data = weights
    return layer


def by_steps(model, x):
    """Run a model of single-step cells over time."""
    state, spikes = None, []
    with torch.no_grad():
        for now in x:
            z, state = model(now, state)
            spikes.append(z)
    return torch.stack(spikes)


def assert_same(run, model, dt_s, x, original):
    spec, latents = from_norse(model, dt_s)
    spikes = run(spec, latents, chip_overrides(model), x)
    assert 0.005 < original.mean() < 0.97
    assert torch.equal(spikes, original)


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("mem, syn, gain", CONSTANTS)
@pytest.mark.parametrize("seed", [0, 1])
def test_a_stack_of_cells_spikes_alike(run, draw, depth, mem, syn, gain, seed):
    weights, spikes = draw(seed)
    shapes = zip(SIZES[1:], SIZES[:depth], strict=False)
    maps = [linear(gain * weights(*shape)) for shape in shapes]
    model = snn.SequentialState(*(part for w in maps for part in (w, snn.LIFCell(parameters(syn, mem), dt=1.0))))
    x = spikes(40, 5, SIZES[0])
    assert_same(run, model, 1.0, x, by_steps(model, x))


def test_layers_over_time_and_their_own_reset_value(run, draw):
    weights, spikes = draw(2)
    p = parameters(0.75, 0.875, v_reset=torch.tensor(-0.25), v_th=torch.tensor(0.5))
    model = snn.SequentialState(
        snn.Lift(linear(weights(10, 12))),
        snn.LIF(p, dt=1.0),
        nn.Dropout(0.5),
        linear(weights(8, 10)),
        snn.LIF(p, dt=1.0),
    ).eval()
    x = spikes(40, 5, 12)
    spec, _ = from_norse(model, 1.0)
    assert spec.populations["layer1"].v_reset == -0.25
    assert_same(run, model, 1.0, x, model(x)[0].detach())


@pytest.mark.parametrize("autapses", [False, True])
@pytest.mark.parametrize("cell", [snn.LIFRecurrentCell, snn.LIFRecurrent])
def test_recurrent_layers_hear_themselves_one_step_later(run, draw, cell, autapses):
    weights, spikes = draw(3)

    def layer(n, m):
        own = {"input_weights": 2 * weights(m, n), "recurrent_weights": weights(m, m, -50, 40)}
        return cell(n, m, parameters(0.5, 0.75), autapses=autapses, dt=1.0, **own)

    model, x = snn.SequentialState(layer(12, 10), layer(10, 8)), spikes(40, 5, 12)
    with torch.no_grad():
        original = by_steps(model, x) if cell is snn.LIFRecurrentCell else model(x)[0]
    assert_same(run, model, 1.0, x, original)
    spec, latents = from_norse(model, 1.0)
    assert spec.projection("layer2", "layer2").autapses is autapses
    assert bool(latents["layer1"]["layer1"].diagonal().any()) is autapses


def test_box_cells_have_no_current(run, draw):
    weights, spikes = draw(4)
    for more in ({}, {"reset_method": reset_subtract}):
        p = parameters(mem=0.75, kind=LIFBoxParameters, **more)
        first, second = snn.LIFBoxCell(p, dt=1.0), snn.LIFBoxCell(p, dt=1.0)
        model = snn.SequentialState(linear(4 * weights(10, 12)), first, linear(4 * weights(8, 10)), second)
        assert_same(run, model, 1.0, x := spikes(40, 5, 12), by_steps(model, x))
        assert chip_overrides(model) == ["neuron.reset=subtract" if more else "neuron.reset=to_value"]


def test_default_constants_in_seconds(run, draw):
    weights, spikes = draw(5)
    model = snn.SequentialState(linear(3 * weights(10, 12)), snn.LIFCell(), linear(9 * weights(8, 10)), snn.LIFCell())
    spec, latents = from_norse(model, 1e-3)
    assert spec.populations["layer1"].decay_mem == pytest.approx(0.9)
    assert spec.populations["layer1"].decay_syn == pytest.approx(0.8)
    assert torch.allclose(latents["layer1"]["input"], 0.1 * model[0].weight)
    assert_same(run, model, 1e-3, x := spikes(40, 5, 12), by_steps(model, x))


def test_at_the_threshold_neither_fires(run):
    model = snn.SequentialState(linear(torch.tensor([[2.0], [2.0 + 2.0**-20]])), snn.LIFCell(parameters(0.0), dt=1.0))
    x = torch.ones(1, 1, 1)
    assert by_steps(model, x).tolist() == [[[0.0, 1.0]]]
    assert run(*from_norse(model, 1.0), chip_overrides(model), x).tolist() == [[[0.0, 1.0]]]


def test_a_users_module_is_read_in_order_of_registration():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.lif = linear(torch.ones(3, 2)), snn.LIFCell(parameters(), dt=1.0)
            self.tail = nn.Sequential(linear(torch.ones(4, 3)), snn.LIFCell(parameters(), dt=1.0))

    spec, latents = from_norse(Net(), 1.0)
    assert {name: p.size for name, p in spec.populations.items()} == {"layer1": 3, "layer2": 4}
    ways = [(p.source, p.target, p.delay) for p in spec.projections]
    assert ways == [("input", "layer1", 0), ("layer1", "layer2", 1)]
    assert latents["layer2"]["layer1"].shape == (4, 3) and latents["layer2"]["layer1"].dtype == torch.float32
    assert [shift_of(spec, name) for name in spec.populations] == [0, 1]
    assert spec.outputs["output"].population == "layer2" and spec.outputs["output"].classes is None


def lif(**more):
    return snn.LIFCell(parameters(**more), dt=1.0)


one, two, tied = linear(torch.ones(2, 2)), linear(torch.ones(2, 3)), lif()
REFUSED = [
    ((nn.Conv2d(1, 1, 3), lif()), r"^0 \(Conv2d\) has no counterpart; supported: Linear, LIFCell, .*NetworkSpec$"),
    ((nn.Linear(2, 2), lif()), r"^0 \(Linear\) has a bias with 2 non-zero values; .* set 0.bias = None"),
    ((one, lif(), snn.LICell()), r"^2 \(LICell\) has no counterpart"),
    ((one, snn.LIFAdExCell()), r"^1 \(LIFAdExCell\) has no counterpart"),
    ((snn.RecurrentSequential(one, lif()),), r"^0 \(RecurrentSequential\) has no counterpart"),
    ((one, lif(v_leak=torch.tensor(0.5))), r"^1 \(LIFCell\) has v_leak = 0.5; supported: v_leak = 0"),
    ((one, lif(v_th=torch.tensor([1.0, 2.0]))), r"^1 \(LIFCell\) has 2 values of v_th"),
    ((one, lif(v_th=torch.tensor(0.0))), r"^1 \(LIFCell\) has v_th = 0; "),
    ((one, lif(v_reset=torch.tensor(float("inf")))), r"^1 \(LIFCell\) has v_reset = inf; "),
    ((one, lif(mem=-0.5)), r"^1 \(LIFCell\) has dt · tau_mem_inv = 1.5; supported: 0 to 1"),
    ((one, snn.LIFCell(parameters(), dt=0.5)), r"^1 \(LIFCell\) has dt = 0.5 s; .*pass dt_s=0.5"),
    ((one, two, lif()), r"^1 \(Linear\) has weights, and so has 0 before it"),
    ((one, snn.LIFRecurrentCell(2, 2, dt=1e-3)), r"^1 \(LIFRecurrentCell\) has weights, and so has 0"),
    ((lif(),), r"^0 \(LIFCell\) has no Linear before it"),
    ((one, lif(), two), r"^2 \(Linear\) has no neurons behind it"),
    ((one, lif(), two, lif()), r"^3 \(LIFCell\) has 3 sources; supported: 2, the neurons of 1"),
    ((one, tied, linear(torch.ones(2, 2)), tied), r"^3 \(LIFCell\) has weights or state in common with 1"),
    ((one, nn.Dropout(0.5), lif()), r"^1 \(Dropout\) has training mode; .* call model.eval"),
    ((nn.Flatten(0), one, lif()), r"^0 \(Flatten\) has start_dim=0"),
    ((), r"^the model \(SequentialState\) has no spiking layer"),
]


@pytest.mark.parametrize("modules, message", REFUSED, ids=[message for _, message in REFUSED])
def test_what_has_no_counterpart_is_refused_by_name(modules, message):
    with pytest.raises(DescriptionError, match=message):
        from_norse(snn.SequentialState(*modules), 1.0)


def test_resets_of_two_kinds_are_refused():
    box = snn.LIFBoxCell(parameters(kind=LIFBoxParameters, reset_method=reset_subtract), dt=1.0)
    model = snn.SequentialState(one, box, linear(torch.ones(2, 2)), lif())
    with pytest.raises(DescriptionError, match="^1 resets by subtraction, 3 to a value; supported: one kind"):
        from_norse(model, 1.0)


def test_unknown_layers_and_steps_are_refused():
    model = snn.SequentialState(one, lif())
    spec, _ = from_norse(model, 1.0)
    with pytest.raises(DescriptionError, match="layer is 'hidden'; allowed: layer1"):
        shift_of(spec, "hidden")
