"""Contenders of `speed.py` and `replay.py` in a Python of their own: SpikingJelly, jax, brainevent, and two of Rockpool.

Run by the Python that NEURO_PEERS names (torch jax numba brainevent rockpool; spikingjelly without its torchvision):

    python peers.py --serve NAME --row JSON

Each is what its documentation shows for a recurrent layer with surrogate gradients: SpikingJelly's recurrent container
with its stateful neuron stepped by hand (its fused multi-step mode has no recurrence); jax with a scan under jit, dense and
with brainevent's fixed number of connections a neuron, spikes as its binary arrays (its numba backend on a CPU); Rockpool's
modules over whole sequences, DynapSim under jit. Events in, a given gradient of every spike, gradients of all weights out;
for `replay.py` ("forward" in the row) events in, spikes out.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import logging
import resource
import sys
import time
import warnings

import numpy as np

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)  # Rockpool warns of samna, which is not needed here

THRESHOLD, DECAY_MEM, DECAY_SYN = 1.0, 0.95, 0.82


def given(row: dict) -> tuple[np.ndarray, np.ndarray]:
    """Events [T, B, inputs] at the row's rate, and the gradient of every spike [T, B, N]."""
    rng = np.random.default_rng(0)
    x = (rng.random((row["steps"], row["batch"], row["inputs"])) < row["input_rate"]).astype(np.float32)
    return x, rng.standard_normal((row["steps"], row["batch"], row["neurons"]), np.float32)


def spikingjelly_step(row: dict):
    import torch
    from spikingjelly.activation_based import functional, neuron, surrogate

    device = row.get("device", "cpu")
    x, g = (torch.from_numpy(a).to(device) for a in given(row))
    into = torch.nn.Linear(row["inputs"], row["neurons"], bias=False, device=device)
    back = torch.nn.Linear(row["neurons"], row["neurons"], bias=False, device=device)
    cell = neuron.LIFNode(tau=20.0, decay_input=False, surrogate_function=surrogate.Sigmoid(), detach_reset=True)
    with torch.no_grad():
        into.weight.mul_(4)
    rates = []

    def step():
        into.weight.grad = back.weight.grad = None
        functional.reset_net(cell)
        z, spikes = x.new_zeros(row["batch"], row["neurons"]), []
        for now in into(x).unbind(0):
            z = cell(now + back(z))
            spikes.append(z)
        y = torch.stack(spikes)
        y.backward(g)
        rates.append(float(y.detach().mean()))  # waits for a GPU, too

    return step, rates


def liftorch_step(row: dict):
    import torch
    from rockpool.nn.modules import LIFTorch

    x, g = (torch.from_numpy(a).transpose(0, 1).contiguous() for a in given(row))  # it takes [B, T, n]
    into = torch.nn.Linear(row["inputs"], row["neurons"], bias=False)
    shape, back = (row["neurons"], row["neurons"]), torch.randn(row["neurons"], row["neurons"]) * 0.01
    layer = LIFTorch(shape, tau_mem=0.02, tau_syn=0.005, has_rec=True, w_rec=back, max_spikes_per_dt=1.0, dt=1e-3)
    parameters = [into.weight, *(p for p in layer.parameters() if isinstance(p, torch.Tensor) and p.requires_grad)]
    rates = []

    def step():
        for p in parameters:
            p.grad = None
        layer.reset_state()
        y, _, _ = layer(into(x))
        y.backward(g)
        rates.append(float(y.detach().mean()))

    return step, rates


def _jax_step(row: dict, weights: tuple, drive):
    """A scan of current-based LIF neurons under jit; drive(weights, x_t, z) → currents [B, N]."""
    import jax
    import jax.numpy as jnp

    x, g = map(jnp.asarray, given(row))

    @jax.custom_jvp
    def spike(u):
        return (u >= 0).astype(jnp.float32)

    spike.defjvps(lambda t, _, u: t / (1 + jnp.abs(u)) ** 2)

    def run(weights):
        def advance(carried, now):
            v, i, z = carried
            i = DECAY_SYN * i + drive(weights, now, z)
            u = DECAY_MEM * v + i
            z = spike(u - THRESHOLD)
            return (u * (1 - jax.lax.stop_gradient(z)), i, z), z

        zero = jnp.zeros((row["batch"], row["neurons"]), jnp.float32)
        spikes = jax.lax.scan(advance, (zero, zero, zero), x)[1]
        return (spikes * g).sum(), spikes.mean()

    both = _way(row, run)
    rates = []

    def step():
        (_, rate), grads = both(weights)
        jax.block_until_ready((rate, grads))
        rates.append(float(rate))

    return step, rates


def _way(row: dict, run):
    """Compile value and gradient of a run, or for a replay the run alone."""
    import jax

    if row.get("forward"):
        return jax.jit(lambda weights: ((0.0, run(weights)[1]), ()))
    return jax.jit(jax.value_and_grad(run, has_aux=True))


def jax_step(row: dict):
    import jax.numpy as jnp

    rng, n, m = np.random.default_rng(1), row["neurons"], row["inputs"]
    into = jnp.asarray(rng.standard_normal((m, n), np.float32) * 0.5 / m**0.5)
    back = jnp.asarray(rng.standard_normal((n, n), np.float32) * 0.2 / n**0.5)
    return _jax_step(row, (into, back), lambda w, x, z: x @ w[0] + z @ w[1])


def brainevent_step(row: dict):
    import brainevent
    import jax.numpy as jnp

    rng, n, m, words = np.random.default_rng(1), row["neurons"], row["inputs"], row["words"]
    heard = jnp.asarray(np.argsort(rng.random((n, m + n)), 1)[:, :words].astype(np.int32))
    data = jnp.asarray(rng.standard_normal((n, words)).astype(np.float32) * row.get("gain", 0.5) / words**0.5)

    def drive(weight, x, z):
        spikes = brainevent.BinaryArray(jnp.concatenate([x, z], 1))
        return spikes @ brainevent.FixedNumPerPost(weight, heard, shape=(m + n, n))

    return _jax_step(row, data, drive)


def dynapsim_step(row: dict):
    import jax
    import jax.numpy as jnp
    from rockpool.devices.dynapse.simulation import DynapSim
    from rockpool.nn.combinators import Sequential
    from rockpool.nn.modules import LinearJax

    x, g = (jnp.asarray(a.transpose(1, 0, 2)) for a in given(row))
    n = row["neurons"]
    network = Sequential(
        LinearJax((row["inputs"], n), has_bias=False), DynapSim((n, n), has_rec=True, rng_key=jax.random.PRNGKey(0))
    )

    def run(parameters):
        spikes = network.set_attributes(parameters).evolve(x)[0]
        return (spikes * g).sum(), spikes.mean()

    both = _way(row, run)
    parameters, rates = network.parameters(), []

    def step():
        (_, rate), grads = both(parameters)
        jax.block_until_ready((rate, grads))
        rates.append(float(rate))

    return step, rates


CONTENDERS = {
    "SpikingJelly": spikingjelly_step,
    "jax under jit": jax_step,
    "brainevent, 64 a neuron": brainevent_step,
    "Rockpool LIFTorch": liftorch_step,
    "Rockpool DynapSim": dynapsim_step,
}
ON_GPU = ("SpikingJelly",)
PACKAGES = ("torch", "spikingjelly", "jax", "brainevent", "rockpool", "numba")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--serve", choices=CONTENDERS)
    parser.add_argument("--row", type=json.loads)
    parser.add_argument("--versions", action="store_true")
    arguments = parser.parse_args()
    if arguments.versions:
        print(json.dumps({name: importlib.metadata.version(name) for name in PACKAGES}))
        return
    begun = time.perf_counter()
    step, rates = CONTENDERS[arguments.serve](arguments.row)
    step()
    print(json.dumps({"first_s": time.perf_counter() - begun}), flush=True)
    for line in sys.stdin:
        if line.strip() == "end":
            break
        begun = time.perf_counter()
        step()
        print(json.dumps(time.perf_counter() - begun), flush=True)
    memory = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3)
    print(json.dumps({"rate": round(rates[-1], 4), "peak_mb": memory}), flush=True)


if __name__ == "__main__":
    main()
