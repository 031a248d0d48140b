"""How much faster than real time a configuration is replayed: neuro against Brian2, steps of 1 ms.

stream: 1,024 recurrent neurons of 64 words, 256 input channels, one sample, exported to tables; Brian2 gets the same words,
events and equations, in its C++ standalone mode (compilation left out) and its Cython mode. many: the same network, 256
samples side by side. mesh: 230,400 neurons of 64 words, as many as 15 x 15 chips of four cores hold, laid out by hand.
brainevent and Rockpool's DynapSim (under jit, in the Python that NEURO_PEERS names) run random networks of the same size.
Each contender in a process of its own; the time is that of running, after a first run of a few steps.

Goals of `stream`: 1,200 times real time, 5.5 times Brian2's C++ mode, 20 times its Cython mode. A step of 0.83 us leaves
3,000 cycles for 64 vectors of neurons and 27 events of 51 words; see README.md for where they go. Words of a single size,
as here, are delivered as rows of half bytes; networks of other words take some 1.7 times as long.

    python benchmarks/replay.py [--rows stream many mesh] [--repeats 5]
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from machine import circumstances, save
from scipy.sparse import csr_array

import neuro
from neuro.dynamics import NeuronModel, ParameterSet, State, stack
from neuro.emulator import Emulator
from neuro.emulator.by_events import ByEvents
from neuro.emulator.wiring import Wiring
from neuro.task import NetworkSpec

WORDS, INPUTS, NEURONS, BOARD = 64, 256, 1024, 230_400
STEPS = {"stream": 20_000, "many": 200, "mesh": 200}
SAMPLES = {"stream": 1, "many": 256, "mesh": 1}
INPUT_RATE = {"stream": 0.02, "many": 0.02, "mesh": 0.0055}
GAIN, TAU_MEM_S, TAU_SYN_S, REFRACTORY_S = 0.278, 0.02, 0.005, 2e-3


def tables():
    """Export a random network on no chip in particular: current-based neurons, reset to 0, refractory for 2 ms."""
    neurons = {"tau_mem_s": TAU_MEM_S, "tau_syn_s": TAU_SYN_S, "refractory_s": REFRACTORY_S, "init_gain": GAIN}
    spec = NetworkSpec.model_validate(
        {
            "dt_s": 1e-3,
            "inputs": {"x": INPUTS},
            "populations": {"hidden": neurons | {"size": NEURONS - 10}, "out": neurons | {"size": 10}},
            "projections": (
                {"from": "x", "to": "hidden"},
                {"from": "hidden", "to": "hidden"},
                {"from": "hidden", "to": "out"},
            ),
            "outputs": {"y": {"population": "out"}},
        }
    )
    changes = [f"slots={WORDS}", "neuron.reset=to_value", "neuron.refractory=hold"]
    return neuro.export(neuro.Network(neuro.place(spec, neuro.load_chip("generic", changes))))


def events(row: str, channels: int = INPUTS) -> np.ndarray:
    g = np.random.default_rng(0)
    return g.random((STEPS[row], SAMPLES[row], channels), dtype=np.float32) < INPUT_RATE[row]


def ours(row: str):
    """Give what runs the replay and says how many seconds it took, and what says the rate in Hz."""
    emulator, x = Emulator(tables()), events(row)

    def run() -> float:
        return timed(lambda: emulator.run(x))

    def rate() -> float:
        return 1e3 * float(emulator.run(x[:2000], record=("hidden",))[1].spikes["hidden"].mean())

    run()
    return run, rate


def board(row: str):
    """Random words, three quarters of them from neurons; half of these inhibit."""
    g, channels = np.random.default_rng(0), 4096
    weights = {}
    for delay, (low, high, number) in enumerate(
        ((0, channels, WORDS // 4), (channels, channels + BOARD, WORDS - WORDS // 4))
    ):
        value = np.where(g.random(BOARD * number) < 0.5 * delay, -20.0, 20.0 if delay else 100.0)
        place = np.repeat(np.arange(BOARD), number), g.integers(low, high, BOARD * number)
        weights[delay] = csr_array((value, place), shape=(BOARD, channels + BOARD))
    leak, decay = (float(np.float32(np.exp(-1e-3 / tau))) for tau in (TAU_MEM_S, TAU_SYN_S))
    constants = stack([ParameterSet(leak, (decay,), theta=1.0, refractory_steps=2)], [BOARD])
    model = NeuronModel("exponential", "to_value", "hold")
    network = ByEvents(Wiring(model, constants, weights, np.full(BOARD, 2.0**-10), 1, channels))
    x, start = events(row, channels), (State.zero(1, BOARD, 1), np.zeros((0, channels + BOARD, 1)))

    def run() -> float:
        return timed(lambda: network.advance(x, *start, [], []))

    def rate() -> float:
        return 1e3 * float(network.advance(x, *start, [slice(0, BOARD)], [])[0][0].mean())

    run()
    return run, rate


def brian(row: str, standalone: bool):
    """The same words, events, time constants and thresholds in Brian2, its membrane integrated exactly."""
    import brian2 as b2

    folder, wiring, steps = tempfile.mkdtemp(), Emulator(tables()).wiring, STEPS[row]
    if standalone:
        b2.set_device("cpp_standalone", build_on_run=False, directory=folder)
    else:
        b2.prefs.codegen.target = "cython"
    b2.defaultclock.dt = 1 * b2.ms
    constants = {
        "tau_mem": TAU_MEM_S * b2.second,
        "tau_syn": TAU_SYN_S * b2.second,
        "step": 1 * b2.ms,
        "theta": float(wiring.constants.theta[0]),
    }
    equations = "dv/dt = x / step - v / tau_mem : 1 (unless refractory)\ndx/dt = -x / tau_syn : 1"
    rests = {"refractory": REFRACTORY_S * b2.second}
    group = b2.NeuronGroup(
        NEURONS, equations, threshold="v >= theta", reset="v = 0", method="exact", namespace=constants, **rests
    )
    t, _, channel = np.nonzero(events(row))
    inputs = b2.SpikeGeneratorGroup(INPUTS, channel, t * b2.ms)
    parts = [group, inputs, b2.SpikeMonitor(group, record=False)]
    for delay, origin, first in ((0, inputs, 0), (1, group, INPUTS)):
        entries = wiring.weights[delay].tocoo()
        synapses = b2.Synapses(origin, group, "w : 1", on_pre="x_post += w")
        synapses.connect(i=entries.coords[1] - first, j=entries.coords[0])
        synapses.w = entries.data * wiring.grid[entries.coords[0]]
        parts.append(synapses)
    network = b2.Network(parts)
    if not standalone:
        network.store()
    network.run(steps * b2.ms)
    if standalone:
        b2.device.build(directory=folder, compile=True, run=False)

    def run() -> float:
        if not standalone:
            network.restore()
            return timed(lambda: network.run(steps * b2.ms))
        b2.device.run(folder, with_output=False, run_args=[])
        return b2.device._last_run_time  # of the simulation itself, told by the program

    def rate() -> float:
        return float(parts[2].num_spikes) / NEURONS / (steps * 1e-3)

    return run, rate


def timed(function) -> float:
    begun = time.perf_counter()
    function()
    return time.perf_counter() - begun


PEERS = ("brainevent, 64 a neuron", "Rockpool DynapSim")
CONTENDERS = {
    "neuro": lambda row: board(row) if row == "mesh" else ours(row),
    "Brian2, C++ standalone": lambda row: brian(row, True),
    "Brian2, Cython": lambda row: brian(row, False),
}


class Peer:
    """A simulator in the Python of NEURO_PEERS: a network of its own of the same size, over a tenth of the time."""

    share = 10

    def __init__(self, name: str, row: str):
        size = {
            "neurons": NEURONS,
            "inputs": INPUTS,
            "words": WORDS,
            "steps": STEPS[row] // self.share,
            "batch": SAMPLES[row],
        }
        told = json.dumps({**size, "input_rate": INPUT_RATE[row], "forward": True, "gain": 0.38})
        command = [os.environ["NEURO_PEERS"], Path(__file__).with_name("peers.py"), "--serve", name, "--row", told]
        self.child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.child.stdout.readline()

    def ask(self, what: str) -> float:
        print("end" if what == "rate" else "step", file=self.child.stdin, flush=True)
        found = json.loads(self.child.stdout.readline())
        return 1e3 * found["rate"] if what == "rate" else self.share * found


class Process:
    """A contender in a process of its own: a run for every line."""

    def __init__(self, name: str, row: str):
        command = [sys.executable, __file__, "--serve", name, "--rows", row]
        self.child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, what: str) -> float:
        print(what, file=self.child.stdin, flush=True)
        for line in self.child.stdout:
            if line.startswith("told "):
                return json.loads(line[5:])
        raise SystemExit("a contender ended before its time")


def serve(name: str, row: str) -> None:
    run, rate = CONTENDERS[name](row)
    for line in sys.stdin:
        print("told", json.dumps(rate() if line.strip() == "rate" else run()), flush=True)


def measure(row: str, repeats: int) -> dict:
    """Time one row, contenders in turn."""
    peers = row == "stream" and importlib.util.find_spec("brian2")
    running = {name: Process(name, row) for name in list(CONTENDERS)[: None if peers else 1]}
    if row == "stream" and "NEURO_PEERS" in os.environ:
        running |= {name: Peer(name, row) for name in PEERS}
    taken = {name: [] for name in running}
    for _ in range(repeats):
        for name, process in running.items():
            taken[name].append(process.ask("run"))
    modelled, table = STEPS[row] * 1e-3 * SAMPLES[row], {}
    for name, process in running.items():
        seconds = float(np.median(taken[name]))
        table[name] = {
            **{"times_real_time": round(modelled / seconds, 2), "us_per_step": round(1e6 * seconds / STEPS[row], 3)},
            **{"rate_hz": round(process.ask("rate"), 1), "seconds": [round(s, 4) for s in sorted(taken[name])]},
        }
        process.child.stdin.close()
        print(f"{row:7}{name:24}{table[name]['times_real_time']:10.2f} x real time, {table[name]['rate_hz']} Hz")
    neurons = BOARD if row == "mesh" else NEURONS
    return {"neurons": neurons, "words": WORDS, "steps": STEPS[row], "samples": SAMPLES[row], "contenders": table}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", nargs="+", choices=STEPS, default=list(STEPS))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--serve", choices=CONTENDERS, help="be one contender (used by the script itself)")
    arguments = parser.parse_args()
    if arguments.serve:
        serve(arguments.serve, arguments.rows[0])
        return
    peers = ["brian2"] if importlib.util.find_spec("brian2") else []
    if not peers:
        print("Brian2 is not installed (pip install brian2): its rows are not run")
    facts = circumstances("numba", *peers)
    results = {row: measure(row, arguments.repeats) for row in arguments.rows}
    save("replay" if set(results) == set(STEPS) else "replay_some", {"rows": results, "circumstances": facts})


if __name__ == "__main__":
    main()
