"""A slow network: plain loops over a plan and the codes a network holds, by the equations; shares no code with `nn`."""

import math

import numpy as np

F = np.float32


def weights(network, population):
    """Decode a population's codes by hand: float64 [N, M, C, D], every entry a multiple of its core's grid."""
    plan, memory = network.plan, network.memories[population]
    code, spec = memory.code.numpy().astype(np.int64), plan.chip.weights
    if spec.kind == "float":
        return network.latents[population].detach().numpy().astype(np.float64)
    cores = [plan.cores.index((int(c), int(k))) for c, k, _ in plan.locations[population]]
    bases = network.bases.units.numpy() * np.exp2(network.bases.exponents.numpy().astype(np.float64))[:, None]
    if spec.kind == "counts":
        names = [t.name for t in plan.types if t.name in [b.name for b in spec.bases]]
        out = np.zeros((code.shape[0], code.shape[1], len(plan.currents), len(plan.spec.delay_lines)))
        for k, name in enumerate(names):
            entry = next(c for c in plan.chip.currents if name in (*c.types, *c.shunting))
            sign = next(t.sign for t in plan.types if t.name == name)
            base = bases[cores, k][:, None, None]
            out[:, :, plan.currents.index(entry.name)] += sign * base * code[:, :, k].reshape(out[:, :, 0].shape)
        return out
    if spec.kind == "masks":
        bits = sum(((abs(code) >> b) & 1) * bases[cores, b][:, None, None, None] for b in range(len(spec.bases)))
        return np.sign(code) * bits
    if spec.kind == "crossbar":
        exponents = network.bases.exponents.numpy().astype(np.float64)[cores]
        values = memory.values.numpy() * np.exp2(exponents)[:, None]
        closed = np.take_along_axis(values, np.maximum(code[:, :, 0, 0] - 1, 0), 1)
        return np.where(code > 0, closed[:, :, None, None], 0.0)
    levels = sorted(spec.levels)
    table = np.array([0.0, *levels, *(-x for x in levels)])
    grid = np.exp2(network.bases.exponents.numpy().astype(np.float64))[cores][:, None, None, None]
    return np.round(table[code + 1] * bases[cores, 0][:, None, None, None] / grid) * grid


def simulate(network, x):
    """Run x {input: [T, B, n]} and give spikes and membranes {population: float32 [T, B, n]}, one step at a time."""
    plan = network.plan
    spec, chip = plan.spec, plan.chip.neuron
    steps, batch, _ = next(iter(x.values())).shape
    spikes = {name: np.zeros((steps, batch, p.size), F) for name, p in spec.populations.items()}
    v = {name: np.zeros((steps, batch, p.size), F) for name, p in spec.populations.items()}
    signals = {name: np.asarray(s) for name, s in x.items()} | spikes
    held = {name: weights(network, name) for name in spec.populations}
    states = {n: _zero(batch, p.size, len(plan.currents)) for n, p in spec.populations.items()}
    for t in range(steps):
        for name, population in spec.populations.items():
            drive = _drive(plan, name, held[name], signals, t, batch)
            constants = _constants(population, spec.dt_s, plan, chip)
            if chip.constant_bits:
                core = plan.cores.index(tuple(int(x) for x in plan.locations[name][0][:2]))
                in_units = _in_whole if chip.decay_bits else _in_units
                unit = 2.0 ** int(network.bases.exponents[core])
                constants = in_units(population, constants, spec.dt_s, unit, plan.chip)
            z, membrane = _step(chip, constants, states[name], drive)
            spikes[name][t], v[name][t] = z, membrane
    return spikes, v


def _zero(batch, size, currents):
    flat = np.zeros((batch, size), F)
    return {"v": flat, "i": np.zeros((currents, batch, size), F), "a": flat.copy(), "r": np.zeros((batch, size), int)}


def _drive(plan, target, weight, signals, t, batch):
    """c_k = Σ weight · s[t − d], exact in float64 and rounded once (to what is a float32 already)."""
    spec = plan.spec
    total = np.zeros((len(plan.currents), batch, weight.shape[0]))
    column = 0
    sources = {p.source for p in spec.projections if p.target == target}
    for source in (*spec.inputs, *spec.populations):
        if source not in sources:
            continue
        size = spec.inputs[source] if source in spec.inputs else spec.populations[source].size
        for line, extra in enumerate(spec.delay_lines):
            splits = source in plan.fanouts and len(plan.fanouts[source].axons) > 0
            sent = t - extra - (0 if source in spec.inputs else spec.populations[source].route_delay + splits)
            if sent >= 0:
                for c in range(len(plan.currents)):
                    part = weight[:, column : column + size, c, line]
                    total[c] += signals[source][sent].astype(np.float64) @ part.T
        column += size
    return total.astype(F)


def _constants(population, dt_s, plan, chip):
    def decay(exact, tau):
        return F(exact) if exact is not None else F(math.exp(-dt_s / tau))

    def named(given):
        return given if isinstance(given, dict) else {plan.chip.currents[0].name: given}

    given = population.decay_syn if population.decay_syn is not None else population.tau_syn_s
    exact = population.decay_syn is not None
    syn = {c: F(x) if exact else decay(None, x) for c, x in named(given).items()}
    a = population.adaptation
    return {
        "leak": decay(population.decay_mem, population.tau_mem_s) if population.leak is None else F(population.leak),
        "syn": [syn.get(c, F(0)) for c in plan.currents],
        "theta": F(population.threshold),
        "v_reset": F(population.v_reset),
        "floor": None if chip.floor is None else F(chip.floor),
        "bias": F(population.bias),
        "beta": F(a.strength) if a else F(0),
        "decay_a": decay(a.decay, a.tau_s) if a else F(0),
        "steps": round(population.refractory_s / dt_s),
    }


def _in_units(population, k, dt_s, unit, chip):
    """Whole numbers of weight units; a time constant is what an exponential membrane loses at half its threshold."""
    leak = population.leak
    if leak is None:
        leak = population.threshold / 2 * (1 - math.exp(-dt_s / population.tau_mem_s))
    whole = {"leak": leak - population.bias, "theta": population.threshold, "v_reset": population.v_reset, "bias": 0.0}
    if chip.neuron.leak == "linear_to_zero":
        whole["leak"] = leak
    gone = {"syn": [F(0) for _ in k["syn"]], "steps": 0}
    return k | {name: F(round(value / unit) * unit) for name, value in whole.items()} | gone


def _in_whole(population, k, dt_s, unit, chip):
    """Whole numbers of weight units; decays as the n of n / 2^bits, or of x − (x >> n), never 0 for currents heard."""
    steps = chip.neuron.constant_steps
    constants = {"theta": ("threshold", population.threshold), "v_reset": ("v_reset", population.v_reset)}
    constants["bias"] = ("bias", population.bias)
    whole = {}
    for key, (name, value) in constants.items():
        step = steps.get(name, 1)
        whole[key] = F(round(value / unit / step) * step * unit)
    bits = chip.neuron.decay_bits

    def number(decay):
        if chip.neuron.leak == "fraction":
            return max(1, round(float(decay) * 2**bits))
        return max(0, round(math.log2(-1 / math.log(float(decay))))) if decay else 0

    rests = {} if chip.neuron.refractory != "none" else {"steps": 0}
    return k | whole | rests | {"unit": unit, "syn": [number(d) for d in k["syn"]], "leak": number(k["leak"])}


def _left(chip, x, n, unit):
    """What integers leave: |x| · n / 2^bits without its fraction, or x − (x >> n), at least 1 less where x > 0."""
    units = np.rint(x.astype(np.float64) / unit).astype(np.int64)
    if chip.leak == "fraction":
        left = np.sign(units) * ((np.abs(units) * n) >> chip.decay_bits)
    else:
        gone = units >> n
        left = units - np.where((gone == 0) & (units != 0), 1, gone)
    return (left * unit).astype(F)


def _step(chip, k, state, drive):
    """One step of the equations in float32, every product and every sum rounded."""
    whole = chip.leak in ("fraction", "shift")
    fade = (lambda x, n: _left(chip, x, n, k["unit"])) if whole else lambda x, d: F(d) * x
    state["i"] = np.stack([fade(i, d) + c for d, i, c in zip(k["syn"], state["i"], drive, strict=True)])
    v, a, ready = state["v"], state["a"], state["r"] == 0
    if whole:
        u = fade(v, k["leak"])
    elif chip.leak == "exponential":
        u = k["leak"] * v
    elif chip.leak == "linear":
        u = v - k["leak"]
    else:
        u = np.sign(v) * np.maximum(np.abs(v) - k["leak"], F(0))
    for current in state["i"]:
        u = u + current
    u = u + k["bias"]
    if chip.adaptation == "current":
        u = u - k["beta"] * a
    if k["floor"] is not None:
        u = np.maximum(u, k["floor"])
    theta = k["theta"] + k["beta"] * a if chip.adaptation == "threshold" else k["theta"]
    z = ((u >= theta) & ready).astype(F)
    v = np.where(z > 0, u - k["theta"] if chip.reset == "subtract" else k["v_reset"], u)
    if chip.refractory == "hold":
        v = np.where(ready, v, k["v_reset"])
    state["v"] = v.astype(F)
    state["a"] = k["decay_a"] * a + z
    state["r"] = np.where(z > 0, k["steps"], np.maximum(state["r"] - 1, 0))
    assert u.dtype == F and state["a"].dtype == F and state["i"].dtype == F
    return z, state["v"]
