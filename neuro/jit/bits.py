"""Which of many: the bits set in a word and the values beyond limits, as lists of their places."""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from neuro.jit.vector import CHAINS, INDEX, load, loop, pointers, signed, splat

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
