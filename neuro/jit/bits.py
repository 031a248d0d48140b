"""Which of many: bits set in a word, values that are not 0 or lie beyond limits; counted, or as lists of their places."""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from neuro.jit.vector import CHAINS, INDEX, WORD, ZERO, load, load_vector, loop, pointers, signed, splat

BITS = 64


@intrinsic
def list_bits(typing, out, at, word, first):
    """Write first + the place of each bit set in a 64-bit word to out, from `at` on; gives where they end.

    The first four places are written whether there are so many or not, as no branch then has to be guessed.
    """

    def code(context, b, signature, args):
        return _listed(b, pointers(context, b, signature, args)[0], *args[1:])

    return signed(types.int64, out, at, word, first), code


@intrinsic
def list_beyond(typing, out, values, limits, number):
    """Write to out which of values[0 : number] are <= limits[0] or >= limits[1]; gives how many.

    number is a multiple of 64, limits has the type of values, and out room for four places more than there may be.
    """

    def code(context, b, signature, args):
        out, values, limits, _ = pointers(context, b, signature, args)
        kind, size = ir.VectorType(values.type.pointee, BITS), signature.args[1].dtype.bitwidth // 8
        low, high = (splat(b, load(b, limits, INDEX(k)), BITS) for k in range(2))

        def body(b, k, counted):
            several = b.load(b.bitcast(b.gep(values, [k]), kind.as_pointer()), align=size)
            beyond = b.or_(b.fcmp_ordered("<=", several, low), b.fcmp_ordered(">=", several, high))
            return [_listed(b, out, counted[0], b.bitcast(beyond, INDEX), k)]

        return loop(b, INDEX(0), args[3], [INDEX(0)], body, BITS)[0]

    return signed(types.int64, out, values, limits, number), code


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


def _listed(b, out, at, word, first):
    """Write the places of the bits of a word, counted from `first`; gives where they end."""
    certain = ir.Constant(ir.IntType(1), 0)

    def write(b, at, word):
        place = b.add(first, b.cttz(word, certain))
        b.store(b.trunc(place, ir.IntType(32)), b.gep(out, [at]))
        return b.and_(word, b.sub(word, INDEX(1)))

    end = b.add(at, b.ctpop(word))
    for j in range(CHAINS):
        word = write(b, b.add(at, INDEX(j)), word)
    start = b.add(at, INDEX(CHAINS))
    last = b.select(b.icmp_signed(">", end, start), end, start)
    loop(b, start, last, [word], lambda b, e, carried: [write(b, e, carried[0])])
    return end
