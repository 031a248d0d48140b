"""Parts of the way back through a step, for some neurons of a tile: what each does to the gradients beside it.

Arrays are flat, the 16 samples of a neuron side by side: of_z, of_v, of_a, of_i are gradients of spikes, membranes,
adaptation and currents; rests says who is refractory.
"""

from __future__ import annotations

import numpy as np

from neuro.dynamics.lanes import transposed
from neuro.jit import compiled
from neuro.jit.vector import LANES, floats_at, room_for

FAST_SIGMOID, TRIANGLE, ARCTAN, SIGMOID, BOXCAR = range(5)


@compiled
def from_threshold(out, u, theta):
    for k in range(len(u)):
        out[k] = (u[k] - theta[k]) / theta[k]


@compiled
def from_moved_threshold(out, u, theta, beta, a):
    for k in range(len(u)):
        out[k] = (u[k] - (theta[k] + beta[k] * a[k])) / theta[k]


@compiled
def pseudo_derivative(psi, distance, shape, width, scale):
    """scale · shape(x / width); the shapes are those of `neuro.dynamics.surrogate`."""
    one, half_pi = np.float32(1), np.float32(np.pi / 2)
    if shape == FAST_SIGMOID:
        for k in range(len(psi)):
            x = abs(distance[k] / width) + one
            psi[k] = scale / (x * x)
    elif shape == TRIANGLE:
        for k in range(len(psi)):
            x = one - abs(distance[k] / width)
            psi[k] = scale * (x if x > 0 else np.float32(0))
    elif shape == ARCTAN:
        for k in range(len(psi)):
            x = distance[k] / width * half_pi
            psi[k] = scale / (x * x + one)
    elif shape == SIGMOID:
        for k in range(len(psi)):
            x = one / (one + np.exp(-distance[k] / width))
            psi[k] = scale * (np.float32(4) * x * (one - x))
    else:
        for k in range(len(psi)):
            psi[k] = scale if abs(distance[k] / width) < one else np.float32(0)


@compiled
def scale_slope(psi, theta):
    for k in range(len(psi)):
        psi[k] /= theta[k]


@compiled
def gather(out, least, most, populations, batch, t, first):
    """Add what populations were given at step t to neurons least … most − 1 of a tile, whose samples begin at `first`.

    populations [P, 4]: first neuron, size n, the address of values [·, B, n], and the step these begin with.
    """
    lanes, block = min(LANES, batch - first), room_for(LANES * LANES)
    for p in range(len(populations)):
        low, size, address, begin = populations[p]
        begun, ended = max(low, least), min(low + size, most)
        if t < begin or begun >= ended:
            continue
        at = ((t - begin) * batch + first) * size - low
        flat = floats_at(address, at + low + lanes * size)
        whole = begun + (ended - begun) // LANES * LANES if lanes == LANES else begun
        for k in range(begun, whole, LANES):
            transposed(block, 0, LANES, flat, at + k, size)
            here = (k - least) * LANES
            for j in range(LANES * LANES):
                out[here + j] += block[j]
        for lane in range(lanes):
            for k in range(whole, ended):
                out[(k - least) * LANES + lane] += flat[at + lane * size + k]


@compiled
def through_jump(of_z, of_v, theta, rests, holds):
    for k in range(len(of_z)):
        of_z[k] -= np.float32(0) if holds and rests[k] else of_v[k] * theta[k]


@compiled
def through_value(of_z, of_v, value, u, rests, holds):
    for k in range(len(of_z)):
        of_z[k] += np.float32(0) if holds and rests[k] else of_v[k] * (value[k] - u[k])


@compiled
def silence(values, rests):
    for k in range(len(values)):
        values[k] = np.float32(0) if rests[k] else values[k]


@compiled
def forget(of_v, distance, rests, resting):
    """No gradient through a membrane that was put to a value."""
    for k in range(len(of_v)):
        fired = distance[k] >= 0 and not (resting and rests[k])
        of_v[k] = np.float32(0) if fired else of_v[k]


@compiled
def clip(of_v, u, floor):
    for k in range(len(of_v)):
        of_v[k] = of_v[k] if u[k] > floor[k] else np.float32(0)


@compiled
def copy(values, other):
    """values[:] = other, which would be compiled with the words of an error message, for two seconds."""
    for k in range(len(values)):
        values[k] = other[k]


@compiled
def add(values, more):
    for k in range(len(values)):
        values[k] += more[k]


@compiled
def multiply(values, factor):
    for k in range(len(values)):
        values[k] *= factor[k]


@compiled
def through_current(grad, of_i, decay, of_u):
    for k in range(len(of_u)):
        of_i[k] = of_i[k] * decay[k] + of_u[k]
        grad[k] = of_i[k]


@compiled
def through_adaptation(of_a, decay, beta, through):
    for k in range(len(of_a)):
        of_a[k] = of_a[k] * decay[k] - beta[k] * through[k]


@compiled
def through_threshold(of_theta, of_z, of_v, distance, rests, resting, to_value):
    """dL/dθ: what comes through the spike with the other sign, and what a reset by θ takes away."""
    for k in range(len(of_theta)):
        fired = distance[k] >= 0 and not (resting and rests[k])
        of_theta[k] -= of_z[k] + (of_v[k] if fired and not to_value else np.float32(0))


@compiled
def add_product(total, one, other):
    for k in range(len(total)):
        total[k] += one[k] * other[k]


@compiled
def stop_near_zero(of_v, v, amount):
    for k in range(len(of_v)):
        of_v[k] = of_v[k] if abs(v[k]) > amount[k] else np.float32(0)
