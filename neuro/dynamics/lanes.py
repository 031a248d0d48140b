"""Sums over 16 samples at once, as vector instructions: what the loops of `neuro.dynamics.spiking` spend their time in.

A tile is 16 samples side by side; its spikes of one source at one step are the bits of a 16-bit word. Each function is
one loop whose sums stay in registers, four of them in turn so that no addition waits for the one before.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from neuro.dynamics.vector import (
    CHAINS,
    INDEX,
    LANES,
    MASK,
    WORD,
    ZERO,
    load,
    load_vector,
    loop,
    loop_in_chains,
    pointers,
    signed,
    splat,
    store,
    tree,
)

ROW = 4  # vectors a row of `row_sum` has
FAST = ("reassoc", "contract", "nsz")


@intrinsic
def masked_sum(typing, out, at, bits, base, offset, weight, start, end):
    """out[at : at + 16] = Σ weight[e] in the lanes of bits[base − offset[e]], e from start to end; exact sums only."""

    def body(b, data, args, e, total):
        place = b.sub(args[3], b.sext(load(b, data[4], e), INDEX))
        return b.select(_mask(b, data[2], place), b.fadd(total, splat(b, load(b, data[5], e))), total)

    def code(context, b, signature, args):
        data = pointers(context, b, signature, args)
        totals = loop_in_chains(b, args[6], args[7], [ZERO] * CHAINS, lambda b, e, x: body(b, data, args, e, x))
        store(b, data[0], args[1], tree(b, totals))
        return context.get_dummy_value()

    return signed(types.void, out, at, bits, base, offset, weight, start, end), code


@intrinsic
def weighted_sum(typing, out, at, values, base, offset, weight, start, end):
    """out[at : at + 16] += Σ weight[e] · values[16 · (base + offset[e]) + 0 … 15], e from start to end."""

    def body(b, data, args, e, total):
        place = b.add(args[3], b.sext(load(b, data[4], e), INDEX))
        vector = load_vector(b, data[2], b.mul(place, INDEX(LANES)))
        return b.fadd(total, b.fmul(vector, splat(b, load(b, data[5], e)), FAST), FAST)

    def code(context, b, signature, args):
        data = pointers(context, b, signature, args)
        first = [load_vector(b, data[0], args[1])] + [ZERO] * (CHAINS - 1)
        totals = loop_in_chains(b, args[6], args[7], first, lambda b, e, x: body(b, data, args, e, x))
        store(b, data[0], args[1], tree(b, totals))
        return context.get_dummy_value()

    return signed(types.void, out, at, values, base, offset, weight, start, end), code


@intrinsic
def fourfold_sum(typing, out, at, values, base, weight, first, second, third, fourth, number):
    """out[at + 16 i + 0 … 15] += Σ weight[row_i + j] · values[16 · (base + j) + 0 … 15], j below number, i below 4.

    What four sums need of values is loaded once.
    """

    def code(context, b, signature, args):
        data = pointers(context, b, signature, args)
        places = [b.add(args[1], INDEX(LANES * i)) for i in range(4)]

        def body(b, j, totals):
            vector = load_vector(b, data[2], b.mul(b.add(args[3], j), INDEX(LANES)))
            scales = [splat(b, load(b, data[4], b.add(row, j))) for row in args[5:9]]
            return [b.fadd(t, b.fmul(vector, s, FAST), FAST) for t, s in zip(totals, scales, strict=True)]

        sums = loop(b, INDEX(0), args[9], [load_vector(b, data[0], place) for place in places], body)
        for place, total in zip(places, sums, strict=True):
            store(b, data[0], place, total)
        return context.get_dummy_value()

    arguments = (out, at, values, base, weight, first, second, third, fourth, number)
    return signed(types.void, *arguments), code


@intrinsic
def fourfold_masked_sum(typing, out, values, base, bits, first, second, third, fourth, number):
    """out[16 i + 0 … 15] = Σ values[16 · (base + j) + 0 … 15] in the lanes of bits[place_i + j], j below number, i below 4.

    What four sums need of values is loaded once; the order of additions is that of j.
    """

    def code(context, b, signature, args):
        data = pointers(context, b, signature, args)

        def body(b, j, totals):
            vector = load_vector(b, data[1], b.mul(b.add(args[2], j), INDEX(LANES)))
            masks = [_mask(b, data[3], b.add(place, j)) for place in args[4:8]]
            return [b.select(m, b.fadd(t, vector), t) for t, m in zip(totals, masks, strict=True)]

        for i, total in enumerate(loop(b, INDEX(0), args[8], [ZERO] * 4, body)):
            store(b, data[0], INDEX(LANES * i), total)
        return context.get_dummy_value()

    return signed(types.void, out, values, base, bits, first, second, third, fourth, number), code


@intrinsic
def row_sum(typing, out, at, values, place, shift, start, end):
    """out[at : at + 64] = Σ values[64 · (place[e] + shift) + 0 … 63], e from start to end."""

    def code(context, b, signature, args):
        data = pointers(context, b, signature, args)

        def body(b, e, totals):
            row = b.mul(b.add(b.sext(load(b, data[3], e), INDEX), args[4]), INDEX(LANES * ROW))
            return [
                b.fadd(total, load_vector(b, data[2], b.add(row, INDEX(LANES * j))), FAST)
                for j, total in enumerate(totals)
            ]

        for j, total in enumerate(loop(b, args[5], args[6], [ZERO] * ROW, body)):
            store(b, data[0], b.add(args[1], INDEX(LANES * j)), total)
        return context.get_dummy_value()

    return signed(types.void, out, at, values, place, shift, start, end), code


@intrinsic
def scattered_sum(typing, values, base, place, start, end):
    """Σ values[base + place[e]], e from start to end; the order of additions is free."""

    def code(context, b, signature, args):
        data = pointers(context, b, signature, args)

        def body(b, e, total):
            index = b.add(args[1], b.sext(load(b, data[2], e), INDEX))
            return b.fadd(total, load(b, data[0], index), FAST)

        return tree(b, loop_in_chains(b, args[3], args[4], [ir.Constant(ir.FloatType(), 0.0)] * CHAINS, body))

    return signed(types.float32, values, base, place, start, end), code


@intrinsic
def spread_sum(typing, values, base, place, weight, start, end):
    """values[base + place[e]] += weight[e], one after the other, e from start to end; places below 2^32."""

    def code(context, b, signature, args):
        data = pointers(context, b, signature, args)
        root = b.gep(data[0], [args[1]])

        def add(b, e):
            pointer = b.gep(root, [b.zext(load(b, data[2], e), INDEX)])
            b.store(b.fadd(b.load(pointer), load(b, data[3], e)), pointer)

        def turn(b, e, _):
            for j in range(CHAINS):
                add(b, b.add(e, INDEX(j)))
            return []

        whole = b.add(args[4], b.and_(b.sub(args[5], args[4]), INDEX(-CHAINS)))
        loop(b, args[4], whole, [], turn, CHAINS)
        loop(b, whole, args[5], [], lambda b, e, _: add(b, e) or [])
        return context.get_dummy_value()

    return signed(types.void, values, base, place, weight, start, end), code


@intrinsic
def fetch(typing, values, at):
    """Ask for the memory at values[at] ahead of its use."""

    def code(context, b, signature, args):
        pointer = ir.IntType(8).as_pointer()
        flag = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [pointer, flag, flag, flag])
        ahead = b.module.declare_intrinsic("llvm.prefetch", [pointer], kind)
        place = b.gep(pointers(context, b, signature, args)[0], [args[1]])
        b.call(ahead, [b.bitcast(place, pointer), flag(0), flag(3), flag(1)])
        return context.get_dummy_value()

    return signed(types.void, values, at), code


@intrinsic
def transposed(typing, out, at, apart, values, begin, between):
    """Write a block of 16 x 16 the other way: out[at + k · apart + r] = values[begin + r · between + k]."""

    def code(context, b, signature, args):
        data = pointers(context, b, signature, args)
        places = [b.add(args[4], b.mul(args[5], INDEX(r))) for r in range(LANES)]
        rows = [load_vector(b, data[3], place) for place in places]
        half = LANES // 2
        for _ in range(LANES.bit_length() - 1):  # rows i and i + 8 shuffled into one another, four times
            pairs = [(rows[i], rows[i + half]) for i in range(half)]
            rows = [_interleaved(b, *pair, first) for pair in pairs for first in (0, half)]
        for k, row in enumerate(rows):
            store(b, data[0], b.add(args[1], b.mul(args[2], INDEX(k))), row)
        return context.get_dummy_value()

    return signed(types.void, out, at, apart, values, begin, between), code


@intrinsic
def nonzero(typing, values, at):
    """Which of the 16 values from `at` on are not 0, as the bits of a word."""

    def code(context, b, signature, args):
        data = pointers(context, b, signature, args)
        return b.bitcast(b.fcmp_unordered("!=", load_vector(b, data[0], args[1]), ZERO), WORD)

    return signed(types.uint16, values, at), code


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


def _mask(b, bits, index):
    return b.bitcast(load(b, bits, index), MASK)


def _interleaved(b, one, other, first):
    """Take turns from two vectors: one[first], other[first], one[first + 1], …"""
    order = [first + j // 2 + LANES * (j % 2) for j in range(LANES)]
    return b.shuffle_vector(one, other, ir.Constant(ir.VectorType(ir.IntType(32), LANES), order))
