"""Triton's loops against those of the CPU: spikes, membranes and states to the bit, and gradients.

On a card where there is one, else in Triton's interpreter; what a card would run is compiled for one that is not there.
"""

import os
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from random_networks import random_events, random_network

import neuro
from neuro.dynamics import NeuronModel
from neuro.dynamics.spiking import Spiking
from neuro.errors import DataError

pytestmark = pytest.mark.skipif(find_spec("triton") is None, reason="Triton is not installed")
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
if DEVICE.type == "cpu":
    os.environ["TRITON_INTERPRET"] = "1"  # read when Triton is imported

MODELS = [
    ("exponential", "subtract", "integrate", "none", "null"),
    ("linear_to_zero", "to_value", "hold", "threshold", "-0.25"),
    ("linear", "subtract", "hold", "current", "-0.25"),
]


@pytest.fixture
def both(monkeypatch):
    """Run a network by the loops of the CPU and then by those of a GPU; gives record and gradients of each."""
    from neuro.dynamics.gpu import OnGpu

    def run(network, x, **options):
        found = []
        for loops, device in ((Spiking, torch.device("cpu")), (OnGpu, DEVICE)):
            monkeypatch.setattr("neuro.nn.network.loops_for", lambda *_, loops=loops: loops)
            network._by_device.clear()
            network.to(device).zero_grad()
            moved = {name: values.to(device) for name, values in x.items()}
            found.append(_run(network, moved, **options))
        network.to("cpu")
        return found

    return run


def _run(network, x, **options):
    names = tuple(network.plan.spec.populations)
    _, record = network(x, record=names, **options)
    g, total = torch.Generator().manual_seed(3), 0
    for values in (*record.spikes.values(), *record.v.values(), *record.rates.values()):
        total = total + (values * torch.rand(values.shape, generator=g).to(values.device)).sum()
    total.backward()
    return record, {name: p.grad.cpu().clone() for name, p in network.named_parameters() if p.grad is not None}


def assert_alike(found):
    (record, grads), (on_gpu, grads_on_gpu) = found
    for name in record.spikes:
        assert torch.equal(record.spikes[name], on_gpu.spikes[name].cpu())
        assert torch.equal(record.v[name], on_gpu.v[name].cpu())
        assert torch.equal(record.state.history[name], on_gpu.state.history[name].cpu())
    for group, last in record.state.neurons.items():
        for a, b in zip(last, on_gpu.state.neurons[group], strict=True):
            assert torch.equal(a, b.cpu())
    assert grads.keys() == grads_on_gpu.keys() and grads
    for name, grad in grads.items():
        assert torch.linalg.norm(grad - grads_on_gpu[name]) <= 1e-5 * torch.linalg.norm(grad), name


@pytest.mark.parametrize("model", MODELS, ids="-".join)
@pytest.mark.parametrize("detach", [True, False])
def test_neuron_models(make, events, both, model, detach):
    leak, reset, refractory, adaptation, floor = model
    overrides = [f"neuron.leak={leak}", f"neuron.reset={reset}", f"neuron.refractory={refractory}"]
    overrides += [f"neuron.adaptation={adaptation}", f"neuron.floor={floor}"]
    more = {"decay_mem": 0.75} if leak == "exponential" else {"leak": 0.125}
    more |= {} if adaptation == "none" else {"adaptation": {"strength": 0.25, "decay": 0.5}}
    more |= {} if reset == "subtract" else {"refractory_s": 0.002}
    populations = {"hidden": {"size": 6, **more}, "out": {"size": 4, **more}}
    network = make("generic", overrides, populations=populations, detach_reset=detach)
    found = both(network, events(network, steps=10, batch=3))
    assert found[0][0].spikes["hidden"].sum() > 5
    assert_alike(found)


@pytest.mark.parametrize("name", ["dynapse1", "dynapse2", "loihi", "xylo-audio2"])
@pytest.mark.parametrize("seed", [0, 1])
def test_random_networks(both, name, seed):
    rng = np.random.default_rng([seed, len(name)])
    network = random_network(rng, name)
    assert_alike(both(network, random_events(rng, network, steps=8, batch=2)))


def test_entries_with_sources_of_their_own(make, events, both):
    dense = make("generic", ("slots=4",), populations={"hidden": {"size": 9}, "out": {"size": 4}})
    network = neuro.Network(dense.plan, seed=0, storage="slots", reserve=2)
    assert_alike(both(network, events(network, steps=8)))


def test_membranes_of_the_last_step(make, events, both):
    network = make("dynapse1")
    assert_alike(both(network, events(network, steps=9, batch=5), membranes="last"))


def test_truncated_gradients(make, events, both):
    network = make("dynapse2", delay_lines=(0, 3))
    assert_alike(both(network, events(network, steps=11), truncate_steps=4))


def test_constants_that_learn(make, events, both):
    populations = {
        "hidden": {"size": 8, "tau_mem_s": 0.01, "tau_syn_s": {"fast": 0.005, "slow": 0.02}, "refractory_s": 0.002},
        "out": {"size": 4, "tau_mem_s": 0.02, "tau_syn_s": 0.004},
    }
    network = make("dynapse2", populations=populations, trainable=("tau_mem", "tau_syn", "threshold"))
    found = both(network, events(network, steps=10))
    assert found[0][1]["constants.latent"].abs().min() > 0
    assert_alike(found)


def test_loops_are_tried_before_they_are_used(monkeypatch):
    from neuro.dynamics import gpu

    model = NeuronModel("exponential", "subtract", "integrate", False, "threshold")
    assert gpu.proven.__wrapped__(DEVICE, model)
    wrong = model.__class__("exponential", "to_value", "integrate", False, "threshold")
    monkeypatch.setattr(gpu, "step", lambda _, *rest: neuro.dynamics.step(wrong, *rest))
    with pytest.warns(RuntimeWarning, match="gave other spikes than the reference"):
        assert not gpu.proven.__wrapped__(DEVICE, model)


COMPILE = """
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from neuro.dynamics import gpu, gpu_steps

def compiled(kernel, constants, **kinds):
    names = [p.name for p in kernel.params]
    kinds = {n: "constexpr" if n in constants else kinds.get(n, "*fp32") for n in names}
    numbers = {(names.index(n),): value for n, value in constants.items()}
    source = ASTSource(fn=kernel, signature=kinds, constexprs=numbers)
    return triton.compile(source, target=GPUTarget("cuda", 90, 32), options=gpu.EXACT).asm

whole = dict.fromkeys(("own", "neurons", "batch", "steps", "apart", "rows", "entries"), "i32")
whole |= dict.fromkeys(("start", "offset", "resting", "refractory", "begin", "towards"), "*i32")
whole |= {"spoken": "*u8", "busy_kept": "*i8"}
block = {"NEURONS": gpu.NEURONS, "SAMPLES": gpu.SAMPLES}
on = dict.fromkeys(("TO_VALUE", "HOLDS", "HAS_FLOOR", "RESTS", "TUNES"), 1)
for leak in range(5):
    for adaptation in range(3):
        flags = {"KIND": leak, "ADAPTATION": adaptation, "CURRENTS": 2, **on, **block}
        text = compiled(gpu_steps.forward_step, {**flags, "KEEPS": 1, "SHOWS": 1}, **whole)["ptx"]
        text = text.replace("cvt.rmi.ftz", "")  # rounding down: of multiples of a power of two, never subnormal
        assert "add.rn.f32" in text and "fma" not in text and "ftz" not in text, (leak, adaptation)
    back = {**flags, "DETACHED": 0, "SHAPE": leak, "FROM_Z": 1, "FROM_V": 1}
    assert "cubin" in compiled(gpu_steps.backward_step, back, width="fp32", scale="fp32", **whole)
assert "cubin" in compiled(gpu_steps.entry_gradients, {"ENTRIES": gpu.ENTRIES, "SAMPLES": gpu.SAMPLES}, **whole)
gpu.EXACT["enable_fp_fusion"] = True
assert "fma" in compiled(gpu_steps.forward_step, {**flags, "KEEPS": 1, "SHOWS": 1}, **whole)["ptx"]
print("compiled")
"""


def test_a_card_rounds_after_every_operation():
    environment = {k: v for k, v in os.environ.items() if k != "TRITON_INTERPRET"}
    said = subprocess.run([sys.executable, "-c", COMPILE], env=environment, capture_output=True, text=True, timeout=300)
    assert said.stdout == "compiled\n", said.stderr


def test_input_elsewhere_is_refused(make):
    with pytest.raises(DataError, match=r"input x is on meta, the network on cpu; use x.to\(network.device\)"):
        make("generic")._refuse_other_device({"x": torch.zeros(1, device="meta")}, None)


def test_loops_that_do_not_run_are_told_of_once_and_tensors_serve(monkeypatch):
    from neuro.dynamics import gpu

    def broken(*_):
        raise RuntimeError("Failed to find C compiler")

    monkeypatch.setattr(gpu, "_gives_the_same", broken)
    with pytest.warns(RuntimeWarning, match="did not run .Failed to find C compiler. on cpu: tensors serve"):
        assert not gpu.proven.__wrapped__(DEVICE, NeuronModel())
