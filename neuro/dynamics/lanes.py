"""Sums over 16 samples at once, as vector instructions: what the loops of `neuro.dynamics.spiking` spend their time in.

A tile is 16 samples side by side; its spikes of one source at one step are the bits of a 16-bit word. Each function is
one loop whose sums stay in registers, four of them in turn so that no addition waits for the one before.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.core.typing.templates import Signature
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

LANES = 16
VECTOR = ir.VectorType(ir.FloatType(), LANES)
MASK = ir.VectorType(ir.IntType(1), LANES)
INDEX, WORD = ir.IntType(64), ir.IntType(16)
ZERO = ir.Constant(VECTOR, [0.0] * LANES)
CHAINS = 4
ROW = 4  # vectors a row of `row_sum` has
FAST = ("reassoc", "contract", "nsz")


@intrinsic
def masked_sum(typing, out, at, bits, base, offset, weight, start, end):
    """out[at : at + 16] = Σ weight[e] in the lanes of bits[base − offset[e]], e from start to end; exact sums only."""

    def body(b, data, args, e, total):
        place = b.sub(args[3], b.sext(_load(b, data[4], e), INDEX))
        return b.fadd(total, b.select(_mask(b, data[2], place), _splat(b, _load(b, data[5], e)), ZERO))

    def code(context, b, signature, args):
        data = _pointers(context, b, signature, args)
        totals = _loop(b, args[6], args[7], [ZERO] * CHAINS, lambda b, e, x: body(b, data, args, e, x))
        _store(b, data[0], args[1], _tree(b, totals))
        return context.get_dummy_value()

    return _signature(types.void, out, at, bits, base, offset, weight, start, end), code


@intrinsic
def weighted_sum(typing, out, at, values, base, offset, weight, start, end):
    """out[at : at + 16] += Σ weight[e] · values[16 · (base + offset[e]) + 0 … 15], e from start to end."""

    def body(b, data, args, e, total):
        place = b.add(args[3], b.sext(_load(b, data[4], e), INDEX))
        vector = _load_vector(b, data[2], b.mul(place, INDEX(LANES)))
        return b.fadd(total, b.fmul(vector, _splat(b, _load(b, data[5], e)), FAST), FAST)

    def code(context, b, signature, args):
        data = _pointers(context, b, signature, args)
        first = [_load_vector(b, data[0], args[1])] + [ZERO] * (CHAINS - 1)
        totals = _loop(b, args[6], args[7], first, lambda b, e, x: body(b, data, args, e, x))
        _store(b, data[0], args[1], _tree(b, totals))
        return context.get_dummy_value()

    return _signature(types.void, out, at, values, base, offset, weight, start, end), code


@intrinsic
def row_sum(typing, out, at, values, place, shift, start, end):
    """out[at : at + 64] = Σ values[64 · (place[e] + shift) + 0 … 63], e from start to end."""

    def code(context, b, signature, args):
        data = _pointers(context, b, signature, args)

        def body(b, e, totals):
            row = b.mul(b.add(b.sext(_load(b, data[3], e), INDEX), args[4]), INDEX(LANES * ROW))
            return [
                b.fadd(total, _load_vector(b, data[2], b.add(row, INDEX(LANES * j))), FAST)
                for j, total in enumerate(totals)
            ]

        for j, total in enumerate(_plain_loop(b, args[5], args[6], [ZERO] * ROW, body)):
            _store(b, data[0], b.add(args[1], INDEX(LANES * j)), total)
        return context.get_dummy_value()

    return _signature(types.void, out, at, values, place, shift, start, end), code


@intrinsic
def scattered_sum(typing, values, base, place, start, end):
    """Σ values[base + place[e]], e from start to end; the order of additions is free."""

    def code(context, b, signature, args):
        data = _pointers(context, b, signature, args)

        def body(b, e, total):
            index = b.add(args[1], b.sext(_load(b, data[2], e), INDEX))
            return b.fadd(total, _load(b, data[0], index), FAST)

        return _tree(b, _loop(b, args[3], args[4], [ir.Constant(ir.FloatType(), 0.0)] * CHAINS, body))

    return _signature(types.float32, values, base, place, start, end), code


@intrinsic
def transposed(typing, out, at, apart, values, begin, between):
    """Write a block of 16 x 16 the other way: out[at + k · apart + r] = values[begin + r · between + k]."""

    def code(context, b, signature, args):
        data = _pointers(context, b, signature, args)
        places = [b.add(args[4], b.mul(args[5], INDEX(r))) for r in range(LANES)]
        rows = [_load_vector(b, data[3], place) for place in places]
        half = LANES // 2
        for _ in range(LANES.bit_length() - 1):  # rows i and i + 8 shuffled into one another, four times
            pairs = [(rows[i], rows[i + half]) for i in range(half)]
            rows = [_interleaved(b, *pair, first) for pair in pairs for first in (0, half)]
        for k, row in enumerate(rows):
            _store(b, data[0], b.add(args[1], b.mul(args[2], INDEX(k))), row)
        return context.get_dummy_value()

    return _signature(types.void, out, at, apart, values, begin, between), code


@intrinsic
def packed(typing, flags, at):
    """The 16 flags from `at` on (bytes, 0 = no) as the bits of a word."""

    def code(context, b, signature, args):
        data = _pointers(context, b, signature, args)
        bytes_type = ir.VectorType(ir.IntType(8), LANES)
        pointer = b.bitcast(b.gep(data[0], [args[1]]), bytes_type.as_pointer())
        flags = b.load(pointer, align=1)
        return b.bitcast(b.icmp_unsigned("!=", flags, ir.Constant(bytes_type, [0] * LANES)), WORD)

    return _signature(types.uint16, flags, at), code


@intrinsic
def nonzero(typing, values, at):
    """Which of the 16 values from `at` on are not 0, as the bits of a word."""

    def code(context, b, signature, args):
        data = _pointers(context, b, signature, args)
        return b.bitcast(b.fcmp_unordered("!=", _load_vector(b, data[0], args[1]), ZERO), WORD)

    return _signature(types.uint16, values, at), code


@intrinsic
def ones(typing, word):
    """How many bits of a 16-bit word are set."""

    def code(context, b, signature, args):
        return b.zext(b.ctpop(args[0]), INDEX)

    return types.int64(types.uint16), code


@intrinsic
def lowest(typing, word):
    """The place of the lowest bit set in a 16-bit word that is not 0."""

    def code(context, b, signature, args):
        return b.zext(b.cttz(args[0], ir.Constant(ir.IntType(1), 1)), INDEX)

    return types.int64(types.uint16), code


def _signature(result, *arguments) -> Signature:
    """Take arrays as they come and every number as a 64-bit integer."""
    return result(*(a if isinstance(a, types.Array) else types.int64 for a in arguments))


def _pointers(context, b, signature, args) -> list:
    """Where the data of each array argument begins; None for numbers."""
    return [
        make_array(kind)(context, b, value).data if isinstance(kind, types.Array) else None
        for kind, value in zip(signature.args, args, strict=True)
    ]


def _load(b, data, index):
    return b.load(b.gep(data, [index]))


def _mask(b, bits, index):
    return b.bitcast(_load(b, bits, index), MASK)


def _load_vector(b, data, index):
    return b.load(b.bitcast(b.gep(data, [index]), VECTOR.as_pointer()), align=4)


def _store(b, data, index, vector) -> None:
    b.store(vector, b.bitcast(b.gep(data, [index]), VECTOR.as_pointer()), align=4)


def _interleaved(b, one, other, first):
    """Take turns from two vectors: one[first], other[first], one[first + 1], …"""
    order = [first + j // 2 + LANES * (j % 2) for j in range(LANES)]
    return b.shuffle_vector(one, other, ir.Constant(ir.VectorType(ir.IntType(32), LANES), order))


def _splat(b, scalar):
    single = b.insert_element(ir.Constant(VECTOR, ir.Undefined), scalar, ir.Constant(ir.IntType(32), 0))
    everywhere = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    return b.shuffle_vector(single, ir.Constant(VECTOR, ir.Undefined), everywhere)


def _tree(b, totals):
    first, second, third, fourth = totals
    return b.fadd(b.fadd(first, second), b.fadd(third, fourth))


def _loop(b, start, end, totals, body):
    """Run body(b, e, total) -> total over e, four entries a turn with a total each, the rest with the first."""
    count = b.sub(end, start)
    whole = b.add(start, b.and_(count, INDEX(-CHAINS)))

    def turn(b, e, totals):
        return [body(b, b.add(e, INDEX(j)), total) for j, total in enumerate(totals)]

    totals = _plain_loop(b, start, whole, totals, turn, CHAINS)
    last = _plain_loop(b, whole, end, totals[:1], lambda b, e, carried: [body(b, e, carried[0])])
    return [*last, *totals[1:]]


def _plain_loop(b, start, end, carried, body, step=1):
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
