"""One step of 16 neurons, or of one neuron in 16 samples, as vector instructions: `neuro.dynamics.step`, bit for bit.

The operations are those of the reference in the same order, none is fused; what a model does not have is jumped over.
Sixteen neurons have constants of their own; the samples of one neuron share them, which is a sixteenth of what is read.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.core.cgutils import get_or_insert_function
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

from neuro.dynamics.flat import (
    ADAPTATION,
    BETA,
    BIAS,
    CURRENT,
    DECAY_A,
    DECAY_SYN,
    EXPONENTIAL,
    FLOOR,
    FRACTION,
    HOLDS,
    KIND_OF_LEAK,
    LEAK,
    LINEAR,
    NO_ADAPTATION,
    PER_UNIT,
    RESTS,
    SYN,
    THETA,
    THRESHOLD,
    TO_VALUE,
    UNIT,
    V_RESET,
    A,
    V,
)
from neuro.dynamics.vector import (
    INDEX,
    LANES,
    VECTOR,
    WORD,
    ZERO,
    either,
    load,
    loop,
    pointers,
    signed,
    splat,
    store,
)

WIDE = ir.VectorType(ir.DoubleType(), LANES)
COUNTS = ir.VectorType(ir.IntType(32), LANES)
NOTHING, ONCE = (ir.Constant(COUNTS, [n] * LANES) for n in range(2))
ONE = ir.Constant(VECTOR, [1.0] * LANES)


@intrinsic
def advance(typing, choices, constants, resting, k, state, refractory, n, sums, at, u, u_at):
    """Advance vector n of state [·, 2 + C, 16] and refractory [·, 16] by a step; gives who fires, as the bits of a word.

    Its constants are vector k of [·, 9 + C, 16] and resting [·, 16]. Current c gets the 16 numbers of sums from
    at + 16 · c on. What the membranes come to before they fire goes to u, from u_at on.
    """
    return _signature(choices, constants, resting, k, state, refractory, n, sums, at, u, u_at), _code(VECTOR, COUNTS)


@intrinsic
def advance_samples(typing, choices, constants, resting, k, state, refractory, n, sums, at, u, u_at):
    """Advance one neuron in 16 samples, which is vector n; its constants are row k of [·, 9 + C] and resting [·]."""
    kinds = ir.FloatType(), ir.IntType(32)
    return _signature(choices, constants, resting, k, state, refractory, n, sums, at, u, u_at), _code(*kinds)


def _signature(*arguments):
    return signed(types.uint16, *arguments)


def _code(constant, count):
    """Write a step whose constants and counts are of these types: vectors, or one number for all 16."""

    def code(context, b, signature, args):
        data = pointers(context, b, signature, args)
        choices, constants, resting, _, state, refractory, _, sums, _, u, _ = data
        rows = b.extract_value(make_array(signature.args[4])(context, b, args[4]).shape, 1)
        step = _Step(
            b,
            choices,
            _row_of(b, constants, constant, b.mul(args[3], b.add(rows, INDEX(DECAY_SYN - SYN)))),
            _row_of(b, state, VECTOR, b.mul(args[6], rows)),
            _row_of(b, resting, count, args[3]),
            _row_of(b, refractory, COUNTS, args[6]),
        )
        drive = b.bitcast(b.gep(sums, [args[8]]), VECTOR.as_pointer())
        reached = step.adapted(b.fadd(step.driven(step.leaked(), drive, b.sub(rows, INDEX(SYN))), step.constant(BIAS)))
        reached = b.select(b.fcmp_ordered(">", reached, step.constant(FLOOR)), reached, step.constant(FLOOR))
        store(b, u, args[10], reached)
        return b.bitcast(step.fire(reached), WORD)

    return code


def _row_of(b, array, kind, place):
    """Where number `place` of an array of a type begins."""
    return b.gep(b.bitcast(array, kind.as_pointer()), [place])


def _for_all(b, value):
    """A vector as it is, one number 16 times."""
    return value if isinstance(value.type, ir.VectorType) else splat(b, value)


def _call(b, name: str, x):
    """An operation of the processor on each of 16 numbers."""
    return b.call(get_or_insert_function(b.module, ir.FunctionType(x.type, [x.type]), name), [x])


class _Step:
    """Writes the parts of a step for 16 places; arrays begin where theirs do."""

    def __init__(self, b, choices, constants, state, resting, refractory):
        self.b, self.choices, self.constants, self.state = b, choices, constants, state
        self.resting, self.refractory = resting, refractory

    def _row(self, array, row):
        return self.b.gep(array, [row if isinstance(row, ir.Value) else INDEX(row)])

    def constant(self, row):
        return _for_all(self.b, self.b.load(self._row(self.constants, row), align=4))

    def _old(self, row):
        return self.b.load(self._row(self.state, row), align=4)

    def _keep(self, row, value) -> None:
        self.b.store(value, self._row(self.state, row), align=4)

    def _is(self, choice: int, value: int):
        return self.b.icmp_signed("==", load(self.b, self.choices, INDEX(choice)), INDEX(value))

    def leaked(self):
        """u = leak(v)."""
        b, v, amount = self.b, self._old(V), self.constant(LEAK)

        def to_zero():
            size = b.fsub(b.select(b.fcmp_ordered(">", v, ZERO), v, b.fneg(v)), amount)
            size = b.select(b.fcmp_ordered(">", size, ZERO), size, ZERO)
            return [b.select(b.fcmp_ordered(">", v, ZERO), size, b.fneg(size))]

        def linear():
            return either(b, self._is(KIND_OF_LEAK, LINEAR), lambda: [b.fsub(v, amount)], to_zero)

        def without_exponent():
            return either(b, self._is_whole(), lambda: self._whole_left(v, amount), linear)

        return either(b, self._is(KIND_OF_LEAK, EXPONENTIAL), lambda: [b.fmul(v, amount)], without_exponent)[0]

    def _is_whole(self):
        return self.b.icmp_signed(">=", load(self.b, self.choices, INDEX(KIND_OF_LEAK)), INDEX(FRACTION))

    def _whole_left(self, x, decay):
        """What a step leaves of whole numbers of units: `fraction_left` or `shift_left_over` of `neuro.dynamics.step`."""
        b, unit, per_unit = self.b, self.constant(UNIT), self.constant(PER_UNIT)

        def fraction():
            product = b.fmul(b.fmul(b.fpext(x, WIDE), b.fpext(decay, WIDE)), b.fpext(per_unit, WIDE))
            return [b.fmul(b.fptrunc(_call(b, "llvm.trunc.v16f64", product), VECTOR), unit)]

        def shift():
            share = b.fmul(b.fsub(ONE, decay), per_unit)
            part = _call(b, "llvm.floor.v16f32", b.fmul(x, share))
            least = b.select(b.fcmp_ordered(">", part, ONE), part, ONE)
            part = b.select(b.fcmp_ordered(">", x, ZERO), least, part)
            return [b.fsub(x, b.fmul(part, unit))]

        return either(b, self._is(KIND_OF_LEAK, FRACTION), fraction, shift)

    def driven(self, u, sums, currents):
        """i_k = decay_k · i_k + c_k, or its whole numbers leak;  u + i_1 + i_2 + …"""

        def add_current(b, c, values):
            old, decay = self._old(b.add(c, INDEX(SYN))), self.constant(b.add(c, INDEX(DECAY_SYN)))
            decayed = either(b, self._is_whole(), lambda: self._whole_left(old, decay), lambda: [b.fmul(old, decay)])[0]
            i = b.fadd(decayed, b.load(b.gep(sums, [c]), align=4))
            self._keep(b.add(c, INDEX(SYN)), i)
            return [b.fadd(values[0], i)]

        return loop(self.b, INDEX(0), currents, [u], add_current)[0]

    def _scaled_adaptation(self):
        return self.b.fmul(self.constant(BETA), self._old(A))

    def adapted(self, u):
        """u − β·a for current adaptation."""
        b = self.b
        return either(b, self._is(ADAPTATION, CURRENT), lambda: [b.fsub(u, self._scaled_adaptation())], lambda: [u])[0]

    def fire(self, u):
        """z = u ≥ θ, θ + β·a for threshold adaptation, where ready; then reset, refractory period and adaptation."""
        b, theta = self.b, self.constant(THETA)
        limit = either(
            b, self._is(ADAPTATION, THRESHOLD), lambda: [b.fadd(theta, self._scaled_adaptation())], lambda: [theta]
        )[0]
        above = b.fcmp_ordered(">=", u, limit)
        value = self.constant(V_RESET)
        jump = b.select(self._is(TO_VALUE, 1), value, b.fsub(u, theta))
        fires, v = either(
            b,
            self._is(RESTS, 1),
            lambda: self._rested(above, u, jump, value),
            lambda: [above, b.select(above, jump, u)],
        )
        self._keep(V, v)
        with b.if_then(b.not_(self._is(ADAPTATION, NO_ADAPTATION))):
            decayed = b.fmul(self.constant(DECAY_A), self._old(A))
            self._keep(A, b.fadd(decayed, b.select(fires, ONE, ZERO)))
        return fires

    def _rested(self, above, u, jump, value):
        """Who fires and v where neurons rest; refractory = refractory_steps where z, else max(refractory − 1, 0)."""
        b = self.b
        left = b.load(self.refractory, align=4)
        ready = b.icmp_signed("==", left, NOTHING)
        fires = b.and_(above, ready)
        v = b.select(b.or_(ready, b.not_(self._all(HOLDS))), b.select(fires, jump, u), value)
        less = b.sub(left, ONCE)
        less = b.select(b.icmp_signed(">", less, NOTHING), less, NOTHING)
        resting = _for_all(b, b.load(self.resting, align=4))
        b.store(b.select(fires, resting, less), self.refractory, align=4)
        return [fires, v]

    def _all(self, choice: int):
        """A choice as 16 flags."""
        b = self.b
        bits = b.sext(self._is(choice, 1), WORD)
        return b.bitcast(bits, ir.VectorType(ir.IntType(1), LANES))
