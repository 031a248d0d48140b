"""Sums over 16 samples at once, as vector instructions: what the loops of `neuro.dynamics.spiking` spend their time in.

A tile is 16 samples side by side; its spikes of one source at one step are the bits of a 16-bit word. Each function is
one loop whose sums stay in registers, four of them in turn so that no addition waits for the one before.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from neuro.jit.vector import (
    CHAINS,
    INDEX,
    LANES,
    MASK,
    VECTOR,
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
def spread_bits(typing, out, at, words, lane, number):
    """out[at + k] = 1 where a lane's bit of words[k] is set, else 0; k below number, a multiple of 16."""

    def code(context, b, signature, args):
        data = pointers(context, b, signature, args)
        kind, one = ir.VectorType(WORD, LANES), ir.Constant(VECTOR, [1.0] * LANES)
        bit, nothing = splat(b, b.shl(WORD(1), b.trunc(args[3], WORD))), ir.Constant(kind, None)

        def body(b, k, _):
            several = b.load(b.bitcast(b.gep(data[2], [k]), kind.as_pointer()), align=2)
            is_set = b.icmp_unsigned("!=", b.and_(several, bit), nothing)
            store(b, data[0], b.add(args[1], k), b.select(is_set, one, ZERO))
            return []

        loop(b, INDEX(0), args[4], [], body, LANES)
        return context.get_dummy_value()

    return signed(types.void, out, at, words, lane, number), code


def _mask(b, bits, index):
    return b.bitcast(load(b, bits, index), MASK)


def _interleaved(b, one, other, first):
    """Take turns from two vectors: one[first], other[first], one[first + 1], …"""
    order = [first + j // 2 + LANES * (j % 2) for j in range(LANES)]
    return b.shuffle_vector(one, other, ir.Constant(ir.VectorType(ir.IntType(32), LANES), order))
