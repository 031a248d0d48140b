"""What a board's words do to its neurons, as vector instructions: added line by line or row by row, as events come.

Threads that share a board show one another what they have written.
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
    VECTOR,
    load,
    load_vector,
    loop,
    pointers,
    signed,
    splat,
    store,
)

BYTES = ir.VectorType(ir.IntType(8), BITS)
WORDS_A_LINE = 8  # places and weights that fill a line of the cache
AHEAD = 16  # lines that are asked for in advance
ROWS_AHEAD = 4  # the same of rows


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
