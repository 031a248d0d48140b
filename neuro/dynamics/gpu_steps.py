"""One time step of all neurons on a graphics card, forward and back, in Triton: `neuro.dynamics.step`, bit for bit.

A program takes a block of neurons in a block of samples. Arrays have the samples side by side, [.., N, B]. Who spoke are
numbers [H + T, S, B] of S source rows: input channels first, then the neurons. Sums of words are exact, so their order
does not matter; what follows them is done in the order of the reference, and nothing may be fused: kernels are launched
with `enable_fp_fusion=False`.
"""

from __future__ import annotations

import triton
import triton.language as tl

from neuro.dynamics import adjoint, flat

LEAK, THETA, V_RESET, FLOOR = (tl.constexpr(row) for row in (flat.LEAK, flat.THETA, flat.V_RESET, flat.FLOOR))
BIAS, BETA, DECAY_A = (tl.constexpr(row) for row in (flat.BIAS, flat.BETA, flat.DECAY_A))
UNIT, PER_UNIT, DECAY_SYN = (tl.constexpr(row) for row in (flat.UNIT, flat.PER_UNIT, flat.DECAY_SYN))
V, A, SYN = (tl.constexpr(row) for row in (flat.V, flat.A, flat.SYN))
EXPONENTIAL, LINEAR = tl.constexpr(flat.EXPONENTIAL), tl.constexpr(flat.LINEAR)
LINEAR_TO_ZERO, FRACTION = tl.constexpr(flat.LINEAR_TO_ZERO), tl.constexpr(flat.FRACTION)
NO_ADAPTATION, CURRENT = tl.constexpr(flat.NO_ADAPTATION), tl.constexpr(flat.CURRENT)
THRESHOLD = tl.constexpr(flat.THRESHOLD)
FAST_SIGMOID, TRIANGLE = tl.constexpr(adjoint.FAST_SIGMOID), tl.constexpr(adjoint.TRIANGLE)
ARCTAN, SIGMOID = tl.constexpr(adjoint.ARCTAN), tl.constexpr(adjoint.SIGMOID)
HALF_PI = tl.constexpr(1.5707963267948966)


@triton.jit
def constant(constants, row, n, neurons):
    """A constant of a block of neurons, beside their samples."""
    return tl.load(constants + row * neurons + n, n < neurons, 1.0)[:, None]


@triton.jit
def whole_left(x, decay, unit, per_unit, KIND: tl.constexpr):
    """What a step leaves of whole numbers of units: `fraction_left` or `shift_left_over` of `neuro.dynamics.step`."""
    if KIND == FRACTION:
        share = x.to(tl.float64) * decay.to(tl.float64) * per_unit.to(tl.float64)
        left = tl.where(share > 0, tl.floor(share), tl.ceil(share)).to(tl.float32) * unit
    else:
        part = tl.floor(x * ((1.0 - decay) * per_unit))
        part = tl.where(x > 0, tl.where(part > 1.0, part, 1.0), part)
        left = x - part * unit
    return left


@triton.jit
def leaked(v, constants, n, neurons, KIND: tl.constexpr):
    """leak(v)."""
    amount = constant(constants, LEAK, n, neurons)
    if KIND == EXPONENTIAL:
        left = v * amount
    elif KIND == LINEAR:
        left = v - amount
    elif KIND == LINEAR_TO_ZERO:
        size = tl.abs(v) - amount
        size = tl.where(size > 0, size, 0.0)
        left = tl.where(v > 0, size, -size)
    else:
        unit, per_unit = constant(constants, UNIT, n, neurons), constant(constants, PER_UNIT, n, neurons)
        left = whole_left(v, amount, unit, per_unit, KIND)
    return left


@triton.jit
def heard(spoken, b, batch, first, last, offset, weight, inside):
    """Sum the words first … last − 1 of each neuron: weight · what its source says; spoken: this step's row of sources."""
    total = tl.zeros(inside.shape, tl.float32)
    for k in range(0, tl.max(last - first, 0)):
        there = first + k < last
        word = tl.load(weight + first + k, there, 0.0)[:, None]
        place = tl.load(offset + first + k, there, 0).to(tl.int64)[:, None]
        total += word * tl.load(spoken + place * batch + b[None, :], there[:, None] & inside, 0).to(tl.float32)
    return total


@triton.jit(do_not_specialize=["own"])
def forward_step(
    spoken,
    own,
    start,
    offset,
    weight,
    constants,
    resting,
    state,
    refractory,
    u_kept,
    v_kept,
    a_kept,
    busy_kept,
    i_kept,
    neurons,
    batch,
    KIND: tl.constexpr,
    TO_VALUE: tl.constexpr,
    HOLDS: tl.constexpr,
    HAS_FLOOR: tl.constexpr,
    ADAPTATION: tl.constexpr,
    RESTS: tl.constexpr,
    CURRENTS: tl.constexpr,
    KEEPS: tl.constexpr,
    SHOWS: tl.constexpr,
    TUNES: tl.constexpr,
    NEURONS: tl.constexpr,
    SAMPLES: tl.constexpr,
):
    """Advance state [2 + C, N, B] and refractory [N, B]; write who fires to spoken [S, B], from row `own` on.

    start [C · N + 1], offset and weight: the words of each current and neuron; offset: of its source's row from this step's
    rows, `delay` steps back. constants [9 + C, N], resting [N]. u, a, busy and i (currents before) are kept for the way
    back where KEEPS (i where TUNES), v after the step where SHOWS.
    """
    n = tl.program_id(0) * NEURONS + tl.arange(0, NEURONS)
    b = tl.program_id(1) * SAMPLES + tl.arange(0, SAMPLES)
    inside = (n < neurons)[:, None] & (b < batch)[None, :]
    place, size = n[:, None] * batch + b[None, :], tl.zeros((), tl.int64) + neurons * batch
    u = leaked(tl.load(state + V * size + place, inside, 0.0), constants, n, neurons, KIND)
    for c in tl.static_range(CURRENTS):
        first = tl.load(start + c * neurons + n, n < neurons, 0)
        last = tl.load(start + c * neurons + n + 1, n < neurons, 0)
        total = heard(spoken, b, batch, first, last, offset, weight, inside)
        old = tl.load(state + (SYN + c) * size + place, inside, 0.0)
        if TUNES:
            tl.store(i_kept + c * size + place, old, inside)
        decay = constant(constants, DECAY_SYN + c, n, neurons)
        if KIND >= FRACTION:
            unit, per_unit = constant(constants, UNIT, n, neurons), constant(constants, PER_UNIT, n, neurons)
            current = whole_left(old, decay, unit, per_unit, KIND) + total
        else:
            current = old * decay + total
        tl.store(state + (SYN + c) * size + place, current, inside)
        u += current
    u += constant(constants, BIAS, n, neurons)
    theta = constant(constants, THETA, n, neurons)
    limit = theta
    if ADAPTATION != NO_ADAPTATION:
        a = tl.load(state + A * size + place, inside, 0.0)
        scaled = constant(constants, BETA, n, neurons) * a
        if ADAPTATION == CURRENT:
            u -= scaled
        else:
            limit = theta + scaled
            if KEEPS:
                tl.store(a_kept + place, a, inside)
    if HAS_FLOOR:
        floor = constant(constants, FLOOR, n, neurons)
        u = tl.where(u > floor, u, floor)
    if KEEPS:
        tl.store(u_kept + place, u, inside)
    value = constant(constants, V_RESET, n, neurons)
    fires = u >= limit
    if RESTS:
        left = tl.load(refractory + place, inside, 0)
        if KEEPS:
            tl.store(busy_kept + place, (left != 0).to(tl.int8), inside)
        fires = fires & (left == 0)
    v = tl.where(fires, value, u) if TO_VALUE else tl.where(fires, u - theta, u)
    if RESTS:
        if HOLDS:
            v = tl.where(left == 0, v, value)
        pause = tl.load(resting + n, n < neurons, 0)[:, None]
        less = tl.where(left > 1, left - 1, 0)
        tl.store(refractory + place, tl.where(fires, pause, less), inside)
    tl.store(state + V * size + place, v, inside)
    if SHOWS:
        tl.store(v_kept + place, v, inside)
    if ADAPTATION != NO_ADAPTATION:
        decayed = constant(constants, DECAY_A, n, neurons) * a
        tl.store(state + A * size + place, decayed + fires.to(tl.float32), inside)
    tl.store(spoken + (own + n)[:, None] * batch + b[None, :], fires.to(tl.int8), inside)


@triton.jit
def pseudo_derivative(x, SHAPE: tl.constexpr):
    """The shapes of `neuro.dynamics.surrogate`."""
    if SHAPE == FAST_SIGMOID:
        wide = tl.abs(x) + 1.0
        y = 1.0 / (wide * wide)
    elif SHAPE == TRIANGLE:
        y = 1.0 - tl.abs(x)
        y = tl.where(y > 0, y, 0.0)
    elif SHAPE == ARCTAN:
        wide = x * HALF_PI
        y = 1.0 / (wide * wide + 1.0)
    elif SHAPE == SIGMOID:
        s = 1.0 / (1.0 + tl.exp(-x))
        y = 4.0 * s * (1.0 - s)
    else:
        y = tl.where(tl.abs(x) < 1.0, 1.0, 0.0)
    return y


@triton.jit
def backward_step(
    grad,
    begin,
    towards,
    worth,
    constants,
    to_z,
    to_v,
    u_kept,
    v_before,
    a_kept,
    busy_kept,
    i_kept,
    carried,
    tuned,
    width,
    scale,
    neurons,
    batch,
    KIND: tl.constexpr,
    TO_VALUE: tl.constexpr,
    HOLDS: tl.constexpr,
    HAS_FLOOR: tl.constexpr,
    ADAPTATION: tl.constexpr,
    RESTS: tl.constexpr,
    DETACHED: tl.constexpr,
    SHAPE: tl.constexpr,
    CURRENTS: tl.constexpr,
    FROM_Z: tl.constexpr,
    FROM_V: tl.constexpr,
    TUNES: tl.constexpr,
    NEURONS: tl.constexpr,
    SAMPLES: tl.constexpr,
):
    """Write dL/dc of this step to grad [C, N, B], those of later steps standing behind it; advance carried backwards.

    begin [N + 1], towards and worth: where the spikes of each neuron go, (delay · C + current) · N + target. to_z, to_v
    [N, B]: gradients of this step's spikes and membranes. carried [2 + C, N, B]: of the state after this step, then
    before it. tuned [2 + C, N, B]: dL/d leak, dL/dθ, dL/d decay of each current are added to it where constants learn.
    """
    n = tl.program_id(0) * NEURONS + tl.arange(0, NEURONS)
    b = tl.program_id(1) * SAMPLES + tl.arange(0, SAMPLES)
    inside = (n < neurons)[:, None] & (b < batch)[None, :]
    place, size = n[:, None] * batch + b[None, :], tl.zeros((), tl.int64) + neurons * batch
    first, last = tl.load(begin + n, n < neurons, 0), tl.load(begin + n + 1, n < neurons, 0)
    of_z = heard(grad, b, batch, first, last, towards, worth, inside)
    if FROM_Z:
        of_z += tl.load(to_z + place, inside, 0.0)
    of_v = tl.load(carried + V * size + place, inside, 0.0)
    if FROM_V:
        of_v += tl.load(to_v + place, inside, 0.0)
    theta, value = constant(constants, THETA, n, neurons), constant(constants, V_RESET, n, neurons)
    u = tl.load(u_kept + place, inside, 0.0)
    limit = theta
    if ADAPTATION != NO_ADAPTATION:
        of_a, beta = tl.load(carried + A * size + place, inside, 0.0), constant(constants, BETA, n, neurons)
        of_z += of_a
        if ADAPTATION == THRESHOLD:
            limit = theta + beta * tl.load(a_kept + place, inside, 0.0)
    distance = (u - limit) / theta
    psi = scale * pseudo_derivative(distance / width, SHAPE) / theta
    fired = u >= limit
    if not DETACHED:
        jump = of_v * (value - u) if TO_VALUE else -of_v * theta
    if RESTS:
        rests = tl.load(busy_kept + place, inside, 0) != 0
        psi = tl.where(rests, 0.0, psi)
        fired = fired & (rests == 0)
        if HOLDS:
            of_v = tl.where(rests, 0.0, of_v)
            if not DETACHED:
                jump = tl.where(rests, 0.0, jump)
    if not DETACHED:
        of_z += jump
    if TO_VALUE:
        of_v = tl.where(fired, 0.0, of_v)
    of_z *= psi
    if TUNES:
        of_theta = tl.load(tuned + size + place, inside, 0.0) - of_z
        if not TO_VALUE:
            of_theta -= tl.where(fired, of_v, 0.0)
        tl.store(tuned + size + place, of_theta, inside)
    of_v += of_z
    if HAS_FLOOR:
        of_v = tl.where(u > constant(constants, FLOOR, n, neurons), of_v, 0.0)
    for c in tl.static_range(CURRENTS):
        of_i = tl.load(carried + (SYN + c) * size + place, inside, 0.0)
        of_i = of_i * constant(constants, DECAY_SYN + c, n, neurons) + of_v
        tl.store(carried + (SYN + c) * size + place, of_i, inside)
        tl.store(grad + c * size + place, of_i, inside)
        if TUNES:
            before = tl.load(i_kept + c * size + place, inside, 0.0)
            total = tl.load(tuned + (2 + c) * size + place, inside, 0.0)
            tl.store(tuned + (2 + c) * size + place, total + of_i * before, inside)
    if TUNES and KIND == EXPONENTIAL:
        before = tl.load(v_before + place, inside, 0.0)
        total = tl.load(tuned + place, inside, 0.0)
        tl.store(tuned + place, total + of_v * before, inside)
    if ADAPTATION != NO_ADAPTATION:
        through = of_z
        if ADAPTATION == CURRENT:
            through = of_v
        of_a = of_a * constant(constants, DECAY_A, n, neurons) - beta * through
        tl.store(carried + A * size + place, of_a, inside)
    if KIND == LINEAR_TO_ZERO:
        before = tl.load(v_before + place, inside, 0.0)
        of_v = tl.where(tl.abs(before) > constant(constants, LEAK, n, neurons), of_v, 0.0)
    elif KIND != LINEAR:
        of_v *= constant(constants, LEAK, n, neurons)
    tl.store(carried + V * size + place, of_v, inside)


@triton.jit
def entry_gradients(
    grad,
    spoken,
    offset,
    out,
    steps,
    apart,
    rows,
    entries,
    batch,
    ENTRIES: tl.constexpr,
    SAMPLES: tl.constexpr,
):
    """Write to out [n, E] the sums over steps and samples of dL/dc times what each entry's source said.

    grad: this current and population, steps `apart` numbers from one another; spoken [.., rows, B] from step 0 on;
    offset [n, E]: of each entry's source from a step's rows.
    """
    n = tl.program_id(0)
    e = tl.program_id(1) * ENTRIES + tl.arange(0, ENTRIES)
    there = e < entries
    place = tl.load(offset + n * entries + e, there, 0).to(tl.int64)[:, None]
    total = tl.zeros((ENTRIES, SAMPLES), tl.float32)
    for _ in range(0, steps):
        for begun in range(0, batch, SAMPLES):
            b = begun + tl.arange(0, SAMPLES)
            worth = tl.load(grad + n * batch + b, b < batch, 0.0)[None, :]
            said = tl.load(spoken + place * batch + b[None, :], there[:, None] & (b < batch)[None, :], 0)
            total += worth * said.to(tl.float32)
        grad += apart
        spoken += rows * batch
    tl.store(out + n * entries + e, tl.sum(total, 1), there)
