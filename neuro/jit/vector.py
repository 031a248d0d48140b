"""Vectors of 16 floats in machine code: how compiled loops load, store, repeat and choose."""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import carray, types
from numba.core.typing.templates import Signature
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

from neuro.jit import compiled

LANES = 16
LINE = 64  # bytes that a processor's cache loads together: a vector
VECTOR = ir.VectorType(ir.FloatType(), LANES)
COUNTS = ir.VectorType(ir.IntType(32), LANES)
MASK = ir.VectorType(ir.IntType(1), LANES)
INDEX, WORD = ir.IntType(64), ir.IntType(16)
ZERO = ir.Constant(VECTOR, [0.0] * LANES)
CHAINS = 4


def lined_up(shape: tuple[int, ...], kind: np.dtype) -> np.ndarray:
    """Give an array with any content whose vectors each lie in one line: one across two lines is loaded twice."""
    count = int(np.prod(shape)) * kind.itemsize
    made = np.empty(count + LINE, np.uint8)
    first = -made.ctypes.data % LINE
    return made[first : first + count].view(kind).reshape(shape)


@compiled
def room_for(count):
    """Give as many numbers of float32 with any content, lined up."""
    made = np.empty(count + LANES, np.float32)
    first = (LINE - made.ctypes.data % LINE) % LINE // 4
    return made[first : first + count]


@intrinsic
def _pointer(typing, address):
    def code(context, b, signature, args):
        return b.inttoptr(args[0], ir.FloatType().as_pointer())

    return types.CPointer(types.float32)(types.int64), code


@compiled
def floats_at(address, count):
    """Give the float32 numbers that begin at an address; who calls must hold what they belong to."""
    return carray(_pointer(address), count)


def signed(result, *arguments) -> Signature:
    """Take arrays as they come and every number as a 64-bit integer."""
    return result(*(a if isinstance(a, types.Array) else types.int64 for a in arguments))


def pointers(context, b, signature, args) -> list:
    """Where the data of each array argument begins; None for numbers."""
    return [
        make_array(kind)(context, b, value).data if isinstance(kind, types.Array) else None
        for kind, value in zip(signature.args, args, strict=True)
    ]


def load(b, data, index):
    return b.load(b.gep(data, [index]))


def load_vector(b, data, index):
    return b.load(b.bitcast(b.gep(data, [index]), VECTOR.as_pointer()), align=4)


def store(b, data, index, vector) -> None:
    b.store(vector, b.bitcast(b.gep(data, [index]), VECTOR.as_pointer()), align=4)


def splat(b, scalar, times=LANES):
    """A number 16 times, or as often as is said."""
    nothing = ir.Constant(ir.VectorType(scalar.type, times), ir.Undefined)
    everywhere = ir.Constant(ir.VectorType(ir.IntType(32), times), [0] * times)
    return b.shuffle_vector(b.insert_element(nothing, scalar, ir.Constant(ir.IntType(32), 0)), nothing, everywhere)


def tree(b, totals):
    first, second, third, fourth = totals
    return b.fadd(b.fadd(first, second), b.fadd(third, fourth))


def loop_in_chains(b, start, end, totals, body):
    """Run body(b, e, total) -> total over e, four entries a turn with a total each, the rest with the first."""
    count = b.sub(end, start)
    whole = b.add(start, b.and_(count, INDEX(-CHAINS)))

    def turn(b, e, totals):
        return [body(b, b.add(e, INDEX(j)), total) for j, total in enumerate(totals)]

    totals = loop(b, start, whole, totals, turn, CHAINS)
    last = loop(b, whole, end, totals[:1], lambda b, e, carried: [body(b, e, carried[0])])
    return [*last, *totals[1:]]


def loop(b, start, end, carried, body, step=1):
    """Emit `for e in range(start, end, step): carried = body(b, e, carried)`; end − start a multiple of step."""
    before = b.basic_block
    head, inside, after = (b.append_basic_block(name) for name in ("head", "inside", "after"))
    b.branch(head)
    b.position_at_end(head)
    e = b.phi(INDEX)
    e.add_incoming(start, before)
    phis = []
    for value in carried:
        phi = b.phi(value.type)
        phi.add_incoming(value, before)
        phis.append(phi)
    b.cbranch(b.icmp_signed("<", e, end), inside, after)
    b.position_at_end(inside)
    results = body(b, e, phis)
    e.add_incoming(b.add(e, INDEX(step)), b.basic_block)
    for phi, result in zip(phis, results, strict=True):
        phi.add_incoming(result, b.basic_block)
    b.branch(head)
    b.position_at_end(after)
    return phis


def either(b, condition, one, other) -> list:
    """Emit `one() if condition else other()`; both give a list of values."""
    results = []
    with b.if_else(condition) as branches:
        for branch, make in zip(branches, (one, other), strict=True):
            with branch:
                results.append((make(), b.basic_block))
    phis = []
    for first, second in zip(results[0][0], results[1][0], strict=True):
        phi = b.phi(first.type)
        phi.add_incoming(first, results[0][1])
        phi.add_incoming(second, results[1][1])
        phis.append(phi)
    return phis
