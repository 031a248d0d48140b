"""Sums over 16 samples at once, as vector instructions: what the loops of `neuro.dynamics.spiking` spend their time in.

A tile is 16 samples side by side; its spikes of one source at one step are the bits of a 16-bit word. Each function is
one loop whose sums stay in registers, four of them in turn so that no addition waits for the one before.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

from neuro.jit.bits import BITS
from neuro.jit.vector import (
    CHAINS,
    COUNTS,
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

BYTES = ir.VectorType(ir.IntType(8), BITS)
ROW = 4  # vectors a row of `row_sum` has
WORDS_A_LINE = 8  # places and weights that fill a line of the cache
AHEAD = 16  # lines that are asked for in advance
ROWS_AHEAD = 4  # the same of rows
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
def spread_lines(typing, values, base, lines, which, number):
    """values[base + place] += weight for the words of lines [·, 16] named by which[0 : number], one after the other.

    A line is 8 places and then the bits of 8 weights. Lines are asked for ahead of their use, so which has AHEAD more
    places.
    """

    def code(context, b, signature, args):
        data = pointers(context, b, signature, args)
        root = b.gep(data[0], [args[1]])

        def line_of(e):
            return b.gep(data[2], [b.mul(b.sext(load(b, data[3], e), INDEX), INDEX(2 * WORDS_A_LINE))])

        def body(b, e, _):
            ask_for(b, line_of(b.add(e, INDEX(AHEAD))))
            line = line_of(e)
            pairs = b.bitcast(line, INDEX.as_pointer())
            weights = b.bitcast(b.gep(line, [INDEX(WORDS_A_LINE)]), ir.FloatType().as_pointer())
            for j in range(
                0, WORDS_A_LINE, 2
            ):  # two places are loaded at once: the processor loads three numbers a cycle
                two = b.load(b.gep(pairs, [INDEX(j // 2)]), align=8)
                for k, place in enumerate((b.and_(two, INDEX(2**32 - 1)), b.lshr(two, INDEX(32)))):
                    pointer = b.gep(root, [place])
                    b.store(b.fadd(b.load(pointer), load(b, weights, INDEX(j + k))), pointer)
            return []

        loop(b, INDEX(0), args[4], [], body)
        return context.get_dummy_value()

    return signed(types.void, values, base, lines, which, number), code


@intrinsic
def add_rows(typing, values, base, scale, rows, which, number):
    """values[base + p] += scale[p] · Σ (n − 8) over the rows named by which[0 : number], n what a row has at place p.

    n is half a byte: bytes 64 · q + j of rows [·, 64 · Q] have place 128 · q + j in their lower, place 128 · q + 64 + j in
    their upper half; Q is a multiple of 4. Sums are right to the last bit where they lie within −128 … 127, whatever is
    passed through on the way. Rows are asked for ahead of their use, so which has ROWS_AHEAD more places.
    """

    def code(context, b, signature, args):
        data = pointers(context, b, signature, args)
        length = b.extract_value(make_array(signature.args[3])(context, b, args[3]).shape, 1)
        rows, halves = b.bitcast(data[3], BYTES.as_pointer()), ir.Constant(BYTES, [4] * BITS)
        length, events = b.sdiv(length, INDEX(BITS)), b.trunc(args[5], ir.IntType(8))
        bias = splat(b, b.shl(events, ir.Constant(ir.IntType(8), 3)), BITS)

        def part(b, q, _):
            def row_of(e):
                return b.gep(rows, [b.add(b.mul(b.sext(load(b, data[4], e), INDEX), length), q)])

            def add(b, e, totals):
                row, ahead = row_of(e), row_of(b.add(e, INDEX(ROWS_AHEAD)))
                both, upper = [], []
                for j in range(CHAINS):
                    ask_for(b, b.gep(ahead, [INDEX(j)]))
                    numbers = b.load(b.gep(row, [INDEX(j)]), align=1)
                    both.append(b.add(totals[j], numbers))
                    upper.append(b.add(totals[CHAINS + j], b.lshr(numbers, halves)))
                return both + upper

            totals = loop(b, INDEX(0), args[5], [ir.Constant(BYTES, None)] * (2 * CHAINS), add)
            for j in range(CHAINS):
                both, upper = totals[j], totals[CHAINS + j]
                for half, total in enumerate((b.sub(both, b.shl(upper, halves)), upper)):
                    place = b.add(b.mul(b.add(q, INDEX(j)), INDEX(2 * BITS)), INDEX(BITS * half))
                    _add_bytes(b, data[0], b.add(args[1], place), b.sub(total, bias), data[2], place)
            return []

        loop(b, INDEX(0), length, [], part, CHAINS)
        return context.get_dummy_value()

    return signed(types.void, values, base, scale, rows, which, number), code


def _add_bytes(b, values, at, numbers, scale, place) -> None:
    """values[at + j] += scale[place + j] · numbers[j], 64 signed bytes."""
    for first in range(0, BITS, LANES):
        order = ir.Constant(COUNTS, list(range(first, first + LANES)))
        few = b.shuffle_vector(numbers, ir.Constant(BYTES, ir.Undefined), order)
        counts = b.sitofp(b.sext(few, COUNTS), VECTOR)
        here = b.add(at, INDEX(first))
        worth = b.fmul(counts, load_vector(b, scale, b.add(place, INDEX(first))))
        store(b, values, here, b.fadd(load_vector(b, values, here), worth))


def ask_for(b, pointer) -> None:
    """Ask for the memory at a pointer ahead of its use."""
    anything, flag = ir.IntType(8).as_pointer(), ir.IntType(32)
    kind = ir.FunctionType(ir.VoidType(), [anything, flag, flag, flag])
    ahead = b.module.declare_intrinsic("llvm.prefetch", [anything], kind)
    b.call(ahead, [b.bitcast(pointer, anything), flag(0), flag(3), flag(1)])


@intrinsic
def count_up(typing, out, at, first):
    """out[at : at + 16] = first, first + 1, …"""

    def code(context, b, signature, args):
        steps = ir.Constant(COUNTS, list(range(LANES)))
        counts = b.add(splat(b, b.trunc(args[2], ir.IntType(32))), steps)
        place = b.gep(pointers(context, b, signature, args)[0], [args[1]])
        b.store(counts, b.bitcast(place, COUNTS.as_pointer()), align=4)
        return context.get_dummy_value()

    return signed(types.void, out, at, first), code


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


@intrinsic
def nonzero(typing, values, at):
    """Which of the 16 values from `at` on are not 0, as the bits of a word."""

    def code(context, b, signature, args):
        data = pointers(context, b, signature, args)
        return b.bitcast(b.fcmp_unordered("!=", load_vector(b, data[0], args[1]), ZERO), WORD)

    return signed(types.uint16, values, at), code


@intrinsic
def nonzeros(typing, values, at):
    """Which of the 64 values from `at` on are not 0, as the bits of a word."""

    def code(context, b, signature, args):
        (data, _) = pointers(context, b, signature, args)
        kind = ir.VectorType(data.type.pointee, BITS)
        vector = b.load(b.bitcast(b.gep(data, [args[1]]), kind.as_pointer()), align=1)
        nothing = ir.Constant(kind, None)
        is_float = isinstance(data.type.pointee, ir.FloatType)
        return b.bitcast(
            b.fcmp_unordered("!=", vector, nothing) if is_float else b.icmp_signed("!=", vector, nothing), INDEX
        )

    return signed(types.int64, values, at), code


@intrinsic
def show(typing, values, at, value):
    """values[at] = value, for another thread to see; it then sees all that was written before."""

    def code(context, b, signature, args):
        b.store_atomic(args[2], b.gep(pointers(context, b, signature, args)[0], [args[1]]), "release", 8)
        return context.get_dummy_value()

    return signed(types.void, values, at, value), code


@intrinsic
def seen(typing, values, at):
    """values[at], as another thread has shown it last."""

    def code(context, b, signature, args):
        return b.load_atomic(b.gep(pointers(context, b, signature, args)[0], [args[1]]), "acquire", 8)

    return signed(types.int64, values, at), code


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
